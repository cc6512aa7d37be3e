"""The soak: jobs scored while everything that can be killed is killed, and the books after it."""

import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from tests.jobs import light_worker, small_disks
from tests.jobs.made_up_jobs import FACES, PLACES, account, submit
from tests.jobs.small_disks import HeldDisk

from isocortex import settings
from isocortex.store import Store, schema, service, transitions
from isocortex.store.artifacts import Artifacts
from isocortex.store.opening import reading

WORKERS = 3
BENCHMARKS = (FACES, PLACES)


@dataclass
class Soak:
    """One soak of a store: who works on it, and what was done to them."""

    store: Store
    seed: int = 0
    done: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        settings.home().mkdir(exist_ok=True)
        self.disk = None if small_disks.obstacle() else HeldDisk(self.store.artifacts.folder)
        self.server = self._serve()
        self.run_again = 0

    def run(self, jobs: int, *, harms: int, pause: float, seconds: float) -> None:
        """Submit so many jobs bit by bit; do as much harm meanwhile, with pauses in seconds.

        The arrays of all scores are there at its end.
        """
        models = jobs // len(BENCHMARKS)
        owners = [account(self.store, name) for name in ("ann", "bob")]
        deadline, keys = time.monotonic() + seconds, [self._submit(owners, 0)]
        order = self._harms(keys)
        try:
            done = 0
            while done < harms or self.store.queue.counts() != {"done": jobs}:
                assert time.monotonic() < deadline, f"{self.store.queue.counts()}, {self.done}"
                self._operate()
                done = sum(self.done.values())
                while len(keys) < min(models, models * (done + 1) // harms):
                    keys.append(self._submit(owners, len(keys)))
                if done < harms and self._workers():
                    next(order)()
                time.sleep(pause)
            check_arrays(self.store, self._arrays())
        finally:
            self._end()

    def _harms(self, keys: list[str]) -> Iterator[Callable[[], None]]:
        """Each kind of harm in turn, in another order each time; workers are killed most."""
        each = [self.put_to_sleep, self.kill_worker, self.lock_database, self.fill_disk]
        each += [self.jump_clocks, lambda: self.cancel(keys), self.kill_worker, self.kill_server]
        while True:
            yield from each
            self.random.shuffle(each)

    def kill_worker(self) -> None:
        """Kill -9 whichever worker."""
        if processes := self._workers():
            self._signal(self.random.choice(processes), signal.SIGKILL)
            self.done["workers killed"] += 1

    def kill_server(self) -> None:
        """Kill -9 the supervisor, whose workers are on their own, and start another."""
        self.server.kill()
        self.server.wait()
        self.server = self._serve()
        self.done["servers killed"] += 1

    def put_to_sleep(self) -> None:
        """Stop a worker for longer than a lease; it wakes up as a zombie."""
        if processes := self._workers():
            process = self.random.choice(processes)
            self._signal(process, signal.SIGSTOP)
            # Beside us: it may hold SQLite's only lock, for which we wait as all others do.
            alarm = threading.Timer(
                2 * light_worker.LEASE_SECONDS, self._signal, (process, signal.SIGCONT)
            )
            alarm.daemon = True
            alarm.start()
            self.done["zombies"] += 1

    def lock_database(self) -> None:
        """Keep everybody from writing for a while."""
        thread = threading.Thread(target=self._lock, args=(self.random.uniform(0.5, 3),))
        thread.start()
        thread.join()
        self.done["locks"] += 1

    def fill_disk(self) -> None:
        """Let no array be written for a while: their disk is full or, without root, said to be."""
        if self.disk is None:
            full = settings.home() / "full"
            full.touch()
            time.sleep(self.random.uniform(0.5, 2))
            full.unlink()
            self.done["disks said to be full"] += 1
            return
        small_disks.fill(self.disk.inside)
        time.sleep(self.random.uniform(0.5, 2))
        small_disks.make_room(self.disk.inside)
        self.done["full disks"] += 1

    def _arrays(self) -> Path:
        return self.disk.inside if self.disk else self.store.artifacts.folder

    def jump_clocks(self) -> None:
        """Let all clocks of workers and servers jump by days, from now on or no longer."""
        jumping = settings.home() / "jumping"
        if jumping.exists():
            jumping.unlink()
        else:
            jumping.touch()
        self.done["clocks changed"] += 1

    def cancel(self, keys: list[str]) -> None:
        """Cancel a submission, queued or running, if it has not ended."""
        self.store.queue.cancel(keys[-1])
        self.done["cancelled"] += 1

    def _operate(self) -> None:
        """What an operator does about jobs that were given up or cancelled."""
        ended = self.store.queue.jobs(states=["dead", "cancelled", "failed"], limit=1000)
        for key in {job.submission for job in ended}:
            self.run_again += len(self.store.queue.rerun(key))

    def _submit(self, owners: list[int], number: int) -> str:
        key = submit(self.store, owners[number % 2], f"net{number}")
        self.store.queue.add(key, BENCHMARKS)
        return key

    def _serve(self) -> "subprocess.Popen[bytes]":
        url = self.store.engine.url.render_as_string(hide_password=False)
        environment = {
            **os.environ,
            "ISOCORTEX_DATABASE": url,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "LIGHT_GRACE": "2",
        }
        joining = self.disk.joining if self.disk else []
        command = [*joining, *light_worker.COMMAND, "--serve", str(WORKERS)]
        return subprocess.Popen(command, env=environment)

    def _workers(self) -> list[int]:
        """The processes of all workers that are there, orphans included."""
        there = [worker.facts["process"] for worker in self.store.queue.workers()]
        return [process for process in there if Path(f"/proc/{process}").exists()]

    def _signal(self, process: int, number: int) -> None:
        command = Path(f"/proc/{process}/cmdline")
        with suppress(OSError):
            if b"light_worker" in command.read_bytes():  # process ids are used again
                os.kill(process, number)

    def _lock(self, seconds: float) -> None:
        engine = self.store.engine
        if engine.dialect.name == "sqlite":
            connection = sqlite3.connect(str(engine.url.database), timeout=30)
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            connection.rollback()
            connection.close()
            return
        with suppress(OperationalError), engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '2s'")  # of one that is asleep
            connection.exec_driver_sql("LOCK TABLE job IN ACCESS EXCLUSIVE MODE")
            time.sleep(seconds)

    def _end(self) -> None:
        self.server.kill()
        self.server.wait()
        own = f"ISOCORTEX_HOME={settings.home()}".encode()
        for each in Path("/proc").glob("[0-9]*"):  # those as well that have not enlisted yet
            with suppress(OSError):
                if own in (each / "environ").read_bytes():
                    self._signal(int(each.name), signal.SIGKILL)
        if self.disk:
            self.disk.close()


def check_arrays(store: Store, folder: Path) -> None:
    """The arrays of every score lie in the folder, whole."""
    kept = Artifacts(folder)
    with reading(store.engine) as connection:
        details = connection.scalars(select(schema.Score.detail)).all()
    for detail in details:
        assert hashlib.sha256(kept.read(detail)).hexdigest() == detail


def check_books(store: Store, jobs: int) -> None:
    """Exactly one score for each job, no other, and each event on a legal path."""
    with reading(store.engine) as connection:
        pair = (schema.Score.candidate_version_id, schema.Score.benchmark_version_id)
        scores = connection.scalar(select(func.count(schema.Score.id)))
        pairs = connection.execute(select(*pair).distinct()).all()
        runs = connection.execute(select(schema.Run.state)).scalars().all()
        owned = connection.scalar(select(func.count(service.Ownership.id)))
        candidates = connection.scalar(select(func.count(schema.Candidate.id)))
    assert (scores, len(pairs)) == (jobs, jobs)
    assert Counter(runs) == {"done": jobs}
    assert owned == scores
    assert candidates == jobs // len(BENCHMARKS)
    found = store.queue.jobs(limit=10 * jobs)
    assert len({job.score_id for job in found}) == len(found) == jobs
    events = {job.submission: store.queue.events(job.submission, limit=100_000) for job in found}
    for job in found:
        own = [event for event in events[job.submission] if event.job_id == job.id]
        assert transitions.follow(event.kind for event in own) == "done"
        started = [event.attempt for event in own if event.kind == "started"]
        assert started == list(range(1, job.attempt + 1))
        attempts = [event.attempt or 0 for event in own]
        assert attempts == sorted(attempts)
        assert own[-1].kind == "done"
        assert own[-1].attempt == job.attempt
