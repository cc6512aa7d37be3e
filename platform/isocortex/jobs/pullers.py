"""Keeps the processes of pull workers alive, as the supervisor does those beside a database."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..errors import AccessError, InputError, MismatchError
from .heart import GRACE_SECONDS, LEFT
from .supervisor import ending, thread_share
from .worker import FRESH

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.5
_LONGEST_WAIT: Final = 60.0
_LASTING_SECONDS: Final = 30.0
_HOPELESS: Final = frozenset(
    {AccessError.exit_status, InputError.exit_status, MismatchError.exit_status}
)
"""Ends that come again however often a worker is started: a wrong token, another version."""


@dataclass
class _Seat:
    process: "subprocess.Popen[bytes] | None" = None
    since: float = 0.0
    free_at: float = 0.0
    crashes: int = 0
    status: int | None = None
    """Set once nobody is to take this seat again."""


def pull(
    server: str,
    token: str,
    *,
    processes: int = 1,
    once: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Keep so many workers pulling from `server` until `stopped()`; the exit status.

    A worker that ends is replaced, at once if a job was cancelled, later and later if it crashes.
    With `once` it ends when nothing is queued. The token goes by the environment, which others on
    this computer can't read.
    """
    seats = [_Seat() for _ in range(processes)]
    environment = {**os.environ, **thread_share(processes), "ISOCORTEX_TOKEN": token}
    command = [sys.executable, "-m", "isocortex.jobs.pulling", server, str(os.getpid())]
    command += ["once"] if once else []
    try:
        while not stopped() and any(seat.status is None for seat in seats):
            for seat in seats:
                _look_after(seat, command, environment, once=once)
            time.sleep(_LOOK_SECONDS)
    finally:
        _stop(seats)
    return max(seat.status or 0 for seat in seats)


def _look_after(
    seat: _Seat, command: list[str], environment: dict[str, str], *, once: bool
) -> None:
    if seat.process is not None and seat.process.poll() is not None:
        _clear(seat, seat.process.returncode, once=once)
    if seat.process is None and seat.status is None and time.monotonic() >= seat.free_at:
        seat.since = time.monotonic()
        # A session of its own: Ctrl+C reaches only this process, which asks its workers to stop.
        seat.process = subprocess.Popen(command, env=environment, start_new_session=True)


def _clear(seat: _Seat, status: int, *, once: bool) -> None:
    log.info("%s", ending(status))
    lasted = time.monotonic() - seat.since >= _LASTING_SECONDS
    seat.crashes = 0 if lasted or status in (0, LEFT, FRESH) else seat.crashes + 1
    wait = min(2.0 ** (seat.crashes - 1), _LONGEST_WAIT) if seat.crashes else 0.0
    seat.process, seat.free_at = None, time.monotonic() + wait
    if status in _HOPELESS or (once and status == 0):
        seat.status = status


def _stop(seats: list[_Seat]) -> None:
    """Ask all workers to stop, and kill those that take too long."""
    there = [seat.process for seat in seats if seat.process is not None]
    for process in there:
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS + 10
    for process in there:
        try:
            process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
