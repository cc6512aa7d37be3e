"""Random secrets and how they are kept: only their SHA-256, for they can't be guessed anyway.

A secret holds 32 random bytes, so that a fast hash is enough; passwords need a slow one.
"""

import hashlib
import hmac
import secrets
from typing import Final

TOKEN_PREFIX: Final = "iso_"
"""What every token begins with, so that scanners of leaked secrets can find it."""

SHOWN: Final = len(TOKEN_PREFIX) + 6
"""How many characters of a token are kept in the clear, to tell it by."""

_BYTES: Final = 32


def new_secret() -> str:
    """A secret of 43 characters that are safe in cookies, URLs and forms."""
    return secrets.token_urlsafe(_BYTES)


def new_token() -> str:
    """A secret that says by its first characters that it is a token of isocortex."""
    return TOKEN_PREFIX + new_secret()


def kept(secret: str) -> str:
    """What is stored of a secret: its SHA-256.

    >>> kept("iso_x") == kept("iso_x"), len(kept("iso_x"))
    (True, 64)
    """
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def derived(secret: str, purpose: str) -> str:
    """Another secret that follows from this one, and from which this one can't be had."""
    return hmac.new(secret.encode("utf-8", "replace"), purpose.encode(), "sha256").hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, told in a time that does not depend on where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))
