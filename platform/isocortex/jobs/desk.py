"""A worker's desk: the jobs that it holds, what it does with them, and the beat that keeps them.

The thread that scores tells the desk what it does; the thread that beats passes it on and learns
which jobs were lost or cancelled. Nothing is written for each batch.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, Protocol

from ..errors import LeaseLostError, StoreError
from ..store.queue import Claim, Lease, Outcome
from .resources import cpu_seconds, peak_bytes, resident_bytes

log = logging.getLogger(__name__)

_WAITS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between tries to write what was computed, while the database can't be written."""


class Counter(Protocol):
    """Where jobs are handed out and taken back: the store's queue, or one across the network."""

    def claim(self, worker: str) -> Claim | None:
        """What is to be done next, or None."""

    def beat(
        self,
        worker: str,
        leases: tuple[Lease, ...] = (),
        *,
        progress: Mapping[int, Mapping[str, Any]] | None = None,
    ) -> frozenset[int]:
        """The ids of the jobs that are still held."""

    def stored_score(self, candidate_fingerprint: str, benchmark_fingerprint: str) -> int | None:
        """The id of the current score of these versions, if they were scored."""

    def finish(self, lease: Lease, outcome: Outcome) -> int:
        """The id of the score, committed with the job's end."""

    def finish_with_stored(self, lease: Lease, score_id: int) -> None:
        """End the job with a score that is there."""

    def fail(self, lease: Lease, reason: str, *, peak_bytes: int | None = None) -> None:
        """End the job without a score, by the model's fault."""

    def retry(self, lease: Lease, reason: str) -> object:
        """Put the job back, or give it up, after trouble that was not the model's."""

    def release(self, lease: Lease, reason: str) -> None:
        """Put the job back as if it had not been taken."""

    def log(self, subject: Lease | str, kind: str, text: str) -> None:
        """Add a line about a job."""


class Desk:
    """The jobs of one claim at a time, of one worker. Its methods may be called by two threads."""

    def __init__(self, counter: Counter, worker: str) -> None:
        self.counter = counter
        self.worker = worker
        self.stopping = threading.Event()
        """Set once the worker is asked to stop: finish the present benchmark, take no other."""
        self.troubles = 0
        """How often the present claim met trouble that other jobs would meet as well."""
        self._lock = threading.Lock()
        self._held: dict[int, Lease] = {}
        self._ending: set[int] = set()
        self._progress: dict[int, dict[str, Any]] = {}
        self._began = cpu_seconds()

    def sit_down(self, claim: Claim) -> None:
        """Begin with a claim, whose model is loaded first."""
        with self._lock:
            self._held = {lease.job_id: lease for lease in claim.leases}
            self._progress = {job_id: {"stage": "loading"} for job_id in self._held}
            self._began, self.troubles = cpu_seconds(), 0

    def get_up(self) -> None:
        """Leave all that is held as it is, to whoever sees that its beat stands still."""
        self.troubles += 1
        with self._lock:
            self._held.clear()

    def held(self) -> tuple[Lease, ...]:
        """The leases that are neither given back nor, as far as is known, lost."""
        with self._lock:
            return tuple(self._held.values())

    def holds(self, lease: Lease) -> bool:
        """Whether this lease is among them."""
        with self._lock:
            return lease.job_id in self._held

    def turn_to(self, leases: Iterable[Lease], stage: str) -> tuple[Lease, ...]:
        """Say what is done now, with which jobs, while all others wait; those of them still held.

        It is written at once: if it kills the worker, only these jobs are to blame.
        """
        chosen = tuple(leases)
        ids = {lease.job_id for lease in chosen}
        with self._lock:
            for job_id in self._held:
                self._progress[job_id] = {"stage": stage if job_id in ids else "waiting"}
        self.beat()
        return tuple(lease for lease in chosen if self.holds(lease))

    def tell(self, **facts: Any) -> None:
        """Add facts about the present stage, such as `done` and `total`; they go with the beat."""
        with self._lock:
            for progress in self._progress.values():
                if progress["stage"] != "waiting":
                    progress.update(facts)

    def beat(self) -> bool:
        """Say that the worker is alive; False if all jobs that it is at work on were taken away.

        Trouble with the database is left to the next beat.
        """
        with self._lock:
            leases, at_work = tuple(self._held.values()), self._at_work()
            spent = {"cpu_seconds": round(self.cpu_seconds, 1), "resident_bytes": resident_bytes()}
            told = {job_id: self._progress[job_id] | spent for job_id in self._held}
        try:
            own = self.counter.beat(self.worker, leases, progress=told)
        except StoreError as error:
            log.warning("worker %s could not beat: %s", self.worker, error)
            return True
        with self._lock:
            lost = {lease.job_id for lease in leases} - own - self._ending
            lost &= self._held.keys()
            for job_id in lost:
                del self._held[job_id]
            return not lost & at_work or bool(self._at_work())

    @property
    def cpu_seconds(self) -> float:
        """What the claim took so far, jailed children that have ended included."""
        return cpu_seconds() - self._began

    def keep(self, lease: Lease, outcome: Outcome) -> None:
        """Commit a score, with patience; that of a job that was taken away is dropped."""
        self._end(lease, lambda: self.counter.finish(lease, outcome))

    def keep_stored(self, lease: Lease, score_id: int) -> None:
        """End a job with a score that is there."""
        self._end(lease, lambda: self.counter.finish_with_stored(lease, score_id))

    def fail(self, lease: Lease, reason: str) -> None:
        """End a job by the model's fault."""
        peak = peak_bytes()
        self._end(lease, lambda: self.counter.fail(lease, reason, peak_bytes=peak))

    def put_back(self, lease: Lease, reason: str) -> None:
        """Put a job back after trouble that was not the model's: a try is counted."""
        self._end(lease, lambda: self.counter.retry(lease, reason))

    def release(self, reason: str) -> None:
        """Put back all that is held, as if it had not been taken."""
        for lease in self.held():
            self._end(lease, partial(self.counter.release, lease, reason))

    def log(self, lease: Lease, text: str) -> None:
        """Add a line about a job; without it, if the database can't be written now."""
        try:
            self.counter.log(lease, "log", text)
        except StoreError as error:
            log.info("job %s: %s (not logged: %s)", lease.job_id, text, error)

    def _end(self, lease: Lease, work: Callable[[], object]) -> None:
        with self._lock:
            self._ending.add(lease.job_id)  # or a beat in between would take it for lost
        try:
            self._insist(lease, work)
        finally:
            with self._lock:
                self._ending.discard(lease.job_id)
        with self._lock:
            self._held.pop(lease.job_id, None)

    def _insist(self, lease: Lease, work: Callable[[], object]) -> None:
        for wait in (*_WAITS, None):
            try:
                work()
            except LeaseLostError as error:
                log.warning("worker %s: %s", self.worker, error)
            except StoreError as error:
                if wait is None:
                    raise
                log.warning("job %s: %s; once more in %g seconds", lease.job_id, error, wait)
                time.sleep(wait)
                continue
            return

    def _at_work(self) -> set[int]:
        return {each for each in self._held if self._progress[each]["stage"] != "waiting"}
