"""A crowd of simulated workers on the queue, without models: claims, beats and ends per second.

`python -m benchmarks.crowd URL WORKERS SECONDS` is one process of the crowd. Each of its workers
takes a job, beats for it once and ends it at its next turn, so all workers hold jobs at any time.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from isocortex.errors import StoreError
from isocortex.store import Store, open_store
from isocortex.store.lapsing import Watch
from isocortex.store.queue import Lease
from isocortex.store.submitted import CheckedSubmission

from .timing import Measurement

WORKERS, PROCESSES, THREADS, SECONDS = 1_000, 4, 8, 10.0
ACCOUNTS = {f"account{number}": 4 ** (number % 4) for number in range(12)}
"""Twelve accounts and how many submissions each has waiting, of `JOBS` jobs each."""

JOBS = 40


def crowd() -> list[Measurement]:
    """1,000 workers on SQLite and on PostgreSQL: milliseconds of each step, and who was served."""
    from tests.store.conftest import postgres_server

    with tempfile.TemporaryDirectory() as folder:
        light = _crowded(f"sqlite:///{folder}/crowd.sqlite3")
    with postgres_server() as server:
        heavy = _crowded(f"postgresql://postgres@/postgres?host={server}")
    return [
        Measurement(1000 / light[name], 1000 / heavy[name], f"PostgreSQL: {name}", 0.0, "ms each")
        for name in ("claims", "beats", "ends")
    ]


def _crowded(url: str) -> dict[str, float]:
    """How many of each step there were in a second; the rest is told on standard error."""
    with open_store(url) as store:
        regions = [f"faces/V{region}/rsa" for region in range(JOBS)]
        for name, count in ACCOUNTS.items():
            account = store.accounts.create(name, role="admin").id
            submit(store, account, [f"net{number}" for number in range(count)], regions)
        command = [sys.executable, "-m", "benchmarks.crowd", url]
        command += [str(WORKERS // PROCESSES), str(SECONDS)]
        parts = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(PROCESSES)]
        found = [json.loads(part.communicate()[0]) for part in parts]
        spent: dict[str, list[float]] = defaultdict(list)
        served: Counter[str] = Counter()
        for each in found:
            served.update(each["served"])
            for name, seconds in each["spent"].items():
                spent[name] += seconds
        facts = {name: _told(seconds) for name, seconds in spent.items()}
        watched = _timed(Watch(store.queue).look)
    print(url.partition(":")[0], json.dumps({"steps": facts, "served": served}), file=sys.stderr)
    print(f"  a look of the watch takes {1000 * watched:.1f} ms", file=sys.stderr)
    return {name: facts[name]["each second"] for name in ("claims", "beats", "ends")}


def _told(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    places = {"median": 0.5, "p95": 0.95, "p99": 0.99}
    waits = {
        name: 1000 * ordered[int(place * (len(ordered) - 1))] for name, place in places.items()
    }
    return {"each second": len(ordered) / SECONDS} | {
        f"{name} ms": round(wait, 1) for name, wait in waits.items()
    }


def submit(store: Store, account_id: int, models: Sequence[str], benchmarks: Sequence[str]) -> None:
    """Hand in made-up models, and queue each of them on these benchmarks."""
    for model in models:
        checked = CheckedSubmission(
            model=model,
            kind="hub",
            visibility="public",
            card={},
            source={},
            blob=None,
            content_hash=uuid.uuid4().hex * 2,
            benchmarks=tuple(benchmarks),
        )
        key = store.submissions.add(account_id, checked)[0].key
        store.queue.add(key, benchmarks)


def _timed(work: object) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Part:
    """One process of the crowd: its workers in turn, by a few threads."""

    def __init__(self, store: Store, workers: int) -> None:
        self.store = store
        self.names = [f"{os.getpid()}-{number}" for number in range(workers)]
        self.held: dict[str, tuple[Lease, ...]] = {}
        self.spent: dict[str, list[float]] = defaultdict(list)
        self.served: Counter[str] = Counter()
        self.lock = threading.Lock()

    def turns(self, own: Sequence[str], until: float) -> None:
        """Let these workers take their turns until then."""
        while time.monotonic() < until:
            for name in own:
                if time.monotonic() < until:
                    self.turn(name)

    def turn(self, name: str) -> None:
        """Beat for what the worker holds, end it, and take what is next."""
        queue, leases = self.store.queue, self.held.get(name, ())
        with self.timed("beats"):
            queue.beat(name, leases)
        for lease in leases:
            with self.timed("ends"):
                queue.fail(lease, "tried")
        claim = None
        with self.timed("claims"):
            claim = queue.claim(name, most=1)
        self.held[name] = () if claim is None else claim.leases
        if claim is not None:
            with self.lock:
                self.served[claim.submission.account] += 1

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Note how long the block takes, unless the database refuses."""
        start = time.perf_counter()
        try:
            yield
        except StoreError:
            name = f"{name} refused"
        with self.lock:
            self.spent[name].append(time.perf_counter() - start)


def main() -> None:
    """One process of the crowd; what it did is printed as JSON."""
    url, workers, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    with open_store(url) as store, ThreadPoolExecutor(THREADS) as threads:
        part, until = Part(store, workers), time.monotonic() + seconds
        shares = [part.names[first::THREADS] for first in range(THREADS)]
        for done in [threads.submit(part.turns, share, until) for share in shares]:
            done.result()
    print(json.dumps({"served": part.served, "spent": part.spent}))


if __name__ == "__main__":
    main()
