"""How two ways of doing the same work are timed side by side."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class Measurement:
    """What both ways cost, in `unit`, and the largest difference between what they found."""

    ours: float
    theirs: float
    other: str
    difference: float
    unit: str = "CPU s"


def timed(work: Callable[[], Result], *, repeats: int = 3) -> tuple[float, Result]:
    """The least CPU time of several calls, in seconds, and what the last one returned."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        seconds.append(time.process_time() - start)
    return min(seconds), result
