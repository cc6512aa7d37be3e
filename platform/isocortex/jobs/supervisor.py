"""The supervisor: keeps worker processes alive, and watches the queue of all workers.

It imports no network: the web process runs one in a thread.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from ..errors import IsocortexError, StoreError
from ..store import Store
from ..store.lapsing import Watch
from ..store.queue import LEASE_SECONDS
from ..submissions.blobs import Blobs
from ..submissions.hub_files import prune_hub_files
from .heart import GRACE_SECONDS, LEFT
from .worker import FRESH, worker_name

log = logging.getLogger(__name__)

WORKER: Final = (sys.executable, "-m", "isocortex.cli", "worker", "--process")
"""The command of one worker process; its name and options follow."""

_LOOK_SECONDS: Final = 1.0
_TIDY_SECONDS: Final = 24 * 3600.0
_LONGEST_WAIT: Final = 60.0
_LASTING_SECONDS: Final = 30.0
"""A worker that ran so long and then crashed is started again at once."""

_KILLED: Final = {
    signal.SIGKILL: "it was killed (signal 9), as the system does when memory runs out",
    signal.SIGSEGV: "it crashed (segmentation fault) in native code",
    signal.SIGXFSZ: "it was stopped at the limit of a file's size",
}


@dataclass
class _Seat:
    """One of the worker processes that are wanted, and whoever has it now."""

    process: "subprocess.Popen[bytes] | None" = None
    name: str = ""
    since: float = 0.0
    crashes: int = 0
    free_at: float = 0.0
    finished: bool = False
    """Whether its worker found nothing more to do, and was to stop then."""


@dataclass(frozen=True, kw_only=True)
class Staff:
    """Which workers are wanted: how many `processes` of `command`; `once`, until all is done."""

    processes: int
    command: Sequence[str] = WORKER
    environment: Mapping[str, str] = field(default_factory=dict)
    once: bool = False
    lease_seconds: float = LEASE_SECONDS


class Supervisor:
    """Keeps workers alive while the `with` block lasts; at its end they are asked to stop.

    A worker that dies is replaced, after a pause if it dies at once, and its jobs are put back
    with what is known of its end. Once a day uploads that nobody holds are removed, and
    files of hubs beyond their cap.
    """

    def __init__(self, store: Store, staff: Staff) -> None:
        self.store = store
        self.staff = staff
        self.stopping = threading.Event()
        self._seats = [_Seat() for _ in range(staff.processes)]
        self._watch = Watch(store.queue, staff.lease_seconds)
        self._tidy_at = time.monotonic()
        self._thread = threading.Thread(target=self.run, name="supervisor")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self._thread.join()

    def run(self) -> None:
        """Look after everything until `stopping` is set or, with `once`, all is done."""
        try:
            while not self.stopping.is_set() and not self._all_done():
                for seat in self._seats:
                    self._look_after(seat)
                self._look()
                if time.monotonic() >= self._tidy_at:
                    self._tidy()
                self.stopping.wait(_LOOK_SECONDS)
        finally:
            self._stop_all()

    def wait(self, stopped: Sequence[object] = ()) -> None:
        """Wait until all is done (with `once`), or until something is in `stopped`."""
        while self._thread.is_alive() and not stopped:
            self._thread.join(_LOOK_SECONDS / 4)

    def processes(self) -> tuple[int, ...]:
        """The ids of the worker processes that are there now."""
        return tuple(each.process.pid for each in self._seats if each.process is not None)

    def _all_done(self) -> bool:
        return self.staff.once and all(seat.finished for seat in self._seats)

    def _look(self) -> None:
        try:
            for job in self._watch.look():
                log.warning("job %s of %s was taken from its worker", job.id, job.model)
        except StoreError as error:
            log.warning("the queue can't be watched now: %s", error)

    def _tidy(self) -> None:
        self._tidy_at = time.monotonic() + _TIDY_SECONDS
        try:
            removed = Blobs(self.store.submissions).prune() + prune_hub_files()
            log.info("%d files that nobody holds, or for which no room is left, removed", removed)
        except (OSError, IsocortexError) as error:
            log.warning("files can't be tidied now: %s", error)

    def _look_after(self, seat: _Seat) -> None:
        if seat.process is not None and seat.process.poll() is not None:
            self._clear(seat, seat.process.returncode)
        if seat.process is None and not seat.finished and time.monotonic() >= seat.free_at:
            self._fill(seat)

    def _fill(self, seat: _Seat) -> None:
        seat.name, seat.since = worker_name(), time.monotonic()
        once = ["--once"] if self.staff.once else []
        command = [*self.staff.command, "--name", seat.name, *once]
        quiet = {"ORT_DISABLE_TELEMETRY": "1"}
        share = thread_share(len(self._seats))
        environment = {**os.environ, **quiet, **share, **self.staff.environment}
        try:
            # A session of its own: Ctrl+C reaches the supervisor, which asks its workers to stop.
            seat.process = subprocess.Popen(command, env=environment, start_new_session=True)
        except OSError as error:  # no memory, or too many processes
            log.warning("no worker can be started now: %s", error)
            seat.free_at = time.monotonic() + _LASTING_SECONDS

    def _clear(self, seat: _Seat, status: int) -> None:
        """Free the seat of a worker that has ended, and put back what it held."""
        reason, lost = ending(status), True
        try:
            lost = bool(self.store.queue.lapse_worker(seat.name, reason))
        except StoreError as error:  # the watch will see its jobs stand still
            log.warning("what worker %s held can't be put back now: %s", seat.name, error)
        crashed = status not in (0, LEFT, FRESH)
        lasted = time.monotonic() - seat.since >= _LASTING_SECONDS
        # One that crashes with a job in hand is replaced at once: the job is what is given up.
        seat.crashes = seat.crashes + 1 if crashed and not lost and not lasted else 0
        wait = min(2.0 ** (seat.crashes - 1), _LONGEST_WAIT) if seat.crashes else 0.0
        seat.process, seat.free_at = None, time.monotonic() + wait
        seat.finished = self.staff.once and status == 0
        told = reason.removeprefix("its worker ended: ")
        log.log(logging.WARNING if crashed else logging.INFO, "worker %s: %s", seat.name, told)

    def _stop_all(self) -> None:
        """Ask all workers to stop, and kill those that take too long."""
        there = [(seat, seat.process) for seat in self._seats if seat.process is not None]
        for _, process in there:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS + 10
        for seat, process in there:
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
            self._clear(seat, process.wait())


def thread_share(processes: int) -> dict[str, str]:
    """How many threads of its own each of so many processes gets, unless the user has said it."""
    share = str(max(1, (os.cpu_count() or 1) // max(processes, 1)))
    return {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": share}


def ending(status: int) -> str:
    """Why a worker process ended with this status, in words.

    >>> ending(-9)
    'its worker ended: it was killed (signal 9), as the system does when memory runs out'
    """
    if status < 0:
        said = _KILLED.get(signal.Signals(-status), f"it was killed (signal {-status})")
    elif status == LEFT:
        said = "a job of it was cancelled or given to another"
    elif status == FRESH:
        said = "it made room for a fresh process"
    else:
        said = "it stopped" if status == 0 else f"it crashed (exit status {status})"
    return f"its worker ended: {said}"
