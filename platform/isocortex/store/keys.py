"""Keys that rows are known by outside the database: 26 digits, later ones sort behind earlier."""

import secrets
import time
from typing import Final

_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's 32 digits: none is taken for another when it is read aloud."""


def new_key() -> str:
    """A key that nobody can guess: 48 bits of time in milliseconds, then 80 random bits."""
    number = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | secrets.randbits(80)
    return "".join(_DIGITS[number >> shift & 31] for shift in range(125, -1, -5))
