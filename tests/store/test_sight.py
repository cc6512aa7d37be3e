"""Each version of a model is shown as its submission says, and not as another one's does."""

from itertools import product

import pytest
from sqlalchemy import select
from tests.made_up_scores import benchmark_facts, candidate_facts, record_score
from tests.owned import hand_in, score_all

from isocortex.errors import UnknownNameError
from isocortex.store import ScoreQuery, Selection, Store
from isocortex.store.criteria import Criteria
from isocortex.store.opening import reading
from isocortex.store.schema import Run, Score
from isocortex.store.sight import Owned, Sight, read_owned

IT, V1 = "faces/IT/rsa", "faces/V1/rsa"
STATES = ("public", "unlisted", "private", "withdrawn")
RAW = (0.25, 0.5)


@pytest.fixture
def ann(store: Store) -> int:
    return store.accounts.create("ann", role="admin").id


def listed(store: Store, model: str, viewer: int | None = None) -> list[float]:
    """The raw scores of a model in lists."""
    page = store.scores(viewer=viewer, limit=500).scores
    return [score.raw for score in page if score.candidate == model]


def named(store: Store, model: str, viewer: int | None = None) -> tuple[int, list[float]]:
    """How many versions of a model are told to who gives its name, and the raw scores of one."""
    try:
        found = store.model(model, viewer=viewer)
    except UnknownNameError:
        return 0, []
    return len(found.versions), [score.raw for score in found.scores]


def by_id(store: Store, score_id: int, viewer: int | None = None, model: str | None = None) -> bool:
    try:
        store.score(score_id, viewer=viewer, model=model)
    except UnknownNameError:
        return False
    return True


def score_of(store: Store, key: str, benchmark: str = IT) -> int:
    (found,) = [job for job in store.queue.jobs(submission=key) if job.benchmark == benchmark]
    assert found.score_id is not None
    return found.score_id


def test_the_table_of_sight_holds_for_any_two_versions(store: Store, ann: int) -> None:
    """As `isocortex.store.sight` draws it."""
    bob = store.accounts.create("bob").id
    scores: dict[tuple[str, str], list[int]] = {}
    for states in product(STATES, STATES):
        keys = []
        for number, state in enumerate(states):
            visibility = "public" if state == "withdrawn" else state
            made = {"model": "-".join(states), "visibility": visibility, "version": number}
            keys.append(hand_in(store, ann, {IT: RAW[number]}, **made))
        scores[states] = [score_of(store, key) for key in keys]
        for key, state in zip(keys, states, strict=True):
            if state == "withdrawn":
                store.submissions.withdraw(key)
    for states, ids in scores.items():
        model = f"ann/{'-'.join(states)}"
        public = [state == "public" for state in states]
        secret_name = not any(public)
        by_name = [state == "public" or (state == "unlisted" and secret_name) for state in states]
        for viewer in (None, bob):
            newest = [raw for raw, seen in zip(RAW, public, strict=True) if seen][-1:]
            assert listed(store, model, viewer) == newest, states
            newest = [raw for raw, seen in zip(RAW, by_name, strict=True) if seen][-1:]
            assert named(store, model, viewer) == (sum(by_name), newest), states
            assert [by_id(store, each, viewer) for each in ids] == public, states
            assert [by_id(store, each, viewer, model) for each in ids] == by_name, states
        live = [raw for raw, state in zip(RAW, states, strict=True) if state != "withdrawn"]
        assert listed(store, model, ann) == live[-1:], states
        assert all(by_id(store, each, ann) for each in ids), states


def test_rows_and_columns_show_the_same(store: Store, ann: int) -> None:
    """A score is looked up by a query, lists are made in memory: one table, written twice."""
    record_score(store, candidate_facts("operators"), benchmark_facts(IT))
    for number, state in enumerate(("public", "unlisted", "private")):
        for model in ("one", f"other-{state}"):
            hand_in(store, ann, {IT: 0.5}, model=model, visibility=state, version=number)
    for sight in (Sight(), Sight(ann), Sight(None, ("ann/one", "ann/other-unlisted"))):
        view = store.browsing.view(sight)
        in_memory = view.columns.scores["id"][view._seen].tolist()
        with reading(store.engine) as connection:
            query = select(Score.id).join(Run, Score.run_id == Run.id).where(sight.of_scores())
            assert sorted(connection.scalars(query)) == in_memory
    names = sorted(run.candidate for run in store.runs())
    assert names == ["ann/one", "ann/other-public", "operators"]


def test_a_shared_score_is_as_visible_as_the_more_visible_submission(
    store: Store, ann: int
) -> None:
    """The very same version, handed in twice, with one score for both."""
    secret = hand_in(store, ann, {IT: 0.25, V1: 0.25}, visibility="private")
    assert listed(store, "ann/net") == []
    before = store.data_version()
    public = hand_in(store, ann, {IT: 0.75})
    assert store.data_version() != before
    assert score_of(store, public) == score_of(store, secret)
    assert listed(store, "ann/net") == [0.25]
    assert not by_id(store, score_of(store, secret, V1))  # that it has alone
    assert listed(store, "ann/net", ann) == [0.25, 0.25]
    store.submissions.withdraw(public)
    assert listed(store, "ann/net") == []
    assert listed(store, "ann/net", ann) == [0.25, 0.25]
    store.submissions.publish(secret, "public")
    assert listed(store, "ann/net") == [0.25, 0.25]


def test_withdrawing_the_private_one_leaves_the_public_one_its_score(
    store: Store, ann: int
) -> None:
    public = hand_in(store, ann, {IT: 0.25})
    secret = hand_in(store, ann, {IT: 0.25}, visibility="private")
    assert listed(store, "ann/net") == [0.25]
    store.submissions.withdraw(secret)
    assert listed(store, "ann/net") == [0.25]
    store.submissions.withdraw(public)
    assert listed(store, "ann/net", ann) == []


def test_whoever_saw_a_score_sees_what_replaces_it(store: Store, ann: int) -> None:
    public = hand_in(store, ann, {IT: 0.25})
    secret = hand_in(store, ann, {IT: 0.25}, visibility="private")
    store.queue.rerun(secret, force=True)
    score_all(store, {IT: 0.5})
    assert listed(store, "ann/net") == [0.5]
    store.submissions.withdraw(secret)
    assert listed(store, "ann/net") == [0.5]
    store.submissions.withdraw(public)
    assert listed(store, "ann/net", ann) == []


def test_what_was_withdrawn_is_not_shown_by_the_same_network_handed_in_again(
    store: Store, ann: int
) -> None:
    secret = hand_in(store, ann, {IT: 0.25, V1: 0.25}, visibility="private")
    hidden = [score_of(store, secret, each) for each in (IT, V1)]
    store.submissions.withdraw(secret)
    hand_in(store, ann, {IT: 0.5})
    assert listed(store, "ann/net") == [0.5]
    assert not any(by_id(store, each) for each in hidden)
    for viewer, raw in ((None, {}), (ann, {IT: 0.25, V1: 0.25})):
        then = store.leaderboard(Selection(last_score=max(hidden)), viewer=viewer)
        assert {name: one.raw for row in then.rows for name, one in row.scores.items()} == raw


def test_equal_content_of_two_accounts_is_two_models(store: Store, ann: int) -> None:
    bob = store.accounts.create("bob").id
    hidden = hand_in(store, ann, {IT: 0.25}, visibility="private")
    shown = hand_in(store, bob, {IT: 0.25})
    assert (listed(store, "ann/net"), listed(store, "bob/net")) == ([], [0.25])
    store.submissions.withdraw(hidden)
    assert listed(store, "bob/net") == [0.25]
    store.submissions.withdraw(shown)
    assert store.scores().scores == ()


def test_no_submission_hides_what_is_the_operators(store: Store, ann: int) -> None:
    operators = record_score(store, candidate_facts("ann/net"), benchmark_facts(IT), 0.5)
    secret = hand_in(store, ann, {IT: 0.25, V1: 0.25}, visibility="private")
    assert score_of(store, secret) == operators
    assert listed(store, "ann/net") == [0.5]
    assert sorted(listed(store, "ann/net", ann)) == [0.25, 0.5]
    store.queue.rerun(secret, force=True)
    score_all(store, {IT: 0.75, V1: 0.75})
    assert listed(store, "ann/net") == [0.75]  # it replaced what everybody saw
    store.submissions.withdraw(secret)
    assert listed(store, "ann/net") == [0.75]


def test_a_card_is_in_the_words_of_the_newest_submission_that_is_seen(
    store: Store, ann: int
) -> None:
    first = hand_in(store, ann, {IT: 0.25}, summary="Words with a mistake.")
    store.submissions.withdraw(first)
    hand_in(store, ann, {IT: 0.25}, summary="Better words.")
    hand_in(store, ann, {IT: 0.25}, summary="Words for later.", visibility="private")
    for viewer, words in ((None, "Better words."), (ann, "Words for later.")):
        (version,) = store.model("ann/net", viewer=viewer).versions
        assert version.card["summary"] == words
        assert store.models(viewer=viewer)[0].card["summary"] == words
        assert store.leaderboard(viewer=viewer).rows[0].card["summary"] == words
    assert version.card["diet"] == "imagenet-1k"


def test_kinds_are_told_of_submissions_that_are_seen(store: Store, ann: int) -> None:
    key = hand_in(store, ann, {IT: 0.25}, visibility="private")
    ids = [score_of(store, key)]
    kinds = store.submissions.kinds_of_scores
    assert (kinds(ids), kinds(ids, viewer=ann)) == (frozenset(), {"hub"})
    store.submissions.publish(key, "unlisted")
    assert (kinds(ids), kinds(ids, model="ann/net")) == (frozenset(), {"hub"})


def test_a_frozen_leaderboard_holds_what_is_public_of_its_time(store: Store, ann: int) -> None:
    first = hand_in(store, ann, {IT: 0.25})
    store.freeze("then", "As it was.", Selection())
    hand_in(store, ann, {IT: 0.5}, visibility="private", version=2)
    frozen = store.frozen("then")
    versions = tuple(sorted(frozen.versions.values()))
    chosen = Selection(last_score=frozen.last_score_id, versions=versions)

    def shown(viewer: int | None = None) -> list[float]:
        return [row.scores[IT].raw for row in store.leaderboard(chosen, viewer=viewer).rows]

    assert (shown(), shown(ann)) == ([0.25], [0.25])
    store.submissions.publish(first, "private")
    assert (shown(), shown(ann)) == ([], [0.25])


def test_lists_are_searched_in_the_words_that_are_shown(small_store: Store) -> None:
    ann = small_store.accounts.create("ann", role="admin").id
    hand_in(small_store, ann, {IT: 0.25}, summary="Plain words.")
    hand_in(small_store, ann, {IT: 0.25}, summary="Secret words.", visibility="private")
    for viewer, found in ((None, [1, 0]), (ann, [0, 1])):
        queries = [ScoreQuery(criteria=Criteria(search=each)) for each in ("plain", "secret")]
        assert [len(small_store.score_list(each, viewer=viewer)) for each in queries] == found


def test_pairs_that_were_committed_out_of_order_are_read(small_store: Store) -> None:
    """Only new pairs are read, unless some are missing among those that were read before."""
    ann = small_store.accounts.create("ann", role="admin").id
    for number in range(3):
        hand_in(small_store, ann, {IT: 0.25}, version=number)
    with reading(small_store.engine) as connection:
        whole = read_owned(connection)
        for kept in ([0, 1, 2], [0, 1], [0, 2], []):
            before = Owned(owners={}, pairs=whole.pairs[kept])
            assert read_owned(connection, before).pairs.tolist() == whole.pairs.tolist()
