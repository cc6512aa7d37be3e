"""Withdrawn submissions: their file goes at once, unless somebody needs it or sends it now."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import count

from isocortex.errors import InputError, RejectedError
from isocortex.store import Store
from isocortex.store.submitted import CheckedSubmission
from isocortex.submissions.blobs import Blobs
from isocortex.submissions.leaving import withdraw
from tests.submissions.test_stored import CHECKED, account

CONTENT = b"\x08\x0a" + bytes(range(200))
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NUMBERS = count()


def upload(blobs: Blobs, owner: int) -> None:
    """Send the whole file, whatever was sent before."""
    begun = blobs.begin(owner, "onnx", sha256=SHA256, size=len(CONTENT))
    if begun.finished_at is None:
        chunks = [CONTENT[begun.received :]]
        blobs.append(begun.key, chunks, account_id=owner, offset=begun.received)
        blobs.finish(begun.key, "onnx", account_id=owner)


def with_file(**changes: object) -> CheckedSubmission:
    """A submission of that file, whose content is no other's."""
    content_hash = hashlib.sha256(str(next(NUMBERS)).encode()).hexdigest()
    return replace(CHECKED, kind="onnx", blob=SHA256, content_hash=content_hash, **changes)


def submitted(store: Store, owner: int) -> str:
    upload(Blobs(store.submissions), owner)
    return store.submissions.add(owner, with_file())[0].key


def test_the_file_goes_with_the_last_submission_that_needs_it(store):
    ada, bob, path = account(store), account(store, "bob"), Blobs(store.submissions).path(SHA256)
    keys = [submitted(store, ada), submitted(store, ada), submitted(store, bob)]
    for key in keys[:-1]:
        assert withdraw(store, key).withdrawn_at is not None
        assert path.read_bytes() == CONTENT
    withdraw(store, keys[-1])
    assert not path.exists()
    assert not store.submissions.may_use(ada, SHA256)
    withdraw(store, keys[-1])  # twice is no error


def test_an_upload_of_the_same_content_that_is_under_way_loses_nothing(store):
    ada, bob, blobs = account(store), account(store, "bob"), Blobs(store.submissions)
    key = submitted(store, ada)
    begun = blobs.begin(bob, "onnx", sha256=SHA256, size=len(CONTENT))
    blobs.append(begun.key, [CONTENT[:50]], account_id=bob, offset=0)
    withdraw(store, key)
    blobs.append(begun.key, [CONTENT[50:]], account_id=bob, offset=50)
    assert blobs.finish(begun.key, "onnx", account_id=bob).read_bytes() == CONTENT
    assert blobs.prune() == 0


def test_a_file_that_a_job_may_read_stays_until_the_job_has_ended(store):
    ada, blobs = account(store), Blobs(store.submissions)
    key = submitted(store, ada)
    store.queue.add(key, ["simulated/IT/rsa"])
    assert store.queue.claim("worker") is not None
    store.submissions.drop_upload(store.submissions.begin_upload(ada, SHA256, len(CONTENT)).key)
    assert not blobs.let_go(SHA256)
    assert blobs.path(SHA256).exists()
    withdraw(store, key)  # which cancels the job
    assert not blobs.path(SHA256).exists()


def test_a_file_that_can_not_be_removed_now_is_left_to_the_daily_tidying(store, monkeypatch):
    ada, blobs = account(store), Blobs(store.submissions)
    key = submitted(store, ada)

    def refused(self: Blobs, sha256: str) -> bool:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Blobs, "let_go", refused)
        assert withdraw(store, key).withdrawn_at is not None
    assert blobs.path(SHA256).exists()
    assert blobs.prune() == 1
    assert not blobs.path(SHA256).exists()


def test_no_live_submission_is_ever_without_its_file(store):
    """One sends and submits the file again and again, while all that is submitted is withdrawn."""
    owners, blobs = [account(store, name) for name in ("ada", "bob")], Blobs(store.submissions)
    path, ended, faults, kept = blobs.path(SHA256), threading.Event(), [], []

    def enter(owner: int) -> None:
        for _ in range(12):
            try:
                key = submitted(store, owner)
            except (InputError, RejectedError):
                continue  # withdrawn a moment ago: told, and to be sent again
            kept.append(key)

    def leave() -> None:
        while not ended.is_set() or kept:
            if kept:
                withdraw(store, kept.pop())
            for owner in owners:
                live = store.submissions.of_account(owner)
                if live and not path.exists() and store.submissions.of_account(owner) == live:
                    faults.append(live)

    entering = [threading.Thread(target=enter, args=(owner,)) for owner in owners]
    run_together(entering, leave, ended)
    assert faults == []
    assert not path.exists()


def run_together(
    threads: list[threading.Thread], leave: Callable[[], None], ended: threading.Event
) -> None:
    leaving = threading.Thread(target=leave)
    for thread in (*threads, leaving):
        thread.start()
    for thread in threads:
        thread.join()
    ended.set()
    leaving.join(60)
    assert not leaving.is_alive()
