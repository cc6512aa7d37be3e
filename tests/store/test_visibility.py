"""A private candidate is nowhere to be seen but by its owner; an unlisted one only by its name."""

import pytest
from tests.made_up_scores import benchmark_facts, candidate_facts, record_score
from tests.owned import own

from isocortex.errors import UnknownNameError
from isocortex.store import Store

IT, V1 = benchmark_facts("faces/IT/rsa"), benchmark_facts("faces/V1/rsa")
NEWER = benchmark_facts("faces/IT/rsa", version=2)


@pytest.fixture
def accounts(store: Store) -> tuple[int, int]:
    """The ids of two accounts."""
    made = [store.accounts.create(name) for name in ("ann", "bob")]
    return made[0].id, made[1].id


@pytest.fixture
def ann_and_bob(store: Store, accounts: tuple[int, int]) -> tuple[int, int]:
    """One public candidate; a private and an unlisted one of Ann's, and one public of Bob's."""
    ann, bob = accounts
    for name, raw in {
        "everyones": 0.4,
        "ann/secret": 0.7,
        "ann/quiet": 0.6,
        "bob/open": 0.1,
    }.items():
        record_score(store, candidate_facts(name), IT, raw)
    record_score(store, candidate_facts("ann/secret"), V1, 0.7)
    record_score(store, candidate_facts("ann/secret"), NEWER, 0.7)
    own(store, "ann/secret", ann, "private")
    own(store, "ann/quiet", ann, "unlisted")
    own(store, "bob/open", bob, "public")
    return ann, bob


def test_lists_hold_what_is_public(store: Store, ann_and_bob: tuple[int, int]) -> None:
    for viewer in (None, ann_and_bob[1]):
        board = store.leaderboard(viewer=viewer)
        assert [row.candidate for row in board.rows] == ["everyones", "bob/open"]
        assert [one.name for one in store.models(viewer=viewer)] == ["bob/open", "everyones"]
        page = store.scores(viewer=viewer)
        assert {score.candidate for score in page.scores} == {"everyones", "bob/open"}
        assert {run.candidate for run in store.runs(viewer=viewer)} == {"everyones", "bob/open"}


def test_what_only_private_candidates_did_is_not_counted(
    store: Store, ann_and_bob: tuple[int, int]
) -> None:
    """Nor does a private score on a newer version of a benchmark empty everyone's leaderboard."""
    (benchmark,) = store.benchmarks()
    assert (benchmark.name, benchmark.candidates) == ("faces/IT/rsa", 2)
    assert benchmark.fingerprint == IT.fingerprint
    with pytest.raises(UnknownNameError) as raised:
        store.benchmark("faces/V1/rsa")
    assert "V1" not in str(raised.value).partition(";")[2]


def test_the_owner_sees_her_own(store: Store, ann_and_bob: tuple[int, int]) -> None:
    ann, _ = ann_and_bob
    assert {one.name for one in store.models(viewer=ann)} == {
        *("everyones", "ann/secret", "ann/quiet", "bob/open"),
    }
    assert [one.name for one in store.benchmarks(viewer=ann)] == ["faces/IT/rsa", "faces/V1/rsa"]
    assert store.benchmark("faces/IT/rsa", viewer=ann).fingerprint == NEWER.fingerprint
    assert store.model("ann/secret", viewer=ann).versions[0].scores == 3
    assert "ann/secret" in {run.candidate for run in store.runs(viewer=ann)}


def test_a_private_candidate_does_not_exist_for_others(
    store: Store, ann_and_bob: tuple[int, int]
) -> None:
    ann, bob = ann_and_bob
    secret = store.scores(candidate="ann/secret", viewer=ann).scores[0].id
    for viewer in (None, bob):
        assert store.scores(candidate="ann/secret", viewer=viewer).scores == ()
        with pytest.raises(UnknownNameError):
            store.score(secret, viewer=viewer)
        with pytest.raises(UnknownNameError):
            store.score(secret, model="ann/secret", viewer=viewer)
        with pytest.raises(UnknownNameError):
            store.paired_difference("ann/secret", "everyones", IT.name, viewer=viewer)
        with pytest.raises(UnknownNameError) as raised:
            store.model("ann/secret", viewer=viewer)
        assert "ann" not in str(raised.value).partition(";")[2]
    assert store.score(secret, viewer=ann)[0].candidate == "ann/secret"


def test_an_unlisted_candidate_is_found_by_its_name(
    store: Store, ann_and_bob: tuple[int, int]
) -> None:
    model = store.model("ann/quiet")
    assert [score.benchmark for score in model.scores] == ["faces/IT/rsa"]
    quiet = model.scores[0].id
    assert store.scores(candidate="ann/quiet").scores == model.scores
    assert store.paired_difference("ann/quiet", "everyones", IT.name).difference > 0
    with pytest.raises(UnknownNameError):
        store.score(quiet)  # its id could be guessed
    assert store.score(quiet, model="ann/quiet")[0].id == quiet
    with pytest.raises(UnknownNameError):
        store.score(quiet, model="everyones")


def test_leaderboards_are_kept_apart_by_viewer(store: Store, ann_and_bob: tuple[int, int]) -> None:
    ann, bob = ann_and_bob
    sizes = [len(store.leaderboard(viewer=viewer).rows) for viewer in (ann, None, bob, ann, None)]
    assert sizes == [1, 2, 2, 1, 2]  # she alone has a score on the newer version
    assert store.leaderboard(viewer=bob) is store.leaderboard()  # he sees what all see


def test_what_becomes_private_is_gone_at_once(store: Store, ann_and_bob: tuple[int, int]) -> None:
    ann, _ = ann_and_bob
    assert len(store.leaderboard().rows) == 2
    own(store, "everyones", ann, "private")
    assert [row.candidate for row in store.leaderboard().rows] == ["bob/open"]
    assert [row.candidate for row in store.leaderboard(viewer=ann).rows][:1] == ["ann/secret"]
