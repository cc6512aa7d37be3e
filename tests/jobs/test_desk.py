"""The desk and the heart of a worker: what is held, what is lost, and when the process must end."""

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
from sqlalchemy import event
from tests.jobs.made_up_jobs import FACES, PLACES, outcome, queued

from isocortex.errors import StoreError
from isocortex.jobs import desk as desks
from isocortex.jobs import heart as hearts
from isocortex.jobs.desk import Desk
from isocortex.jobs.heart import LEFT, Heart
from isocortex.store import Store, opening
from isocortex.store.queue import Lease, Queue


def seated(store: Store, *benchmarks: str) -> tuple[str, Desk]:
    """The key of a submission, and a desk that holds its jobs."""
    key = queued(store, *benchmarks)
    desk = Desk(store.queue, "one")
    claim = store.queue.claim("one")
    assert claim is not None
    desk.sit_down(claim)
    return key, desk


def await_that(truth: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def test_what_the_desk_does_is_seen_in_the_jobs(small_store: Store) -> None:
    _, desk = seated(small_store, FACES, PLACES)
    faces, places = desk.held()
    assert desk.turn_to([faces], "scoring") == (faces,)
    desk.tell(layer="conv1", done=1, total=5)
    desk.beat()
    progress = small_store.queue.job(faces.job_id).progress
    assert {name: progress[name] for name in ("stage", "layer", "done", "total")} == {
        "stage": "scoring",
        "layer": "conv1",
        "done": 1,
        "total": 5,
    }
    assert progress["resident_bytes"] > 10**6
    assert small_store.queue.job(places.job_id).progress["stage"] == "waiting"


def test_a_lost_job_at_work_ends_the_worker_a_waiting_one_does_not(small_store: Store) -> None:
    key, desk = seated(small_store, FACES, PLACES)
    faces, places = desk.held()
    desk.turn_to([faces], "scoring")
    small_store.queue.cancel(key, job_ids=[places.job_id])
    assert desk.beat()
    assert desk.held() == (faces,)
    small_store.queue.cancel(key, job_ids=[faces.job_id])
    assert not desk.beat()
    assert desk.held() == ()


def test_a_job_that_ends_while_the_heart_beats_is_not_taken_for_lost(
    small_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, desk = seated(small_store)
    (lease,) = desk.held()
    desk.turn_to([lease], "scoring")
    heard: list[bool] = []

    def beating(self: Queue, lease: Lease, score_id: int) -> None:
        self.fail(lease, "ended, and not yet known at the desk")
        heard.append(desk.beat())

    monkeypatch.setattr(Queue, "finish_with_stored", beating)
    desk.keep_stored(lease, 1)
    assert heard == [True]
    assert desk.held() == ()


def test_a_score_for_a_lost_lease_is_dropped(small_store: Store) -> None:
    key, desk = seated(small_store)
    (lease,) = desk.held()
    small_store.queue.cancel(key)
    claim = small_store.queue.claim("two")
    assert claim is None
    desk.fail(lease, "too late")
    assert desk.held() == ()
    assert small_store.queue.job(lease.job_id).state == "cancelled"


def test_a_score_waits_until_the_database_can_be_written(
    small_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process locks; nothing is computed again."""
    queued(small_store)
    desk = Desk(small_store.queue, "one")
    claim = small_store.queue.claim("one")
    assert claim is not None
    desk.sit_down(claim)
    other = sqlite3.connect(str(small_store.engine.url.database), check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0)
    small_store.engine.dispose()
    small_store.queue.engine = opening.open_engine(str(small_store.engine.url))
    event.listen(
        small_store.queue.engine,
        "connect",
        lambda connection, _: connection.execute("PRAGMA busy_timeout=0"),
    )
    waits: list[float] = []

    def unlock(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            other.rollback()

    monkeypatch.setattr(desks, "time", SimpleNamespace(sleep=unlock))
    desk.keep(claim.leases[0], outcome(claim))
    other.close()
    small_store.queue.engine.dispose()
    assert waits == [0.5, 1.0]
    assert small_store.queue.job(1).state == "done"


def test_a_full_database_keeps_nothing_and_says_so(small_store: Store) -> None:
    key = queued(small_store)
    claim = small_store.queue.claim("one")
    assert claim is not None
    small_store.engine.dispose()
    limit = [1]  # fewer than it has stands for no more than it has

    def cap(connection, _record):
        connection.execute(f"PRAGMA max_page_count={limit[0]}")

    event.listen(small_store.engine, "connect", cap)

    def fill() -> None:
        for _ in range(100):
            small_store.queue.log(key, "log", "x" * 2000)

    found = outcome(claim)
    large = replace(found.candidate, card={**found.candidate.card, "summary": "x" * 50_000})
    with pytest.raises(StoreError, match="full"):
        fill()
    with pytest.raises(StoreError, match="full"):
        small_store.queue.finish(claim.leases[0], replace(found, candidate=large))
    limit[0] = 10**6
    small_store.engine.dispose()
    assert small_store.scores().scores == ()
    assert small_store.runs() == ()
    small_store.queue.finish(claim.leases[0], outcome(claim))
    assert len(small_store.scores().scores) == 1


def test_a_beat_that_can_not_be_written_is_left_to_the_next(
    small_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, desk = seated(small_store)

    def locked(*_: object, **__: object) -> None:
        raise StoreError("locked")

    monkeypatch.setattr(Queue, "beat", locked)
    assert desk.beat()
    assert len(desk.held()) == 1


def test_the_heart_leaves_within_a_beat_of_a_cancellation(small_store: Store) -> None:
    key, desk = seated(small_store, FACES, PLACES)
    faces, places = desk.held()
    desk.turn_to([faces], "scoring")
    left: list[int] = []
    with Heart(desk, seconds=0.05, leave=left.append):
        small_store.queue.cancel(key, job_ids=[faces.job_id])
        await_that(lambda: left)
    assert left[0] == LEFT
    assert small_store.queue.job(places.job_id).state == "queued"
    assert small_store.queue.job(places.job_id).tries == 0


def test_a_signal_asks_to_stop_and_what_lasts_too_long_is_put_back(
    small_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearts, "GRACE_SECONDS", 0.2)
    key, desk = seated(small_store)
    left: list[int] = []
    heart = Heart(desk, seconds=0.05, leave=left.append)
    with heart.listening(), heart:
        os.kill(os.getpid(), signal.SIGTERM)
        await_that(desk.stopping.is_set)
        await_that(lambda: left)
    assert left[0] == 0
    (job,) = small_store.queue.jobs(submission=key)
    assert (job.state, job.tries) == ("queued", 0)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_an_orphan_stops(small_store: Store) -> None:
    desk = Desk(small_store.queue, "one")
    with Heart(desk, seconds=0.05, parent=os.getpid()):  # which is not its own parent
        assert desk.stopping.wait(20)
    desk = Desk(small_store.queue, "two")
    with Heart(desk, seconds=0.05, parent=os.getppid()):
        assert not desk.stopping.wait(0.3)


def test_the_heart_ends_with_its_block(small_store: Store) -> None:
    with Heart(Desk(small_store.queue, "one"), seconds=60):
        pass
    assert "heart" not in {thread.name for thread in threading.enumerate()}
