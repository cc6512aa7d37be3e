"""Webhooks and remembered answers in the store, on each database."""

from datetime import timedelta

import pytest
from sqlalchemy import update
from tests.handed_in import new_account, stored

from isocortex.errors import MismatchError, QuotaError, UnknownNameError
from isocortex.store import Store, remembered, writing
from isocortex.store.schema import now
from isocortex.store.service import RememberedAnswer
from isocortex.store.webhooks import MOST_FAILURES, MOST_WEBHOOKS

URL = "https://example.org/hook"


@pytest.fixture
def ada(store: Store) -> int:
    new_account(store, "bob")
    return new_account(store, "ada")[0].id


def test_a_webhook_has_news_of_its_owners_submissions_since_it_was_made(
    store: Store, ada: int
) -> None:
    stored(store, "ada", "simulated/V1/cka", model="before")
    made = store.webhooks.add(ada, URL)
    key = stored(store, "ada", "simulated/V1/cka", "simulated/IT/cka").key
    stored(store, "bob", "simulated/V1/cka")
    newest = store.webhooks.newest_event()
    first, second = store.webhooks.news(made, until=newest)
    assert {first.submission, second.submission} == {key}
    assert (first.kind, first.model, first.version) == ("queued", "ada/m", 1)
    assert store.webhooks.news(made, until=first.id) == (first,)
    assert store.webhooks.news(made, until=newest, limit=1) == (first,)
    store.webhooks.delivered(made.key, first.id)
    (again,) = store.webhooks.active()
    assert store.webhooks.news(again, until=newest) == (second,)


def test_webhooks_are_their_owners_alone_and_given_up_in_the_end(store: Store, ada: int) -> None:
    made = store.webhooks.add(ada, URL)
    assert made.secret not in repr(made)
    bob = store.accounts.find("bob").id
    assert store.webhooks.of_account(bob) == ()
    with pytest.raises(UnknownNameError):
        store.webhooks.remove(bob, made.key)
    for _ in range(MOST_FAILURES):
        (failing,) = store.webhooks.active()
        store.webhooks.failed(failing)
    assert store.webhooks.active() == ()
    (left,) = store.webhooks.of_account(ada)
    assert (left.failures, left.disabled_at is None) == (MOST_FAILURES, False)
    store.webhooks.remove(ada, made.key)
    assert store.webhooks.of_account(ada) == ()
    for _ in range(MOST_WEBHOOKS):
        store.webhooks.add(ada, URL)
    with pytest.raises(QuotaError):
        store.webhooks.add(ada, URL)


def test_an_answer_is_remembered_for_its_request(store: Store, ada: int) -> None:
    answers = store.remembered
    assert answers.begin(ada, "one", "a" * 64) is None
    waiting = answers.begin(ada, "one", "a" * 64)
    assert waiting is not None
    assert waiting.status is None
    answers.finish(ada, "one", 201, {"key": "k"})
    known = answers.begin(ada, "one", "a" * 64)
    assert known is not None
    assert (known.status, known.body) == (201, {"key": "k"})
    with pytest.raises(MismatchError, match="take a new key"):
        answers.begin(ada, "one", "b" * 64)
    assert answers.begin(store.accounts.find("bob").id, "one", "b" * 64) is None


def test_what_failed_was_abandoned_or_is_old_is_forgotten(store: Store, ada: int) -> None:
    answers = store.remembered
    answers.begin(ada, "failed", "a" * 64)
    answers.forget(ada, "failed")
    assert answers.begin(ada, "failed", "a" * 64) is None
    answers.finish(ada, "failed", 200, {})
    answers.forget(ada, "failed")  # what was answered stays
    assert answers.begin(ada, "failed", "a" * 64) is not None
    answers.begin(ada, "abandoned", "a" * 64)
    make_older(store, remembered.ABANDONED)
    assert answers.begin(ada, "abandoned", "a" * 64) is None
    assert answers.begin(ada, "abandoned", "a" * 64) is not None
    make_older(store, remembered.KEPT)
    assert answers.begin(ada, "failed", "b" * 64) is None


def make_older(store: Store, by: timedelta) -> None:
    earlier = now() - by - timedelta(seconds=1)
    writing.commit(
        store.engine,
        lambda connection: connection.execute(update(RememberedAnswer).values(created_at=earlier)),
    )
