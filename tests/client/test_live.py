"""The client against a server that runs: what breaks on the way, and the way of one model."""

import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from isocortex.web import delivering
from isocortex.web.app import create_app
from tests.handed_in import BENCHMARK, new_account, onnx_form, served, stored, write_onnx
from tests.made_up_scores import fill_store

import isocortex
from isocortex.client import connecting
from isocortex.client.submission_schemas import Event, Job, UploadRequest
from isocortex.errors import QuotaError, RejectedError, UnknownNameError
from isocortex.fingerprints import file_sha256
from isocortex.store import Store, open_store

GUIDE = Path(__file__).parents[2] / "docs" / "client.md"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "pause_after", lambda *_: 0.02)


@pytest.fixture
def application(empty_home: Path) -> FastAPI:
    made = create_app()
    made.state.streams.every = 0.02
    return made


@pytest.fixture
def store(application: FastAPI) -> Store:
    found: Store = application.state.store
    return found


@pytest.fixture
def token(store: Store) -> str:
    return new_account(store)[1]


@pytest.fixture
def address(application: FastAPI) -> Iterator[str]:
    with served(application) as found:
        yield found


@pytest.fixture
def client(address: str, token: str) -> Iterator[isocortex.Client]:
    with isocortex.Client(address, token=token) as opened:
        yield opened


def big_file(folder: Path, megabytes: int) -> Path:
    path = folder / "big.bin"
    path.write_bytes(b"".join(bytes([n % 256]) * (1 << 20) for n in range(megabytes)))
    return path


def send_part(address: str, token: str, key: str, content: bytes, *, of: int) -> None:
    """Begin to send `of` bytes, and break off after these."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as wire:
        head = (
            f"PATCH /api/v1/uploads/{key} HTTP/1.1\r\nHost: {host}\r\nUpload-Offset: 0\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: {of}\r\n\r\n"
        )
        wire.sendall(head.encode() + content)


def until(condition: Any) -> None:
    """Wait, at most ten seconds, until something is so."""
    ended = threading.Event()
    for _ in range(1000):
        if condition():
            return
        ended.wait(0.01)
    raise AssertionError("it never came to be")


def test_a_broken_upload_goes_on_where_it_broke(
    client: isocortex.Client, address: str, token: str, tmp_path: Path
) -> None:
    path = big_file(tmp_path, 3)
    content = path.read_bytes()
    asked = UploadRequest(kind="plugin", sha256=file_sha256(path), bytes=len(content))
    key = client.begin_upload(asked).key
    send_part(address, token, key, content[: 2 << 20], of=len(content))
    until(lambda: client.get_upload(key).received)
    received, told = client.get_upload(key).received, []
    assert 0 < received <= 2 << 20
    done = client.upload(path, kind="plugin", progress=lambda there, _: told.append(there))
    assert (done.key, done.received) == (key, len(content))
    assert done.finished_at is not None
    assert told[0] == received + (1 << 20)  # what was there was not sent again


def test_an_upload_survives_the_death_of_the_server(tmp_path: Path, empty_home: Path) -> None:
    with open_store() as store:
        _, token = new_account(store)
    path = big_file(tmp_path, 24)
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = str(chosen.getsockname()[1])
    servers = [start_server(port)]

    def kill_once(there: int, _: int) -> None:
        if there > 12 << 20 and len(servers) == 1:
            servers[0].send_signal(signal.SIGKILL)
            servers[0].wait()
            servers.append(start_server(port))

    try:
        with isocortex.Client(f"http://127.0.0.1:{port}", token=token, tries=400) as client:
            done = client.upload(path, kind="plugin", progress=kill_once)
        assert len(servers) == 2
        assert done.finished_at is not None
        assert (empty_home / "blobs" / done.sha256[:2] / done.sha256[2:]).read_bytes() == (
            path.read_bytes()
        )
    finally:
        for server in servers:
            server.kill()
            server.wait()


def start_server(port: str) -> "subprocess.Popen[bytes]":
    code = (
        "import sys, uvicorn\nfrom isocortex.web.app import create_app\n"
        "uvicorn.run(create_app(), host='127.0.0.1', port=int(sys.argv[1]), log_level='error')"
    )
    return subprocess.Popen([sys.executable, "-c", code, port], stderr=subprocess.DEVNULL)


def test_a_form_is_checked_before_its_file_is_sent(
    client: isocortex.Client, store: Store, tmp_path: Path
) -> None:
    path = write_onnx(tmp_path)
    with pytest.raises(RejectedError) as raised:
        client.submit(onnx_form(model="a b"), path)
    assert [fault.partition(":")[0] for fault in raised.value.faults] == ["model"]
    assert store.submissions.usage(store.accounts.find("ada").id).stored_bytes == 0


def test_events_are_told_as_they_happen(client: isocortex.Client, store: Store) -> None:
    key = stored(store, "ada", BENCHMARK).key
    told = client.follow(key)
    first = next(told)
    assert isinstance(first, Event)
    assert first.kind == "queued"
    waiting = next(told)
    assert isinstance(waiting, Job)
    assert waiting.state == "queued"
    claim = store.queue.claim("worker")
    assert claim is not None
    store.queue.beat("worker", claim.leases, progress={waiting.id: {"stage": "loading"}})
    seen = [next(told)]
    while not isinstance(seen[-1], Job) or not seen[-1].progress:
        seen.append(next(told))
    store.queue.fail(claim.leases[0], "it has no such layer")
    rest = [*seen, *told]
    kinds = [one.kind for one in rest if isinstance(one, Event)]
    assert kinds == ["started", "failed"]
    last = [one for one in rest if isinstance(one, Job)][-1]
    assert (last.state, last.error) == ("failed", "it has no such layer")


class Breaking(httpx2.HTTPTransport):
    """Breaks each stream of events off after so many bytes, twice."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after, self.asked = after, []  # type: ignore[var-annotated]

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = super().handle_request(request)
        if request.url.path.endswith("/events") and len(self.asked) < 2:
            response.stream = Cut(response.stream, self.after)
        self.asked.append(request.headers.get("last-event-id"))
        return response


class Cut(httpx2.SyncByteStream):
    def __init__(self, stream: Any, after: int) -> None:
        self.stream, self.after = stream, after

    def __iter__(self) -> Iterator[bytes]:
        left = self.after
        for chunk in self.stream:
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                raise httpx2.ReadError("broken off")

    def close(self) -> None:
        self.stream.close()


def test_a_stream_that_breaks_is_taken_up_again(address: str, token: str, store: Store) -> None:
    key = stored(store, "ada", BENCHMARK, "simulated/IT/cka", "simulated/IT/rsa").key
    store.queue.cancel(key)
    expected = [event.id for event in store.queue.events(key)]
    transport = Breaking(after=500)  # in the middle of an event
    with isocortex.Client(address, token=token, transport=transport) as client:
        told = [one.id for one in client.follow(key) if isinstance(one, Event)]
    assert told == expected
    asked = [int(after) for after in transport.asked]
    assert asked == [0, *sorted({*asked} - {0})]  # each goes on behind what came before
    assert (len(asked), asked[-1] in expected) == (3, True)


def test_streams_are_bounded(client: isocortex.Client, store: Store) -> None:
    key = stored(store, "ada", BENCHMARK).key
    streams = [client.follow(key) for _ in range(10)]
    for stream in streams:
        next(stream)
    client.tries = 1
    with pytest.raises(QuotaError, match="10 streams of yours are open"):
        next(client.follow(key))
    streams[0].close()  # type: ignore[attr-defined]
    client.tries = 100
    assert next(client.follow(key))


def test_listeners_share_one_look(client: isocortex.Client, application: FastAPI) -> None:
    store, streams = application.state.store, application.state.streams
    key, look, looks = stored(store, "ada", BENCHMARK).key, streams.look, []
    streams.look = lambda *asked: looks.append(asked) or look(*asked)
    streams.every = 3600.0
    told = [client.follow(key) for _ in range(3)]
    first = next(told[0])
    until(lambda: looks)
    assert isinstance(first, Event)
    assert len(looks) == 1
    assert streams.open == 1


def test_what_is_not_ones_own_is_not_there(client: isocortex.Client, store: Store) -> None:
    new_account(store, "bob")
    key = stored(store, "bob", BENCHMARK).key
    with pytest.raises(UnknownNameError):
        client.get_submission(key)
    with pytest.raises(UnknownNameError):
        next(client.follow(key))


def test_pages_are_turned_by_themselves(client: isocortex.Client, store: Store) -> None:
    keys = [stored(store, "ada", model=f"m{n}").key for n in range(5)]
    found = [one.key for one in client.each(client.list_submissions, limit=2)]
    assert found == keys[::-1]


def test_waiting_ends_in_time(client: isocortex.Client, store: Store) -> None:
    key = stored(store, "ada", BENCHMARK).key
    with pytest.raises(TimeoutError, match="within 0 seconds"):
        client.wait(key, timeout=0)
    store.queue.cancel(key)
    assert [job.state for job in client.wait(key).jobs] == ["cancelled"]


def test_a_model_goes_from_a_file_to_the_leaderboard(
    client: isocortex.Client, tmp_path: Path
) -> None:
    path = write_onnx(tmp_path)
    made = client.submit(onnx_form(visibility="public"), path)
    assert [job.state for job in made.jobs] == ["queued"]
    command = [sys.executable, "-m", "isocortex.cli", "worker", "--once"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (job,) = client.wait(made.key, timeout=5).jobs
    assert (job.state, job.error) == ("done", None)
    (row,) = client.get_leaderboard(simulated=True).rows
    assert row.candidate == "ada/small"
    again = client.submit(onnx_form(visibility="public"), path)
    assert again.key == made.key


def test_the_guide_runs(
    address: str,
    token: str,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ISOCORTEX_SERVER", address)
    monkeypatch.setenv("ISOCORTEX_TOKEN", token)
    monkeypatch.chdir(tmp_path)
    write_onnx(tmp_path)
    fill_store(store)
    names: dict[str, Any] = {}
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.M | re.S)
    for block in blocks:
        exec(compile(block, "docs/client.md", "exec"), names)
        if "submission" in names and "happened" not in names:  # nobody works here
            store.queue.cancel(names["submission"].key)
    assert (len(blocks), names["submission"].visibility) == (4, "private")
    assert "('simulated/V1/cka', 'cancelled', None)" in capsys.readouterr().out
    signature = delivering.signature("secret", "12", b"{}")
    assert names["is_genuine"]("secret", "12", signature, b"{}")
    assert not names["is_genuine"]("secret", "13", signature, b"{}")
