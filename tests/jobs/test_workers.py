"""Workers as processes: what they do, how they are stopped, and what becomes of their jobs."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.jobs import light_worker
from tests.jobs.made_up_jobs import FACES, PLACES, account, kinds, queued, submit

from isocortex import jail, settings
from isocortex.jobs import supervisor as supervising
from isocortex.jobs.supervisor import Staff, Supervisor, ending, thread_share
from isocortex.store import Store, transitions
from isocortex.store.losing import MOST_TRIES
from isocortex.submissions import blobs
from isocortex.submissions.blobs import Blobs

needs_jails = pytest.mark.skipif(jail.available() is not None, reason="needs a kernel with jails")


@pytest.fixture
def paths(small_store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store whose worker processes find the tests."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    return small_store


@contextmanager
def supervised(store: Store, *, processes: int = 1, once: bool = False) -> Iterator[Supervisor]:
    staff = Staff(processes=processes, command=light_worker.COMMAND, once=once, lease_seconds=4)
    with Supervisor(store, staff) as supervisor:
        yield supervisor


def await_that(truth: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)


def state(store: Store, key: str) -> str:
    (job,) = store.queue.jobs(submission=key)
    return job.state


def test_workers_do_all_that_is_queued_and_stop(paths: Store) -> None:
    keys = [queued(paths, FACES, PLACES, name=name) for name in ("ann", "bob")]
    bad = submit(paths, account(paths, "cleo"), "bad")
    paths.queue.add(bad, [FACES])
    with supervised(paths, once=True) as supervisor:
        supervisor.wait()
    for key in keys:
        assert {job.state for job in paths.queue.jobs(submission=key)} == {"done"}
    (failed,) = paths.queue.jobs(submission=bad)
    assert (failed.state, failed.tries) == ("failed", 0)
    assert "conv9" in str(failed.error)
    assert len(paths.scores().scores) == 4
    assert paths.queue.workers() == ()


def test_a_cancelled_job_is_stopped_within_seconds_and_the_next_one_done(paths: Store) -> None:
    own = account(paths)
    slow, quick = submit(paths, own, "slow"), submit(paths, own, "quick")
    paths.queue.add(slow, [FACES, PLACES])
    paths.queue.add(quick, [FACES])
    with supervised(paths) as supervisor:
        await_that(lambda: "scoring" in str(paths.queue.jobs(submission=slow)[1].progress))
        (process,) = supervisor.processes()
        began = time.monotonic()
        assert len(paths.queue.cancel(slow)) == 2
        await_that(lambda: process not in supervisor.processes())
        assert time.monotonic() - began < 5
        await_that(lambda: state(paths, quick) == "done")
    assert {job.state for job in paths.queue.jobs(submission=slow)} == {"cancelled"}


SECONDS = 10.0
"""More than enough: a beat, the worker's leave and the kernel's signal take some two."""


def spinning_since(store: Store, model: str) -> tuple[str, int]:
    """The key of a submission whose jailed process spins in C by now, and that process."""
    key = submit(store, account(store), model)
    store.queue.add(key, [FACES])
    told = settings.home() / "spinning"
    await_that(told.exists)
    return key, int(told.read_text())


def is_gone(process: int) -> bool:
    """Whether it runs no more; one that nobody has waited for yet holds nothing but its number."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


@needs_jails
def test_a_jailed_process_that_spins_in_c_is_gone_within_seconds_of_its_cancelling(
    paths: Store,
) -> None:
    with supervised(paths) as supervisor:
        key, process = spinning_since(paths, "spinning")
        (worker,) = supervisor.processes()
        await_that(lambda: cpu_ticks(process) > 20)  # it does spin
        assert not is_gone(process)
        (cancelled,) = paths.queue.cancel(key)
        await_that(lambda: is_gone(process), SECONDS)
        await_that(lambda: is_gone(worker), SECONDS)
        assert cancelled.state == state(paths, key) == "cancelled"
    assert paths.scores().scores == ()


@needs_jails
def test_a_jailed_process_that_spins_in_c_is_gone_when_its_time_is_up(paths: Store) -> None:
    with supervised(paths):
        key, process = spinning_since(paths, "brief")
        await_that(lambda: is_gone(process), SECONDS)
        await_that(lambda: state(paths, key) == "failed", SECONDS)
    (job,) = paths.queue.jobs(submission=key)
    assert "waited for longer than 1 seconds" in str(job.error)


def cpu_ticks(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11])


def test_a_job_that_only_waits_is_cancelled_without_stopping_its_neighbour(paths: Store) -> None:
    key = submit(paths, account(paths), "slow")
    scoring, waiting = paths.queue.add(key, [FACES, PLACES])
    with supervised(paths) as supervisor:
        await_that(lambda: "scoring" in str(paths.queue.job(scoring.id).progress))
        processes = supervisor.processes()
        paths.queue.cancel(key, job_ids=[waiting.id])
        attempt, before = 1, paths.queue.workers()[0].beat
        await_that(lambda: paths.queue.workers()[0].beat >= before + 4)
        assert supervisor.processes() == processes
        assert paths.queue.job(scoring.id).attempt == attempt
        paths.queue.cancel(key)


def test_a_model_that_kills_its_workers_is_given_up_and_says_why(paths: Store) -> None:
    own = account(paths)
    killer, quick = submit(paths, own, "killer"), submit(paths, own, "quick")
    (dead,) = paths.queue.add(killer, [FACES])
    paths.queue.add(quick, [FACES])
    with supervised(paths):
        await_that(lambda: paths.queue.job(dead.id).state == "dead")
        await_that(lambda: state(paths, quick) == "done")
    assert "memory runs out" in str(paths.queue.job(dead.id).error)
    path = kinds(paths, killer, dead.id)
    assert path.count("started") == MOST_TRIES
    assert transitions.follow(path) == "dead"


def test_trouble_of_ours_is_tried_again_and_then_given_up(paths: Store) -> None:
    key = submit(paths, account(paths), "broken")
    paths.queue.add(key, [FACES])
    with supervised(paths, once=True) as supervisor:
        supervisor.wait()
    (job,) = paths.queue.jobs(submission=key)
    assert (job.state, job.tries) == ("dead", MOST_TRIES)
    assert job.error == "unexpected ValueError: a fault of ours"


def test_a_full_disk_is_no_fault_of_the_model(paths: Store) -> None:
    key = queued(paths)
    full = paths.artifacts.folder.parent / "full"
    full.touch()
    with supervised(paths):
        await_that(lambda: state(paths, key) == "running")
        full.unlink()
        await_that(lambda: state(paths, key) == "done")
    assert len(paths.scores().scores) == 1


def test_a_worker_that_is_asked_to_stop_puts_its_jobs_back(
    paths: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = submit(paths, account(paths), "slow")
    paths.queue.add(key, [FACES, PLACES])
    environment = {**os.environ, "LIGHT_GRACE": "0.5"}
    process = subprocess.Popen([*light_worker.COMMAND, "--name", "one"], env=environment)
    await_that(lambda: "scoring" in str(paths.queue.jobs()[1].progress))
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    for job in paths.queue.jobs():
        assert (job.state, job.tries) == ("queued", 0)
        assert kinds(paths, key, job.id)[-1] == "released"


def test_workers_stop_when_their_supervisor_is_killed(paths: Store) -> None:
    command = [*light_worker.COMMAND, "--serve", "1"]
    with subprocess.Popen(command) as server:
        await_that(lambda: paths.queue.workers())
        server.kill()
    await_that(lambda: paths.queue.workers() == ())


def test_a_server_without_workers_of_its_own_watches_those_of_others(
    small_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "_LOOK_SECONDS", 0.05)
    key = queued(small_store)
    small_store.queue.enlist("elsewhere", "dask", {})
    small_store.queue.claim("elsewhere")
    with Supervisor(small_store, Staff(processes=0, lease_seconds=0.4)):
        await_that(lambda: state(small_store, key) == "queued")
        await_that(lambda: small_store.queue.workers() == ())
    assert kinds(small_store, key) == ["queued", "started", "lapsed"]


def test_uploads_that_were_given_up_are_removed(
    small_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "STALE_DAYS", 0)
    kept, owner = Blobs(small_store.submissions), account(small_store)
    upload = kept.begin(owner, "onnx", sha256="0" * 64, size=1000)
    kept.append(upload.key, [b"\x08\x0a"], account_id=owner, offset=0)
    partial = kept._partial(upload.key)
    assert partial.exists()
    with Supervisor(small_store, Staff(processes=0)):
        await_that(lambda: not partial.exists())


def test_a_worker_that_crashes_at_once_is_started_later_and_later(
    small_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "_LOOK_SECONDS", 0.01)
    command = [sys.executable, "-c", "raise SystemExit(3)"]
    with Supervisor(small_store, Staff(processes=1, command=command)) as supervisor:
        (seat,) = supervisor._seats
        await_that(lambda: seat.crashes == 2)
        assert seat.free_at - time.monotonic() > 1


@pytest.mark.parametrize(
    ("status", "words"),
    [(-9, "memory runs out"), (-11, "native code"), (-6, "signal 6"), (1, "exit status 1")],
)
def test_the_end_of_a_worker_is_told_in_words(status: int, words: str) -> None:
    assert words in ending(status)


def test_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert thread_share(2) == {"OMP_NUM_THREADS": "4"}
    assert thread_share(16) == {"OMP_NUM_THREADS": "1"}
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert thread_share(2) == {}


def test_supervising_needs_no_torch() -> None:
    program = (
        "import sys, json, isocortex.jobs.supervisor, isocortex.cli.working\n"
        "print(json.dumps([name in sys.modules for name in ('torch', 'onnxruntime')]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert json.loads(done.stdout) == [False, False]
