"""What strangers might send: forms and files that are built here, and end in a refusal each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Hostile:
    """A form with its file; `says` is part of the refusal that is expected."""

    kind: str
    says: str
    content: bytes = b""
    form: Mapping[str, Any] | None = None
