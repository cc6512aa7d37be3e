"""How much a jailed process may use, and which tasks there are."""

import os
import re
from dataclasses import dataclass, field
from typing import Final

from ..errors import JailError

TASK: Final = re.compile(
    r"isocortex\.(?:submissions|jail)\.[a-z_]+(?:\.[a-z_]+)*:[a-z_]+", re.ASCII
)
"""What a task may be named: "module:function" of our own, below two rooms."""


@dataclass(frozen=True)
class Limits:
    """How much a jailed process may use before it is killed."""

    memory_bytes: int = 4 * 2**30
    """Memory of its own; mapped libraries and the files it was handed do not count."""
    cpu_seconds: int = 3600
    """Of all its threads together, over its whole life."""
    wall_seconds: float = 600.0
    """How long the trusted side waits for it, all waits together, its start included."""
    output_bytes: int = 2**34
    """How much it may send, all frames together."""
    threads: int = field(default_factory=lambda: 64 + 8 * (os.cpu_count() or 1))
    """PyTorch, OpenBLAS and onnxruntime each start one or two for every core."""

    def __post_init__(self) -> None:
        for name in ("memory_bytes", "cpu_seconds", "wall_seconds", "output_bytes", "threads"):
            if getattr(self, name) <= 0:
                raise JailError(f"{name} of a jail is {getattr(self, name)}; give more than 0")


def check_task(name: str) -> None:
    """Raise JailError unless `name` is one of our own functions that may be run in a jail."""
    if not TASK.fullmatch(name):
        raise JailError(
            f"no task of a jail is named {name!r}; it must be 'module:function' below "
            "isocortex.submissions or isocortex.jail"
        )
