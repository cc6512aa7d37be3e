"""What must hold while a disk is full to its last byte: `test_full_disk.py` runs these as root.

They mount small disks, so they are run in a mount namespace of their own, and nowhere else.
"""

import hashlib
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from tests.handed_in import new_account
from tests.jobs import light_worker, small_disks
from tests.jobs.made_up_jobs import FACES, PLACES, queued
from tests.jobs.soaking import check_arrays, check_books
from tests.jobs.test_workers import await_that, supervised

from isocortex import settings
from isocortex.jobs.supervisor import Supervisor
from isocortex.store import Store, artifacts, open_store
from isocortex.submissions import blobs

API = "/api/v1"


@dataclass
class SmallDisk:
    """A small disk at `folder`, in the namespace in which these cases are run."""

    folder: Path

    def __post_init__(self) -> None:
        small_disks.mount(self.folder)

    def fill(self) -> None:
        """Leave no byte of room."""
        small_disks.fill(self.folder)

    def make_room(self) -> None:
        """Remove what fills it."""
        small_disks.make_room(self.folder)


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes that find the tests."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


@pytest.fixture
def disk(empty_home: Path) -> SmallDisk:
    """The home folder, with everything, on a small disk."""
    return SmallDisk(empty_home)


def six_jobs(store: Store) -> None:
    for name in ("ann", "bob", "cleo"):
        queued(store, FACES, PLACES, name=name)


def computing(store: Store) -> bool:
    return any("scoring" in str(job.progress) for job in store.queue.jobs(states=["running"]))


def kill_one(supervisor: Supervisor) -> None:
    """Kill -9 one of the workers, and wait until another has its place."""
    process = supervisor.processes()[0]
    os.kill(process, signal.SIGKILL)
    await_that(lambda: process not in supervisor.processes())


def require_nothing_half(store: Store) -> None:
    """The database is sound, and each file of arrays bears the name of its content."""
    with sqlite3.connect(f"file:{store.engine.url.database}?mode=ro", uri=True) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    for path in store.artifacts.folder.glob("*/[!.]*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem


class Told:
    """What workers have written to standard error so far."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self.capfd, self.text = capfd, ""

    def has(self, *words: str) -> bool:
        self.text += self.capfd.readouterr().err
        return all(word in self.text for word in words)


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str]) -> Told:
    return Told(capfd)


@pytest.mark.usefixtures("paths")
def test_what_is_computed_on_a_full_disk_is_kept_when_there_is_room(
    disk: SmallDisk, told: Told
) -> None:
    with open_store() as store:
        six_jobs(store)
        with supervised(store, processes=2) as supervisor:
            await_that(lambda: computing(store))
            disk.fill()
            await_that(lambda: told.has("once more in"))
            kill_one(supervisor)
            require_nothing_half(store)
            assert not store.queue.counts().keys() & {"failed", "dead"}
            disk.make_room()
            await_that(lambda: store.queue.counts() == {"done": 6})
        require_nothing_half(store)
        check_books(store, 6)
        check_arrays(store, store.artifacts.folder)


@pytest.mark.usefixtures("paths")
def test_arrays_that_find_no_room_are_written_later_though_the_database_can_be(
    empty_home: Path, told: Told
) -> None:
    disk = SmallDisk(empty_home / "artifacts")
    with open_store() as store:
        six_jobs(store)
        with supervised(store, processes=2) as supervisor:
            await_that(lambda: computing(store))
            disk.fill()
            await_that(lambda: told.has("arrays of the score can't be written", "once more in"))
            await_that(lambda: not list(disk.folder.rglob(".writing-*")))
            kill_one(supervisor)
            await_that(lambda: told.has("no job is begun with less"))
            held = {job.id for job in store.queue.jobs(states=["running"])}
            beats = sum(worker.beat for worker in store.queue.workers())
            await_that(lambda: sum(worker.beat for worker in store.queue.workers()) > beats + 4)
            assert {job.id for job in store.queue.jobs(states=["running"])} <= held
            disk.make_room()
            await_that(lambda: store.queue.counts() == {"done": 6})
        check_books(store, 6)
        check_arrays(store, disk.folder)


@pytest.mark.usefixtures("paths")
def test_rows_that_find_no_room_are_written_later_though_the_arrays_were(
    empty_home: Path, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    disk = SmallDisk(empty_home / "database")
    monkeypatch.setenv("ISOCORTEX_DATABASE", f"sqlite:///{disk.folder / 'scores.sqlite3'}")
    with open_store() as store:
        six_jobs(store)
        with supervised(store):
            await_that(lambda: computing(store))
            fill_database(disk, store)
            await_that(lambda: told.has("its disk is full", "once more in"))
            require_nothing_half(store)
            with open_store() as other:
                assert other.scores().scores == store.scores().scores
            disk.make_room()
            await_that(lambda: store.queue.counts() == {"done": 6})
        require_nothing_half(store)
        check_books(store, 6)
        check_arrays(store, store.artifacts.folder)


def fill_database(disk: SmallDisk, store: Store) -> None:
    """Fill the disk, and the room within the log that could be written over."""
    disk.fill()
    connection = sqlite3.connect(str(store.engine.url.database), timeout=30)
    with suppress(sqlite3.OperationalError):  # it is full already
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    disk.fill()


@pytest.fixture
def small_spares(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is kept free than a small disk has."""
    monkeypatch.setattr(blobs, "SPARE_BYTES", 2**20)
    monkeypatch.setattr(artifacts, "SPARE_BYTES", light_worker.SPARE_BYTES)


@pytest.fixture
def ada(disk: SmallDisk, small_spares: None) -> Iterator[TestClient]:
    """Somebody with a token, at a server whose home is the small disk."""
    from isocortex.web.app import create_app  # which takes a while

    made = create_app()
    with TestClient(made, raise_server_exceptions=False) as client:
        _, token = new_account(made.state.store, "ada")
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def test_an_upload_at_a_full_disk_is_refused_and_goes_on_later(
    ada: TestClient, disk: SmallDisk
) -> None:
    content = b"\x08\x0a" + os.urandom(3 * 2**20)
    sha256, half = hashlib.sha256(content).hexdigest(), 2**20
    asked = {"kind": "onnx", "sha256": sha256, "bytes": len(content)}
    key = ada.post(f"{API}/uploads", json=asked).json()["key"]
    assert send(ada, key, content[:half], 0).json()["received"] == half
    disk.fill()
    os.truncate(disk.folder / "filler", (disk.folder / "filler").stat().st_size - half // 2)
    refused = send(ada, key, content[half:], half)
    assert refused.status_code == 503
    assert "disk is full" in refused.json()["detail"]  # after half a megabyte that had room
    again = ada.post(f"{API}/uploads", json=asked | {"sha256": "0" * 64})
    assert again.status_code == 503
    assert "no room" in again.json()["detail"]
    partial = settings.home() / "blobs" / "partial" / key
    assert partial.read_bytes() == content[:half]
    disk.make_room()
    assert ada.get(f"{API}/uploads/{key}").json()["received"] == half
    assert send(ada, key, content[half:], half).json()["finished_at"] is not None
    kept = settings.home() / "blobs" / sha256[:2] / sha256[2:]
    assert kept.read_bytes() == content


def send(client: TestClient, key: str, content: bytes, offset: int):
    headers = {"Upload-Offset": str(offset)}
    return client.patch(f"{API}/uploads/{key}", content=content, headers=headers)
