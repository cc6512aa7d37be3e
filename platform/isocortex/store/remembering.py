"""What was made of one state of the data, kept until the data change."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Remembered(Generic[Made]):
    """The `most` last used things that were made of one state of the data.

    Threads that ask for the same thing at once wait for the one that makes it.

    >>> kept = Remembered[int](most=2)
    >>> kept.get("first state", "a", lambda: 1), kept.get("first state", "a", lambda: 2)
    (1, 1)
    >>> kept.get("second state", "a", lambda: 3)
    3
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._state = ""
        self._made: OrderedDict[Hashable, Made] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def state(self) -> str:
        """The state of the data that the things kept are of."""
        return self._state if self._made else ""

    def get(self, state: str, key: Hashable, make: Callable[[], Made]) -> Made:
        """What was made for this key in this state of the data, or what `make` makes now."""
        with self._lock:
            if state != self._state:
                self._state = state
                self._made.clear()
            if key not in self._made:
                self._made[key] = make()
                if len(self._made) > self._most:
                    self._made.popitem(last=False)
            self._made.move_to_end(key)
            return self._made[key]
