"""The watch: takes jobs from workers whose beat stands still, by no clock but the watch's own."""

import time
from collections.abc import Callable, Hashable, Mapping
from typing import Final, Generic, TypeVar

from sqlalchemy import select

from . import claiming
from .opening import reading
from .queue import LEASE_SECONDS, Queue
from .queued import StoredJob
from .service import Job, Worker

Key = TypeVar("Key", bound=Hashable)

_LOOKS: Final = 4


class Stillness(Generic[Key]):
    """Which counters did not move for so many seconds between looks at them.

    A long time between two looks counts as a fourth of that only: whoever slept together with those
    it watches (a suspended computer) does not take them for dead.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._last = clock()
        self._seen: dict[Key, tuple[object, float]] = {}

    def look(self, counters: Mapping[Key, object]) -> set[Key]:
        """The keys whose counter stood still; those that are not among `counters` are forgotten."""
        moment = self._clock()
        passed = min(max(moment - self._last, 0.0), self.seconds / _LOOKS)
        self._last = moment
        seen: dict[Key, tuple[object, float]] = {}
        for key, counter in counters.items():
            before, stood = self._seen.get(key, (None, 0.0))
            seen[key] = (counter, stood + passed if before == counter else 0.0)
        self._seen = seen
        return {key for key, (_, stood) in seen.items() if stood >= self.seconds}


class Watch:
    """Looks after a queue; any number of watches may look after one. Call `look` every second."""

    def __init__(
        self,
        queue: Queue,
        seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.queue = queue
        self.seconds = seconds
        self._jobs: Stillness[int] = Stillness(seconds, clock)
        self._workers: Stillness[str] = Stillness(seconds, clock)

    def look(self) -> tuple[StoredJob, ...]:
        """The jobs that were taken away now: queued again, or dead. Workers likewise dismissed."""
        jobs, workers = self._beats()
        for name in self._workers.look(workers):
            self.queue.dismiss(name)
        still = self._jobs.look(jobs)
        reason = f"its worker was not heard of for {self.seconds:g} seconds"
        return self.queue.lapse({job_id: jobs[job_id] for job_id in still}, reason)

    def _beats(self) -> tuple[dict[int, tuple[int, int]], dict[str, int]]:
        alive = select(Worker.name, Worker.beat).where(Worker.stopped_at.is_(None))
        beats = select(Job.id, Job.attempt, Job.beat).where(claiming.RUNNING)
        with reading(self.queue.engine) as connection:
            jobs = {row.id: (row.attempt, row.beat) for row in connection.execute(beats)}
            workers = {row.name: row.beat for row in connection.execute(alive)}
        return jobs, workers
