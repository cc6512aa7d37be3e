"""The beating thread of a worker: keeps the leases, and ends the process when it must end at once.

Networks and BLAS can't be interrupted from within Python, so a cancelled job is stopped by leaving
the process; jailed children die with it.
"""

import logging
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Self

from ..store.queue import BEAT_SECONDS
from .desk import Desk

log = logging.getLogger(__name__)

LEFT: Final = 75
"""The exit status of a worker whose present jobs were cancelled or given to another."""

GRACE_SECONDS: Final = 10.0
"""How long the present benchmark may still take once the worker was asked to stop."""


class Heart:
    """Beats for a desk while the `with` block lasts.

    `leave` ends the process; `parent` is the process whose end asks the worker to stop.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        seconds: float = BEAT_SECONDS,
        parent: int | None = None,
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        self.desk = desk
        self.seconds = seconds
        self.parent = parent
        self._leave = leave
        self._asked_at: float | None = None
        self._wakes, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)
        self._ending = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._wakes.send(b"\0")
        self._thread.join()
        self._wakes.close()
        self._woken.close()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT ask the worker to stop, at once, whatever its main thread does."""
        self._wakes.setblocking(False)
        before = signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)
        former = {each: signal.signal(each, _ignore) for each in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before)

    def _run(self) -> None:
        while not self._ending.is_set():
            ready, _, _ = select.select([self._woken], [], [], self.seconds)
            received = self._woken.recv(64) if ready else b""
            if set(received) & {signal.SIGTERM, signal.SIGINT} or self._orphaned():
                self.desk.stopping.set()
            if not self._ending.is_set():
                self._beat_once()

    def _beat_once(self) -> None:
        if not self.desk.beat():
            log.warning("worker %s leaves: its jobs were taken away", self.desk.worker)
            self._let_go(LEFT, "its worker was stopped, because another job of it was cancelled")
        elif self.desk.stopping.is_set():
            self._asked_at = self._asked_at or time.monotonic()
            if self.desk.held() and time.monotonic() - self._asked_at >= GRACE_SECONDS:
                self._let_go(0, "its worker was asked to stop")

    def _let_go(self, status: int, reason: str) -> None:
        """Put back what is held, and leave, even if the database can't be reached."""
        last = threading.Thread(target=self.desk.release, args=(reason,), daemon=True)
        last.start()
        last.join(timeout=2 * self.seconds)
        self._leave(status)

    def _orphaned(self) -> bool:
        return self.parent is not None and os.getppid() != self.parent


def _ignore(_number: int, _frame: object) -> None:
    """A handler of Python's own, so that the signal's number is written to the wakeup socket."""
