"""How representations are compared: one family a file."""
