"""Jobs: two workers against one, and what the queue adds to the models' own time.

`python -m benchmarks.jobs NAME` is a worker process on the store of the environment.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import torch
from torch import nn

from isocortex import settings
from isocortex.benchmarks import load_benchmark
from isocortex.candidates import Candidate, Preprocessing, as_candidate
from isocortex.jobs.desk import Desk
from isocortex.jobs.runner import run_claim
from isocortex.jobs.worker import Habits, work
from isocortex.runs import score_all
from isocortex.store import Store, open_store
from isocortex.store.queue import Claim
from isocortex.store.submitted import StoredSubmission

from .crowd import crowd, submit
from .timing import Measurement

BENCHMARK: Final = "simulated/V1/rsa"
JOBS: Final = 24


def small(name: str) -> Candidate:
    """A small network whose random weights depend on its name."""
    torch.manual_seed(int.from_bytes(name.encode()[-4:], "big"))
    network = nn.Sequential(
        *(nn.Conv2d(3, 16, 5, 2), nn.ReLU(), nn.Conv2d(16, 32, 3, 2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(32 * 6 * 6, 64)),
    )
    return as_candidate(network.eval(), Preprocessing(32, 32), name=name, layers=["1", "3", "5"])


@contextmanager
def loaded(submission: StoredSubmission) -> Iterator[Candidate]:
    """The small network of that name."""
    yield small(submission.model)


def workers() -> list[Measurement]:
    """Two worker processes against one on small models, one model a job; wall seconds."""
    one, two = _wall(1), _wall(2)
    return [Measurement(two, one, "one worker", 0.0, "wall s")]


def on_dask() -> list[Measurement]:
    """The same with the workers of a Dask cluster on this computer."""
    one, two = _dask_wall(1), _dask_wall(2)
    return [Measurement(two, one, "one Dask worker", 0.0, "wall s")]


def overhead() -> list[Measurement]:
    """One worker against the same work without a queue; wall milliseconds a job."""
    queued = min(_wall(1) for _ in range(2))
    with tempfile.TemporaryDirectory() as folder, _home(folder):
        score_all_alone("warm")
        start = time.perf_counter()
        for number in range(JOBS):
            score_all_alone(f"ann/net{number}")
        alone = time.perf_counter() - start
    scale = 1000 / JOBS
    added = scale * (queued - alone)
    return [
        Measurement(scale * queued, scale * alone, "without a queue", 0.0, "wall ms a job"),
        Measurement(added, 50.0, "the 50 ms that are allowed", 0.0, "wall ms added"),
    ]


def score_all_alone(name: str) -> None:
    """Score the small network of that name, and keep nothing."""
    for _, found in score_all(small(name), [load_benchmark(BENCHMARK)]):
        if isinstance(found, Exception):
            raise found


def _wall(processes: int) -> float:
    """The seconds that so many warm workers need for all jobs."""
    with _opened() as (store, account):
        commands = [["-m", "benchmarks.jobs", f"worker{number}"] for number in range(processes)]
        with _started(commands):
            _await(lambda: len(store.queue.workers()) == processes)
            return _spent(store, account)


def _dask_wall(processes: int) -> float:
    """The seconds that so many warm Dask workers need for all jobs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, dask = f"tcp://127.0.0.1:{port}", "distributed.cli.dask_"
    commands = [
        ["-m", f"{dask}scheduler", "--host", "127.0.0.1", "--port", f"{port}", "--no-dashboard"],
        [
            *("-m", f"{dask}worker", address, "--nthreads=1", f"--nworkers={processes}"),
            "--no-dashboard",
        ],
        ["-c", _DISPATCH, address],
    ]
    with _opened() as (store, account), _started(commands):
        warm = 4 * processes  # whichever takes them, each worker gets one
        submit(store, account, [f"warm{number}" for number in range(warm)], [BENCHMARK])
        _await(lambda: store.queue.counts() == {"done": warm})
        return _spent(store, account)


_DISPATCH: Final = """
import sys
from benchmarks import jobs
from isocortex import settings
from isocortex.jobs.dask_executor import Cluster, dispatch

dispatch(settings.database_url(), Cluster(address=sys.argv[1]), run=jobs._run)
"""


def _spent(store: Store, account: int) -> float:
    """The seconds that those who are there need for all jobs."""
    done = store.queue.counts().get("done", 0)
    submit(store, account, [f"net{number}" for number in range(JOBS)], [BENCHMARK])
    start = time.perf_counter()
    _await(lambda: store.queue.counts() == {"done": done + JOBS})
    return time.perf_counter() - start


@contextmanager
def _opened() -> Iterator[tuple[Store, int]]:
    """An empty store in a home of its own, and an account in it."""
    with tempfile.TemporaryDirectory() as folder, _home(folder), open_store() as store:
        yield store, store.accounts.create("ann", role="admin").id


@contextmanager
def _started(commands: Sequence[Sequence[str]]) -> Iterator[None]:
    """Processes of Python; at the end they are stopped, the last one first."""
    here = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    started = [
        subprocess.Popen([sys.executable, *command], env=here, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    try:
        yield
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


@contextmanager
def _home(folder: str) -> Iterator[None]:
    former = {name: os.environ.get(name) for name in ("ISOCORTEX_HOME", "OMP_NUM_THREADS")}
    os.environ |= {"ISOCORTEX_HOME": folder, "OMP_NUM_THREADS": "1"}
    yield
    for name, value in former.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


def _await(truth: Callable[[], bool]) -> None:
    while not truth():
        time.sleep(0.02)


def _run(_store: Store, desk: Desk, claim: Claim) -> None:
    run_claim(desk, claim, load=loaded)


CASES: Final[dict[str, Callable[[], list[Measurement]]]] = {
    "jobs-workers": workers,
    "jobs-dask": on_dask,
    "jobs-overhead": overhead,
    "jobs-crowd": crowd,
}


def main() -> None:
    """One worker process, warmed up before it says that it is there."""
    torch.set_num_threads(1)
    score_all_alone("warm")
    habits = Habits(parent=os.getppid())
    sys.exit(work(settings.database_url(), name=sys.argv[1], habits=habits, run=_run))


if __name__ == "__main__":
    main()
