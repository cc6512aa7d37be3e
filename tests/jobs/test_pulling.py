"""Pull workers over HTTP: fenced as local ones are, whatever is killed."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
import uvicorn
from isocortex.web.app import create_app
from sqlalchemy import update
from tests.jobs import made_up_runs
from tests.jobs.made_up_jobs import FACES, PLACES, account, kinds, outcome, queued, submit
from tests.submissions import made

from isocortex import __version__, jail
from isocortex.errors import AccessError, InputError, LeaseLostError, StoreError
from isocortex.jobs import downloading, pullers, pulling, wire
from isocortex.jobs.pulling import RemoteCounter
from isocortex.store import Store, opening, service
from isocortex.store.queue import Lease
from isocortex.store.transitions import follow
from isocortex.submissions.blobs import Blobs

SERVING = """
import sys, threading, time
import uvicorn
from isocortex.web.app import create_app
from isocortex.store.lapsing import Watch

app = create_app()
watch = Watch(app.state.store.queue, 8)


def look():
    while True:
        watch.look()
        time.sleep(0.5)

threading.Thread(target=look, daemon=True).start()
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
"""
WORKING = """
import sys
from isocortex.jobs import pulling
from tests.jobs import made_up_runs

server, token, run = sys.argv[1:]
score = getattr(made_up_runs, run)
pulling._run_claim = lambda counter, desk, claim: score(None, desk, claim)
with pulling.RemoteCounter(server, token) as counter:
    sys.exit(pulling.pull_alone(counter))
"""


@pytest.fixture
def server(url: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server in a thread, on the same database as `store`."""
    monkeypatch.setenv("ISOCORTEX_WRITE_LIMIT", "1/minute")  # workers have their own
    app = create_app(url)
    started = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="on"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        thread = threading.Thread(target=started.run, args=([listening],))
        thread.start()
        try:
            wait_for(lambda: started.started, "the server's start")
            yield f"http://127.0.0.1:{port}"
        finally:
            started.should_exit = True
            thread.join()


@pytest.fixture
def counter(server: str, store: Store) -> Iterator[RemoteCounter]:
    with RemoteCounter(server, token(store)) as opened:
        opened.enlist()
        yield opened


def token(store: Store, name: str = "operator", scope: str = "work") -> str:
    return store.accounts.make_token(account(store, name), "worker", [scope])[0]


def wait_for(truth: Callable[[], object], what: str, *, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < deadline, f"{what} did not happen in {seconds} seconds"
        time.sleep(0.05)


def test_a_job_is_claimed_and_scored_across_the_network(
    store: Store, counter: RemoteCounter
) -> None:
    key = queued(store, FACES)
    claim = counter.claim(counter.worker)
    assert claim.submission == store.submissions.find(key)
    (lease,) = claim.leases
    assert counter.beat(counter.worker, [lease], progress={lease.job_id: {"stage": "scoring"}}) == {
        lease.job_id
    }
    assert store.queue.job(lease.job_id).progress == {"stage": "scoring"}
    found = outcome(claim)
    score_id = counter.finish(lease, found)
    job = store.queue.job(lease.job_id)
    assert (job.state, job.score_id, job.seconds) == ("done", score_id, 1.5)
    (score,) = store.scores().scores
    assert store.load_detail(score).identical(found.score.detail)
    assert follow(kinds(store, key)) == "done"
    (worker,) = store.queue.workers()
    assert (worker.name, worker.executor) == (f"operator:{counter.worker}", "pull")
    counter.dismiss()
    assert store.queue.workers() == ()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_nothing_to_do_is_none(counter: RemoteCounter) -> None:
    assert counter.claim(counter.worker) is None


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_where_a_score_was_found_is_stored_as_the_worker_says(
    store: Store, counter: RemoteCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(store)
    monkeypatch.setattr(pulling, "environment_facts", lambda: {"python": "elsewhere"})
    claim = counter.claim(counter.worker)
    counter.finish(claim.leases[0], outcome(claim))
    assert store.runs()[0].environment == {"python": "elsewhere"}


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (lambda counter, lease: counter.fail(lease, "no such layer", peak_bytes=5), "failed"),
        (lambda counter, lease: counter.release(lease, "stops"), "queued"),
        (lambda counter, lease: counter.retry(lease, "no memory"), "queued"),
    ],
)
def test_jobs_end_otherwise(store: Store, counter: RemoteCounter, end, state: str) -> None:
    queued(store)
    (lease,) = counter.claim(counter.worker).leases
    counter.log(lease, "log", "a line")
    end(counter, lease)
    job = store.queue.job(lease.job_id)
    assert job.state == state
    assert "a line" in [event.text for event in store.queue.events(job.submission)]
    with pytest.raises(LeaseLostError):
        end(counter, lease)


def test_a_stored_score_ends_a_job(store: Store, counter: RemoteCounter) -> None:
    queued(store, FACES)
    claim = counter.claim(counter.worker)
    found = outcome(claim)
    versions = found.candidate.fingerprint, found.benchmark.fingerprint
    assert counter.stored_score(*versions) is None
    score_id = counter.finish(claim.leases[0], found)
    assert counter.stored_score(*versions) == score_id
    store.queue.rerun(claim.submission.key, force=True)
    (lease,) = counter.claim(counter.worker).leases
    counter.finish_with_stored(lease, score_id)
    assert store.queue.job(lease.job_id).score_id == score_id


def test_who_does_not_hold_a_job_can_do_nothing_to_it(
    store: Store, server: str, counter: RemoteCounter
) -> None:
    """Neither another worker, nor another account under the worker's name, nor a former lease."""
    queued(store)
    claim = counter.claim(counter.worker)
    (lease,) = claim.leases
    found = outcome(claim)
    with (
        RemoteCounter(server, token(store, "other")) as same_name,
        RemoteCounter(server, token(store, "third")) as former,
    ):
        same_name.worker = counter.worker
        for stranger, held in (
            (same_name, lease),
            (former, lease),
            (counter, Lease(lease.job_id, lease.attempt - 1, FACES)),
            (counter, Lease(lease.job_id + 1, lease.attempt, FACES)),
        ):
            assert stranger.beat(stranger.worker, [held]) == frozenset()
            for deed in (
                lambda: stranger.finish(held, found),  # noqa: B023 - called at once
                lambda: stranger.release(held, ""),  # noqa: B023
                lambda: stranger.fail(held, ""),  # noqa: B023
                lambda: stranger.send(stranger.blob_request(held, 0)),  # noqa: B023
            ):
                with pytest.raises(LeaseLostError):
                    deed()
    assert store.queue.job(lease.job_id).state == "running"
    assert counter.finish(lease, found)


def test_a_score_of_another_model_or_benchmark_is_refused(
    store: Store, counter: RemoteCounter
) -> None:
    queued(store, FACES)
    claim = counter.claim(counter.worker)
    other = Lease(claim.leases[0].job_id, 1, PLACES)
    with pytest.raises(InputError, match="but the score is of"):
        counter.finish(claim.leases[0], outcome(claim, other))
    assert store.scores().scores == ()


@pytest.mark.parametrize("scope", ["read", "submit", "admin"])
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_token_without_the_scope_is_refused(store: Store, server: str, scope: str) -> None:
    with RemoteCounter(server, token(store, scope=scope)) as stranger:
        with pytest.raises(AccessError, match="scope work"):
            stranger.enlist()
        with pytest.raises(AccessError):
            stranger.claim(stranger.worker)
        assert stranger.beat(stranger.worker, [Lease(1, 1, FACES)]) == frozenset()
    with RemoteCounter(server, "iso_wrong") as stranger, pytest.raises(AccessError):
        stranger.claim(stranger.worker)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_worker_of_another_version_is_refused(
    server: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "__version__", "0.0")
    with (
        RemoteCounter(server, token(store)) as counter,
        pytest.raises(InputError, match=f"0.0, the server {__version__}: install the same"),
    ):
        counter.enlist()


@pytest.mark.parametrize("body", [b"", b"x" * 100, b"\xff" * 100])
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_body_that_is_no_score_is_refused(
    store: Store, counter: RemoteCounter, body: bytes
) -> None:
    queued(store)
    (lease,) = counter.claim(counter.worker).leases
    with pytest.raises(InputError, match="no score"):
        counter._send("PUT", f"/jobs/{lease.job_id}/score", body)
    assert store.queue.job(lease.job_id).state == "running"


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_body_that_is_too_large_is_refused(
    store: Store, counter: RemoteCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "MOST_BYTES", 1000)
    with pytest.raises((InputError, StoreError), match=r"1,000 bytes at most|reached"):
        counter._send("PUT", "/jobs/1/score", b"x" * 10**6)


def with_blob(store: Store, content: bytes) -> str:
    """The SHA-256 of a file that the submission of the only queued job has now."""
    sha256 = hashlib.sha256(content).hexdigest()
    path = Blobs(store.submissions).path(sha256)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with opening.writing(store.engine) as connection:
        connection.execute(update(service.Submission).values(blob=sha256))
    return sha256


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_download_goes_on_where_it_broke_off(
    store: Store, counter: RemoteCounter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(store)
    content = os.urandom(300_000)
    sha256 = with_blob(store, content)
    (lease,) = counter.claim(counter.worker).leases
    asked: list[int] = []
    request = counter.blob_request

    def noted(held: Lease, first: int) -> httpx2.Request:
        asked.append(first)
        return request(held, first)

    monkeypatch.setattr(counter, "blob_request", noted)
    partial = tmp_path / "worker" / "partial" / f"pull-{sha256}"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(content[:100_000])
    path = downloading.fetch_blob(counter, lease, sha256, folder=tmp_path / "worker")
    assert path.read_bytes() == content
    assert downloading.fetch_blob(counter, lease, sha256, folder=tmp_path / "worker") == path
    assert asked == [100_000]
    assert not partial.exists()


@pytest.mark.parametrize("there", [b"", b"wrong" * 10, b"x" * 400_000])
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_download_that_is_another_file_is_begun_anew(
    store: Store,
    counter: RemoteCounter,
    tmp_path: Path,
    there: bytes,
) -> None:
    queued(store)
    content = os.urandom(300_000)
    sha256 = with_blob(store, content)
    (lease,) = counter.claim(counter.worker).leases
    partial = tmp_path / "worker" / "partial" / f"pull-{sha256}"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(there)
    if there:
        with pytest.raises(StoreError, match="it is fetched again"):
            downloading.fetch_blob(counter, lease, sha256, folder=tmp_path / "worker")
    assert (
        downloading.fetch_blob(counter, lease, sha256, folder=tmp_path / "worker").read_bytes()
        == content
    )


@pytest.mark.parametrize("address", ["http://example.org", "ftp://localhost", "example.org", ""])
def test_a_token_never_goes_unencrypted(address: str) -> None:
    with pytest.raises(InputError, match="https://"):
        RemoteCounter(address, "iso_secret")


def test_a_server_that_is_not_there_is_trouble_that_passes() -> None:
    with (
        RemoteCounter("http://127.0.0.1:9", "iso_secret") as counter,
        pytest.raises(StoreError, match="can't be reached"),
    ):
        counter.claim("host-1")


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_workers_are_kept_until_there_is_nothing_to_do(store: Store, server: str) -> None:
    assert pullers.pull(server, token(store), once=True) == 0
    (worker,) = store.queue.workers(stopped=True)
    assert (worker.executor, worker.stopped_at is None) == ("pull", False)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_token_that_is_wrong_ends_it_all(server: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert pullers.pull(server, "iso_wrong") == AccessError.exit_status
    assert "answered 401" in capfd.readouterr().err


@pytest.mark.skipif(jail.available() is not None, reason="no jail can be had here")
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_file_that_was_uploaded_is_scored_on_another_computer(
    store: Store, server: str, tmp_path: Path
) -> None:
    """The worker has a home of its own, and neither database nor file."""
    path = made.written(tmp_path, made.onnx_twin(), "net.onnx")
    ada = store.accounts.create("ada").id
    Blobs(store.submissions).add(ada, "onnx", path)
    submission, _ = store.submissions.add(ada, made.checked(path, "onnx"))
    store.queue.add(submission.key, ["simulated/IT/cka", "simulated/V1/cka"])
    home = {"ISOCORTEX_HOME": str(tmp_path / "elsewhere"), "ISOCORTEX_DATABASE": ""}
    command = [sys.executable, "-m", "isocortex.jobs.pulling", server, str(os.getpid()), "once"]
    environment = {**os.environ, **home, "ISOCORTEX_TOKEN": token(store)}
    subprocess.run(command, env=environment, check=True, timeout=300)
    jobs = store.queue.jobs()
    assert [(job.state, job.error) for job in jobs] == [("done", None)] * 2
    assert {job.model for job in jobs} == {"ada/net"}
    assert not (tmp_path / "elsewhere" / "isocortex.sqlite3").exists()


def test_workers_are_replaced_at_once_or_later_and_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pullers.time, "monotonic", lambda: 100.0)
    seat = pullers._Seat(since=90.0)
    waits = []
    for status in (75, 76, 1, -9, 1, 75):
        pullers._clear(seat, status, once=False)
        waits.append(seat.free_at - 100)
    assert waits == [0, 0, 1, 2, 4, 0]
    pullers._clear(seat, 0, once=False)
    assert seat.status is None
    pullers._clear(seat, 0, once=True)
    assert seat.status == 0
    pullers._clear(seat, AccessError.exit_status, once=False)
    assert seat.status == AccessError.exit_status  # it would end like that again


def started(program: str, *arguments: object, url: str, log: Path) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "ISOCORTEX_DATABASE": url, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with log.open("ab") as file:
        return subprocess.Popen(command, env=environment, stdout=file, stderr=file)


def test_all_jobs_end_once_though_worker_and_server_are_killed(
    store: Store, url: str, tmp_path: Path
) -> None:
    owner, log = account(store), tmp_path / "log"
    for number in range(8):
        store.queue.add(submit(store, owner, f"net{number}"), (FACES, PLACES))
    secret, wanted = token(store), 8 * 2
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    server = started(SERVING, port, url=url, log=log)
    working = [started(WORKING, address, secret, "score", url=url, log=log) for _ in range(2)]
    try:
        wait_for(lambda: any(made_up_runs.folder().iterdir()), "a first job")
        working[0].kill()
        wait_for(lambda: store.queue.counts().get("done", 0) >= wanted // 3, "a third")
        server.kill()
        server.wait()
        server = started(SERVING, port, url=url, log=log)
        wait_for(lambda: store.queue.counts() == {"done": wanted}, "the end")
    finally:
        for process in (*working, server):
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert len({job.score_id for job in store.queue.jobs()}) == wanted
    for job in store.queue.jobs():
        found = kinds(store, job.submission, job.id)
        assert follow(found) == "done"
        assert found.count("done") == 1


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_cancelled_job_ends_its_worker(store: Store, server: str, url: str, tmp_path) -> None:
    key, secret = queued(store, FACES), token(store)
    worker = started(WORKING, server, secret, "hang_once", url=url, log=tmp_path / "log")
    try:
        wait_for(lambda: any(made_up_runs.folder().iterdir()), "a first job")
        store.queue.cancel(key)
        assert worker.wait(20) == 75
    finally:
        worker.kill()
        worker.wait()
