"""Studies: what networks that are known in every part say of the methods themselves."""
