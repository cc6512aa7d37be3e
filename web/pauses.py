"""Pauses of the garbage collector, in which nobody is answered.

With 300,000 scores in memory a full collection takes 0.17 s, and lists ask for one every 160
requests. Scores live until the data change and hold no cycles: to look at them once is enough.
"""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

LONGEST: Final = 0.02
"""Seconds that a collection may take before what survived it is left alone from then on."""


@contextmanager
def shortened(*, longest: float = LONGEST) -> Iterator[None]:
    """While the block lasts, what survived a collection of over `longest` seconds is left alone.

    It is still freed when nothing refers to it any more, unless it is part of a cycle. At the end
    of the block all is looked at again.
    """
    began = 0.0

    def look(phase: str, _facts: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        elif time.perf_counter() - began > longest:
            gc.freeze()

    gc.callbacks.append(look)
    try:
        yield
    finally:
        gc.callbacks.remove(look)
        gc.unfreeze()
