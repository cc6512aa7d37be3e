"""Jobs: two workers against one, and what the queue adds to the models' own time.

`python -m benchmarks.jobs NAME` is a worker process on the store of the environment.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
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
from isocortex.store.submitted import CheckedSubmission, StoredSubmission

from .crowd import crowd
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
    with tempfile.TemporaryDirectory() as folder, _home(folder), open_store() as store:
        account = store.accounts.create("ann", role="admin").id
        names = [f"worker{number}" for number in range(processes)]
        command = [sys.executable, "-m", "benchmarks.jobs"]
        started = [subprocess.Popen([*command, name]) for name in names]
        try:
            _await(lambda: len(store.queue.workers()) == processes)
            _submit(store, account, [f"net{number}" for number in range(JOBS)])
            start = time.perf_counter()
            _await(lambda: store.queue.counts() == {"done": JOBS})
            return time.perf_counter() - start
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait()


_DISPATCH: Final = """
import sys
from benchmarks import jobs
from isocortex import settings
from isocortex.jobs.dask_executor import Cluster, dispatch

dispatch(settings.database_url(), Cluster(address=sys.argv[1]), run=jobs._run)
"""


def _dask_wall(processes: int) -> float:
    """The seconds that so many warm Dask workers need for all jobs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    dask, lone = "distributed.cli.dask_", ["--no-dashboard"]
    commands = [
        ["-m", f"{dask}scheduler", "--host", "127.0.0.1", "--port", address.split(":")[2], *lone],
        ["-m", f"{dask}worker", address, "--nthreads=1", f"--nworkers={processes}", *lone],
        ["-c", _DISPATCH, address],
    ]
    with tempfile.TemporaryDirectory() as folder, _home(folder), open_store() as store:
        account = store.accounts.create("ann", role="admin").id
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        here = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        started = [
            subprocess.Popen([sys.executable, *command], env=here, **quiet) for command in commands
        ]
        try:
            warm = 4 * processes  # whichever takes them, each worker gets one
            _submit(store, account, [f"warm{number}" for number in range(warm)])
            _await(lambda: store.queue.counts() == {"done": warm})
            start = time.perf_counter()
            _submit(store, account, [f"net{number}" for number in range(JOBS)])
            _await(lambda: store.queue.counts() == {"done": warm + JOBS})
            return time.perf_counter() - start
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


def _submit(store: Store, account: int, models: list[str]) -> None:
    for model in models:
        checked = CheckedSubmission(
            model=model,
            kind="hub",
            visibility="public",
            card={},
            source={},
            blob=None,
            content_hash=uuid.uuid4().hex * 2,
            benchmarks=(BENCHMARK,),
        )
        store.queue.add(store.submissions.add(account, checked)[0].key, checked.benchmarks)


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
