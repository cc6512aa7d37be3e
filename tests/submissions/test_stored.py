"""Submissions in the store: versions, duplicates, visibility, withdrawal and quotas."""

from dataclasses import replace

import pytest
from sqlalchemy import insert

from isocortex.errors import InputError, QuotaError, RejectedError, UnknownNameError
from isocortex.store import Store, service, submitting
from isocortex.store.opening import writing
from isocortex.store.submitted import CheckedSubmission, Usage
from tests.owned import hand_in

IT = "faces/IT/rsa"
CHECKED = CheckedSubmission(
    model="net",
    kind="hub",
    visibility="private",
    card={"summary": "a network"},
    source={"layers": ["a"]},
    blob=None,
    content_hash="1" * 64,
    benchmarks=("simulated/IT/rsa",),
)


def account(store: Store, name: str = "ada", role: str = "user") -> int:
    with writing(store.engine) as connection:
        made = connection.execute(insert(service.Account).values(name=name, role=role))
        return int(made.inserted_primary_key[0])


def other(number: int, **changes) -> CheckedSubmission:
    return replace(CHECKED, content_hash=f"{number}" * 64, **changes)


def test_the_same_content_is_the_same_submission_whatever_it_is_called(store):
    ada = account(store)
    first, new = store.submissions.add(ada, CHECKED)
    again, is_new = store.submissions.add(ada, replace(CHECKED, model="another-name"))
    assert (new, is_new) == (True, False)
    assert again == first
    assert (first.model, first.version, first.account) == ("ada/net", 1, "ada")


def test_other_content_under_the_same_name_is_the_next_version(store):
    ada = account(store)
    versions = [store.submissions.add(ada, other(number))[0].version for number in (1, 2, 3)]
    assert versions == [1, 2, 3]
    assert store.submissions.add(ada, other(4, model="else"))[0].version == 1
    assert [each.version for each in store.submissions.of_model("ada/net")] == [3, 2, 1]


def test_accounts_do_not_share_names_versions_or_content(store):
    mine, _ = store.submissions.add(account(store), CHECKED)
    theirs, is_new = store.submissions.add(account(store, "bob"), CHECKED)
    assert is_new
    assert (theirs.model, theirs.version) == ("bob/net", 1)
    assert mine.key != theirs.key


def test_pages_of_submissions_miss_none(store):
    ada = account(store)
    keys = [store.submissions.add(ada, other(number))[0].key for number in range(1, 6)]
    first = store.submissions.of_account(ada, limit=2)
    rest = store.submissions.of_account(ada, before=first[-1].key)
    assert [each.key for each in (*first, *rest)] == keys[::-1]


def test_a_withdrawn_submission_makes_room_for_its_content_but_not_for_its_version(store):
    ada = account(store)
    first, _ = store.submissions.add(ada, CHECKED)
    assert store.submissions.withdraw(first.key).withdrawn_at is not None
    again, is_new = store.submissions.add(ada, CHECKED)
    assert (is_new, again.version) == (True, 2)
    assert [each.key for each in store.submissions.of_account(ada)] == [again.key]
    assert len(store.submissions.of_account(ada, withdrawn=True)) == 2
    with pytest.raises(InputError, match="was withdrawn"):
        store.submissions.publish(first.key, "public")


def test_withdrawing_cancels_jobs_so_that_no_attempt_can_end_them(store):
    ada = account(store)
    found, _ = store.submissions.add(ada, CHECKED)
    (job,) = store.queue.add(found.key, CHECKED.benchmarks)
    claim = store.queue.claim("worker")
    store.submissions.withdraw(found.key)
    assert store.queue.job(job.id).state == "cancelled"
    assert store.queue.beat("worker", claim.leases) == frozenset()
    assert [event.kind for event in store.queue.events(found.key)][-1] == "cancelled"


def test_publishing_and_withdrawing_change_what_is_shown_and_the_data_version(store):
    ada = account(store)
    key = hand_in(store, ada, {IT: 0.4}, visibility="private")
    (score,) = store.scores(viewer=ada).scores
    before = store.data_version()
    assert store.submissions.publish(key, "unlisted").visibility == "unlisted"
    assert store.data_version() != before
    assert (store.scores().scores, store.model("ada/net").scores) == ((), (score,))
    store.submissions.publish(key, "public")
    assert store.scores().scores == (score,)
    store.submissions.withdraw(key)
    assert store.scores(viewer=ada).scores == ()
    with pytest.raises(UnknownNameError):
        store.score(score.id)
    assert store.score(score.id, viewer=ada)[0].is_current is False


def test_a_file_must_be_the_account_s_own(store):
    ada, bob = account(store), account(store, "bob")
    blob = "f" * 64
    upload = store.submissions.begin_upload(ada, blob, 10)
    store.submissions.received(upload.key, before=0, after=10)
    store.submissions.finish_upload(upload.key)
    with_file = replace(CHECKED, kind="onnx", blob=blob)
    with pytest.raises(RejectedError, match="you uploaded no file"):
        store.submissions.add(bob, with_file)
    found, _ = store.submissions.add(ada, with_file)
    assert store.submissions.forget_unused_blobs() == ()
    store.submissions.withdraw(found.key)
    assert store.submissions.usage(ada).stored_bytes == 0
    assert store.submissions.forget_unused_blobs() == (blob,)


def test_a_file_that_another_submission_needs_is_not_let_go(store):
    ada = account(store)
    blob = "f" * 64
    upload = store.submissions.begin_upload(ada, blob, 10)
    store.submissions.finish_upload(upload.key)
    first, _ = store.submissions.add(ada, other(1, kind="onnx", blob=blob))
    store.submissions.add(ada, other(2, kind="onnx", blob=blob))
    store.submissions.withdraw(first.key)
    assert store.submissions.may_use(ada, blob)


def test_quotas_hold_for_all_but_admins(store):
    ada, root = account(store), account(store, "root", role="admin")
    store.submissions.quotas = Usage(open_submissions=1, queued_jobs=2)
    for someone in (ada, root):
        found, _ = store.submissions.add(someone, CHECKED)
        store.queue.add(found.key, CHECKED.benchmarks)
    with pytest.raises(QuotaError, match="submissions with unfinished jobs"):
        store.submissions.add(ada, other(2))
    with pytest.raises(QuotaError, match="jobs in the queue"):
        store.submissions.add(ada, other(2, benchmarks=("a/b/c", "d/e/f")))
    assert store.submissions.add(ada, CHECKED)[1] is False  # the same again costs nothing
    assert store.submissions.add(root, other(2))[1] is True


def test_received_bytes_are_counted_once(store):
    upload = store.submissions.begin_upload(account(store), "a" * 64, 100)
    store.submissions.received(upload.key, before=0, after=60)
    with pytest.raises(InputError, match="60 bytes of the upload are here"):
        store.submissions.received(upload.key, before=0, after=40)


def test_a_key_that_is_not_there_is_unknown(store):
    for call in (store.submissions.find, store.submissions.withdraw, store.submissions.upload):
        with pytest.raises(UnknownNameError):
            call("0" * 26)


def test_an_older_version_is_published_by_itself(store):
    ada = account(store)
    for number in (1, 2):
        hand_in(store, ada, {IT: number / 10}, visibility="private", version=number)
    newest, first = store.submissions.of_model("ada/net")
    store.submissions.publish(first.key, "public")
    assert [score.raw for score in store.scores().scores] == [0.1]
    assert [score.raw for score in store.scores(viewer=ada).scores] == [0.2]
    assert store.submissions.find(newest.key).visibility == "private"


def test_publishing_what_is_withdrawn_that_moment_shows_nothing(store, monkeypatch):
    ada = account(store)
    key = hand_in(store, ada, {IT: 0.4}, visibility="private")
    found = store.submissions.find(key)
    store.submissions.withdraw(key)
    monkeypatch.setattr(submitting, "found_submission", lambda *_: found)  # as it was before
    store.submissions.publish(key, "public")
    monkeypatch.undo()
    assert store.submissions.find(key).visibility == "private"
    assert store.scores().scores == ()
