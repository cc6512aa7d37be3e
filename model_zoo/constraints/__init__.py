"""Constraints: what weights may be, restored after each update."""
