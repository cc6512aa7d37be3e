"""Dask carries tickets; whatever is killed, each job ends once."""

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.jobs import made_up_runs
from tests.jobs.made_up_jobs import FACES, PLACES, account, kinds, queued, submit

from isocortex.errors import InputError, MismatchError
from isocortex.jobs import dask_task
from isocortex.jobs.dask_cluster import Cluster, Needs, Slurm, connected, job_script, slurm_options
from isocortex.jobs.dask_executor import Dispatcher
from isocortex.store import Store
from isocortex.store.handing import hand_over, keep_waiting
from isocortex.store.transitions import follow

if TYPE_CHECKING:
    from distributed import Client

pytest.importorskip("distributed", reason="pip install 'isocortex[dask]'")

DISPATCHING = """
import sys
from functools import partial
from isocortex.jobs import dask_executor
from tests.jobs import made_up_runs

url, address, run = sys.argv[1:]
dask_executor.Watch = partial(dask_executor.Watch, seconds=8)
cluster = dask_executor.Cluster(address=address)
dask_executor.dispatch(url, cluster, run=getattr(made_up_runs, run))
"""


class Processes:
    """A scheduler, workers and a dispatcher, each of which can be killed and started again."""

    def __init__(self, url: str, log: Path, environment: Mapping[str, str] | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.url = url
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._log = log.open("ab")
        self._environment = {
            **os.environ,
            "ISOCORTEX_DATABASE": url,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s",
            "DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "False",
            **(environment or {}),
        }

    def start(self, name: str, run: str = "score") -> None:
        commands = {
            "scheduler": [
                *("-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1"),
                *("--port", str(self.port), "--no-dashboard"),
            ],
            "worker": [
                *("-m", "distributed.cli.dask_worker", self.address, "--nthreads", "1"),
                *("--nanny", "--no-dashboard", "--death-timeout", "20"),
            ],
            "dispatcher": ["-c", DISPATCHING, self.url, self.address, run],
        }
        self.running[name] = subprocess.Popen(
            [sys.executable, *commands[name.partition("-")[0]]],
            env=self._environment,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def keep_alive(self) -> None:
        """Start workers again that gave up, as SLURM or systemd would."""
        for name, process in list(self.running.items()):
            if name.startswith("worker") and process.poll() is not None:
                self.start(name)

    def end(self) -> None:
        for process in self.running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._log.close()


@contextmanager
def processes(url: str, log: Path, run: str) -> Iterator[Processes]:
    found = Processes(url, log)
    try:
        for name in ("scheduler", "worker-1", "worker-2"):
            found.start(name)
        found.start("dispatcher", run)
        yield found
    finally:
        found.end()


def wait_for(truth: Callable[[], object], what: str, *, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < deadline, f"{what} did not happen in {seconds} seconds"
        time.sleep(0.1)


def told() -> list[Path]:
    return [path for path in made_up_runs.folder().iterdir() if not path.name.startswith(".")]


def done(store: Store) -> int:
    return store.queue.counts().get("done", 0)


def test_all_jobs_end_once_though_worker_scheduler_and_dispatcher_are_killed(
    store: Store, url: str, tmp_path: Path
) -> None:
    owner, benchmarks = account(store), (FACES, PLACES)
    keys = [submit(store, owner, f"net{number}") for number in range(12)]
    for key in keys:
        store.queue.add(key, benchmarks)
    wanted = len(keys) * len(benchmarks)
    with processes(url, tmp_path / "log", "score") as found:
        wait_for(told, "a first job")
        os.kill(int(told()[0].read_text()), signal.SIGKILL)
        wait_for(lambda: done(store) >= wanted // 4, "a quarter")
        found.kill("scheduler")
        found.start("scheduler")
        wait_for(lambda: found.keep_alive() or done(store) >= wanted // 2, "a half")
        found.kill("dispatcher")
        found.start("dispatcher")
        wait_for(lambda: found.keep_alive() or done(store) == wanted, "the end")
    assert store.queue.counts() == {"done": wanted}
    assert len({job.score_id for job in store.queue.jobs()}) == wanted
    assert {job.tries for job in store.queue.jobs()} <= {0, 1, 2}
    for job in store.queue.jobs():
        found_kinds = kinds(store, job.submission, job.id)
        assert follow(found_kinds) == "done"
        assert found_kinds.count("done") == 1


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_cancelled_job_ends_its_process_and_the_next_one_is_run(
    store: Store, url: str, tmp_path: Path
) -> None:
    key = queued(store, FACES)
    with processes(url, tmp_path / "log", "hang_once"):
        wait_for(told, "a first job")
        process = int(told()[0].read_text())
        start = time.monotonic()
        store.queue.cancel(key)
        wait_for(lambda: not Path(f"/proc/{process}").exists(), "its end")
        assert time.monotonic() - start < 10
        store.queue.rerun(key)
        wait_for(lambda: done(store) == 1, "the second attempt")
    (job,) = store.queue.jobs()
    assert (job.attempt, job.tries) == (2, 0)
    assert follow(kinds(store, key)) == "done"


def test_of_a_lease_there_is_one_taker(store: Store) -> None:
    key = queued(store, FACES, PLACES)
    claim = store.queue.claim("giver")
    ids = {lease.job_id for lease in claim.leases}
    assert hand_over(store.engine, claim.leases, giver="other", taker="a") == frozenset()
    assert hand_over(store.engine, claim.leases[:1], giver="giver", taker="a") == {
        claim.leases[0].job_id
    }
    assert hand_over(store.engine, claim.leases, giver="giver", taker="b") == {
        claim.leases[1].job_id
    }
    assert hand_over(store.engine, claim.leases, giver="giver", taker="c") == frozenset()
    assert {job.worker for job in store.queue.jobs(submission=key)} == {"a", "b"}
    assert store.queue.beat("a", claim.leases) == ids


def test_what_was_cancelled_or_taken_again_is_not_handed_over(store: Store) -> None:
    key = queued(store, FACES, PLACES)
    claim = store.queue.claim("giver")
    store.queue.cancel(key, job_ids=[claim.leases[0].job_id])
    store.queue.release(claim.leases[1], "back")
    again = store.queue.claim("giver")
    assert hand_over(store.engine, claim.leases, giver="giver", taker="a") == frozenset()
    assert hand_over(store.engine, again.leases, giver="giver", taker="a") == {
        again.leases[0].job_id
    }


def test_only_what_waits_is_kept_alive_by_the_giver(store: Store) -> None:
    queued(store, FACES, PLACES)
    store.queue.enlist("giver", "dask", {})
    claim = store.queue.claim("giver")
    hand_over(store.engine, claim.leases[:1], giver="giver", taker="a")
    before = {job.id: job for job in store.queue.jobs()}
    kept = keep_waiting(store.engine, ["giver"], {"giver": claim.leases})
    assert kept == {claim.leases[1].job_id}
    assert store.queue.workers()[0].beat == 1
    assert {job.id: job.attempt for job in store.queue.jobs()} == {
        number: job.attempt for number, job in before.items()
    }
    assert keep_waiting(store.engine, [], {}) == frozenset()


@pytest.fixture
def lone_thread(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(dask_task, "_require_lone_thread", lambda: None)
    monkeypatch.setenv("ISOCORTEX_DATABASE", url)


def test_another_version_or_database_is_refused_before_anything_is_taken(
    store: Store, lone_thread: None
) -> None:
    queued(store)
    claim = store.queue.claim("giver")
    identity = dask_task.database_identity(store)
    ticket = dask_task.Ticket(claim.submission.key, claim.leases, "giver", identity)
    for wrong, message in (
        (replace(ticket, version="0.0"), "install the same version"),
        (replace(ticket, database="another"), "set ISOCORTEX_DATABASE"),
    ):
        with pytest.raises(MismatchError, match=message):
            dask_task.carry(wrong)
    assert store.queue.jobs()[0].worker == "giver"


def test_a_ticket_that_comes_twice_is_gone_the_second_time(store: Store, lone_thread: None) -> None:
    queued(store)
    claim = store.queue.claim("giver")
    hand_over(store.engine, claim.leases, giver="giver", taker="first")
    identity = dask_task.database_identity(store)
    ticket = dask_task.Ticket(claim.submission.key, claim.leases, "giver", identity)
    assert dask_task.carry(ticket) == "gone"
    assert store.queue.jobs()[0].worker == "first"


class Future:
    """What Dask gives back for a ticket: the test says what becomes of it."""

    def __init__(self, ticket: dask_task.Ticket) -> None:
        self.ticket = ticket
        self.status = "pending"
        self.error: Exception | None = None

    def result(self, timeout: float) -> str:
        return "gone"

    def exception(self, timeout: float) -> Exception | None:
        return self.error

    def add_done_callback(self, call: object) -> None:
        pass

    def release(self) -> None:
        pass


class Client:
    """A Dask of so many workers, which takes tickets and does nothing by itself."""

    def __init__(self, workers: int) -> None:
        self.status = "running"
        self.workers = {str(number): {"resources": {}} for number in range(workers)}
        self.futures: list[Future] = []

    def scheduler_info(self, n_workers: int) -> dict[str, object]:
        return {"workers": self.workers}

    def submit(self, function: object, ticket: dask_task.Ticket, **options: object) -> Future:
        assert (function, options["retries"]) == (dask_task.carry, 0)
        self.futures.append(Future(ticket))
        return self.futures[-1]


@pytest.fixture
def dispatcher(small_store: Store) -> Dispatcher:
    return Dispatcher(small_store, Cluster(address="tcp://none"), once=True)


def turn(dispatcher: Dispatcher, client: Client) -> None:
    """One turn of the loop."""
    dispatcher._looked = dispatcher._beat_at = 0.0
    dispatcher._look(client)
    dispatcher._collect()
    dispatcher._launch(client)


def test_as_many_submissions_are_taken_as_workers_are_free(dispatcher: Dispatcher) -> None:
    store, client = dispatcher.store, Client(workers=2)
    owner = account(store)
    for number in range(3):
        store.queue.add(submit(store, owner, f"net{number}"), (FACES,))
    for _ in range(2):
        turn(dispatcher, client)
        assert store.queue.counts() == {"running": 2, "queued": 1}
    assert len(store.queue.workers()) == 2
    client.workers = {}
    turn(dispatcher, client)
    assert store.queue.workers() == ()


def test_it_ends_only_when_nothing_is_queued_even_before_workers_are_there(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = queued(dispatcher.store)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            dispatcher.store.queue.cancel(key)

    monkeypatch.setattr(dispatcher.wake, "wait", wait)
    assert dispatcher.serve(Client(workers=0))
    assert len(waits) == 3


def test_a_ticket_that_a_worker_refuses_goes_back_and_says_why(dispatcher: Dispatcher) -> None:
    store, client = dispatcher.store, Client(workers=1)
    key = queued(store)
    turn(dispatcher, client)
    client.futures[0].status = "error"
    client.futures[0].error = MismatchError("uses another database")
    turn(dispatcher, client)
    (job,) = store.queue.jobs()
    assert (job.state, job.tries) == ("queued", 0)
    assert "a Dask worker refused it: uses another database" in [
        event.text for event in store.queue.events(key)
    ]
    assert len(client.futures) == 1  # it waits before it tries again


def test_jobs_of_a_worker_that_died_are_put_back_at_once(dispatcher: Dispatcher) -> None:
    """Dask runs the ticket a second time, and that one is told that it is gone."""
    store, client = dispatcher.store, Client(workers=1)
    queued(store)
    turn(dispatcher, client)
    ticket = client.futures[0].ticket
    hand_over(store.engine, ticket.leases, giver=ticket.giver, taker=f"{ticket.giver}@host-1")
    client.futures[0].status = "finished"
    turn(dispatcher, client)
    (job,) = store.queue.jobs()
    assert (job.state, job.attempt, job.tries) == ("running", 2, 1)
    assert len(client.futures) == 2


@pytest.mark.parametrize("taken", [False, True])
def test_what_nobody_took_is_put_back_when_the_scheduler_is_gone(
    dispatcher: Dispatcher, taken: bool
) -> None:
    store, client = dispatcher.store, Client(workers=1)
    queued(store)
    turn(dispatcher, client)
    ticket = client.futures[0].ticket
    if taken:
        hand_over(store.engine, ticket.leases, giver=ticket.giver, taker=f"{ticket.giver}@host-1")
    client.status = "connecting"
    assert not dispatcher.serve(client)
    (job,) = store.queue.jobs()
    assert (job.state, job.tries) == ("running" if taken else "queued", 0)
    assert hand_over(store.engine, ticket.leases, giver=ticket.giver, taker="late") == frozenset()


def test_the_script_for_slurm_asks_for_what_was_given() -> None:
    slurm = Slurm(
        workers=4,
        memory="16GB",
        cores=4,
        gpus=1,
        queue="gpu",
        account="lab",
        walltime="1-00:30:00",
        directives=("--constraint=a100",),
        prologue=("module load cuda", "export ISOCORTEX_DATABASE=postgresql://db/scores"),
    )
    lines = job_script(slurm).splitlines()
    for line in (
        *("#SBATCH -J isocortex", "#SBATCH -p gpu", "#SBATCH -A lab", "#SBATCH --mem=15G"),
        *("#SBATCH --cpus-per-task=4", "#SBATCH -t 1-00:30:00", "#SBATCH --gres=gpu:1"),
        *("#SBATCH --constraint=a100", "module load cuda"),
        "export ISOCORTEX_DATABASE=postgresql://db/scores",
        "export OMP_NUM_THREADS=4",
    ):
        assert line in lines
    assert sys.executable in lines[-1]
    for option in ("--nthreads 1 ", "--nanny ", "--resources GPU=1 ", "--lifetime "):
        assert option in lines[-1]
    assert re.search(rf"--lifetime {24 * 3600 + 30 * 60 - 180}s", lines[-1])


def page_faults() -> int:
    """How often the system gave this process a page while a hundred arrays came and went."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        np.ones(2**17)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.fixture
def client(tmp_path: Path) -> Iterator["Client"]:
    """A client of a worker that is started as the script for SLURM starts it, with three cores."""
    lines = job_script(Slurm(workers=1, memory="1GB", cores=3)).splitlines()
    exports = [line.removeprefix("export ") for line in lines if line.startswith("export ")]
    found = Processes("", tmp_path / "log", dict(line.split("=", 1) for line in exports))
    try:
        found.start("scheduler")
        found.start("worker")
        with connected(Cluster(address=found.address)) as connection:
            yield connection
    finally:
        found.end()


def test_a_worker_of_slurm_computes_with_the_cores_of_its_job(client: "Client") -> None:
    assert client.submit(os.getenv, "OMP_NUM_THREADS").result(timeout=60) == "3"


def test_a_worker_keeps_the_memory_that_arrays_gave_back(client: "Client") -> None:
    anew = client.submit(page_faults, pure=False).result(timeout=60)
    client.submit(dask_task._keep_freed_memory).result(timeout=60)
    kept = client.submit(page_faults, pure=False).result(timeout=60)
    assert kept < anew / 10


@pytest.mark.parametrize("walltime", ["soon", "00:05:00", "4h", "1-2:00"])
def test_a_wall_time_that_is_none_is_refused(walltime: str) -> None:
    with pytest.raises(InputError, match="give at least 00:06:00"):
        slurm_options(Slurm(workers=1, memory="1GB", walltime=walltime))


def test_workers_without_the_resources_are_not_counted() -> None:
    needs = Needs(gpus=1, memory=8 * 10**9)
    assert needs.are_met({"GPU": 2.0, "MEMORY": 8e9})
    assert not needs.are_met({"GPU": 1.0})
    assert Needs().are_met({})


def test_a_cluster_must_be_named() -> None:
    with pytest.raises(InputError, match="--address"), connected(Cluster()):
        pass
