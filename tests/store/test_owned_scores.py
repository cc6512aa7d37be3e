"""Revision 0003: what was hidden when models were shown as their newest version stays hidden."""

import pytest
from sqlalchemy import text
from tests.made_up_scores import benchmark_facts, candidate_facts, record_score
from tests.owned import hand_in, score_all
from tests.store.test_migrations import migrate

from isocortex.errors import UnknownNameError
from isocortex.store import Store
from isocortex.store.opening import reading, writing

IT = "faces/IT/rsa"


@pytest.fixture
def ann(store: Store) -> int:
    return store.accounts.create("ann", role="admin").id


def sees(store: Store, score_id: int, viewer: int | None = None) -> bool:
    try:
        store.score(score_id, viewer=viewer)
    except UnknownNameError:
        return False
    return True


def score_of(store: Store, key: str) -> int:
    (job,) = store.queue.jobs(submission=key)
    assert job.score_id is not None
    return job.score_id


def shown_as(store: Store, name: str) -> str | None:
    """How revision 0002 showed a model."""
    query = "select visibility from ownership join candidate on candidate.id = candidate_id"
    with reading(store.engine) as connection:
        found: str | None = connection.scalar(text(f"{query} where name = :name"), {"name": name})
        return found


def show_as(store: Store, name: str, visibility: str) -> None:
    """Show a model as revision 0002 did."""
    named = "candidate_id = (select id from candidate where name = :name)"
    with writing(store.engine) as connection:
        bound = {"name": name, "visibility": visibility}
        connection.execute(
            text(f"update ownership set visibility = :visibility where {named}"), bound
        )


@pytest.mark.parametrize(
    ("versions", "before", "seen"),
    [
        (("private", "public"), "public", [False, True]),
        (("public", "private"), "private", [False, False]),
        (("public", "unlisted"), "unlisted", [False, False]),
        (("public", "public"), "public", [True, True]),
    ],
)
def test_the_way_up_shows_nothing_that_was_hidden_or_is_private(
    store: Store, ann: int, versions: tuple[str, str], before: str, seen: list[bool]
) -> None:
    keys = [
        hand_in(store, ann, {IT: 0.4}, visibility=each, version=number)
        for number, each in enumerate(versions)
    ]
    scores = [score_of(store, key) for key in keys]
    migrate(store.engine, "0002")
    show_as(store, "ann/net", before)
    migrate(store.engine, "head")
    assert [sees(store, each) for each in scores] == seen
    assert [sees(store, each, ann) for each in scores] == [True, True]


@pytest.mark.parametrize(("visibility", "seen"), [("private", False), ("public", True)])
def test_replaced_scores_go_with_their_version(
    store: Store, ann: int, visibility: str, seen: bool
) -> None:
    key = hand_in(store, ann, {IT: 0.4}, visibility=visibility)
    hand_in(store, ann, {IT: 0.6}, visibility="private", version=2)
    replaced = score_of(store, key)
    store.queue.rerun(key, force=True)
    score_all(store, {IT: 0.5})
    migrate(store.engine, "0002")
    show_as(store, "ann/net", "public")
    migrate(store.engine, "head")
    for score_id in (replaced, score_of(store, key)):
        assert sees(store, score_id) == seen
        assert sees(store, score_id, ann)


def test_a_replaced_score_of_two_submissions_is_as_visible_as_the_less_visible(
    store: Store, ann: int
) -> None:
    """No row says whose it was."""
    store.submissions.withdraw(hand_in(store, ann, {IT: 0.4}))
    key = hand_in(store, ann, {IT: 0.6})
    replaced = score_of(store, key)
    store.queue.rerun(key, force=True)
    score_all(store, {IT: 0.5})
    migrate(store.engine, "0002")
    show_as(store, "ann/net", "public")
    migrate(store.engine, "head")
    assert [sees(store, each) for each in (replaced, score_of(store, key))] == [False, True]


def test_what_somebody_owned_without_a_submission_stays_theirs_alone(
    store: Store, ann: int
) -> None:
    mine = record_score(store, candidate_facts("ann/old"), benchmark_facts(IT))
    everybodys = record_score(store, candidate_facts("operators"), benchmark_facts(IT))
    migrate(store.engine, "0002")
    with writing(store.engine) as connection:
        insert = "insert into ownership (candidate_id, account_id, visibility) "
        found = "select id, :ann, 'public' from candidate where name = 'ann/old'"
        connection.execute(text(insert + found), {"ann": ann})
    migrate(store.engine, "head")
    assert [sees(store, each) for each in (mine, everybodys)] == [False, True]
    assert sees(store, mine, ann)
    (submission,) = store.submissions.of_account(ann, withdrawn=True)
    assert (submission.model, submission.visibility) == ("ann/old", "private")


@pytest.mark.parametrize(
    ("versions", "shown"),
    [
        (("private", "public"), "private"),
        (("unlisted", "public"), "unlisted"),
        (("public",), "public"),
    ],
)
def test_the_way_down_shows_a_model_as_its_least_visible_version(
    store: Store, ann: int, versions: tuple[str, ...], shown: str
) -> None:
    for number, each in enumerate(versions):
        hand_in(store, ann, {IT: 0.4}, visibility=each, version=number)
    migrate(store.engine, "0002")
    assert shown_as(store, "ann/net") == shown
