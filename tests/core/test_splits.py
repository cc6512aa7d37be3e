"""Splits keep apart what they say they keep apart, and say what they lack."""

from typing import Any

import numpy as np
import pytest
from isocortex.scorers._spectrum import folds_within
from tests.core.test_evaluation import benchmark, signal, true_layer
from tests.synthetic import recorded_trials, recording

from isocortex.benchmarks import Benchmark, load_scorer
from isocortex.errors import IncompatibleError, InputError, UnknownNameError
from isocortex.evaluation import evaluate
from isocortex.splits import Split, make_splits

STIMULI = 60
SESSIONS = [f"session-{each % 7}" for each in range(STIMULI)]
CATEGORIES = [("face", "house", "tool")[each // 20] for each in range(STIMULI)]
HALVES = ["test" if each % 3 == 0 else "train" for each in range(STIMULI)]
METADATA = {"session": SESSIONS, "category": CATEGORIES, "split": HALVES}

PROTOCOLS: dict[str, dict[str, Any]] = {
    "group": {"kind": "group", "folds": 4, "by": "session"},
    "category": {"kind": "leave-one-category-out"},
    "fixed": {"kind": "fixed"},
    "temporal": {"kind": "temporal-blocks", "folds": 5, "gap": 3},
}


def splits(name: str, **changes: Any) -> list:
    return make_splits(STIMULI, {**PROTOCOLS[name], **changes}, metadata=METADATA)


def toy(scorer: str = "ridge", **metadata: list[str]) -> Benchmark:
    trials = recorded_trials(signal(), noise=0.5)
    return benchmark(recording(trials, **{**METADATA, **metadata}), scorer)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_nothing_is_fitted_and_scored_at_once(name):
    for split in splits(name):
        assert not set(split.train) & set(split.test)
        assert list(split.train) == sorted(split.train)


@pytest.mark.parametrize("name", ["group", "category", "temporal"])
def test_every_stimulus_is_scored_once(name):
    scored = np.concatenate([split.test for split in splits(name)])
    assert sorted(scored) == list(range(STIMULI))


@pytest.mark.parametrize(("name", "labels"), [("group", SESSIONS), ("category", CATEGORIES)])
def test_whole_groups_are_held_out(name, labels):
    labels = np.array(labels)
    for split in splits(name):
        assert not set(labels[split.train]) & set(labels[split.test])
        assert len(split.train) + len(split.test) == STIMULI


def test_leaving_out_one_category_tests_each_by_itself():
    assert [set(np.array(CATEGORIES)[split.test]) for split in splits("category")] == [
        {"face"},
        {"house"},
        {"tool"},
    ]


def test_a_fixed_split_is_the_one_that_the_stimuli_tell():
    (split,) = splits("fixed")
    assert list(split.test) == list(range(0, STIMULI, 3))
    assert len(split.train) == 40


def test_temporal_blocks_leave_a_gap_on_either_side():
    for split in splits("temporal"):
        assert list(split.test) == list(range(split.test[0], split.test[-1] + 1))
        assert np.abs(split.train[:, None] - split.test).min() == 3 + 1
    assert len(splits("temporal")[1].train) == 60 - 12 - 2 * 3


def test_all_stimuli_may_be_on_both_sides_where_a_convention_asks_for_it():
    (split,) = make_splits(9, {"kind": "all"})
    assert list(split.train) == list(split.test) == list(range(9))


@pytest.mark.parametrize(("name", "folds"), [("group", 5), ("category", 2), ("temporal", 4)])
def test_inner_folds_hold_out_whole_groups_too(name, folds):
    """Three categories leave two for fitting: two inner folds, though five are asked for."""
    for split in splits(name):
        inner = folds_within(split, 5)
        assert len(inner) == folds
        assert sorted(np.concatenate(inner)) == list(split.train)
        of = dict(zip(split.train, split.groups, strict=True))
        seen = [{of[each] for each in fold} for fold in inner]
        assert sum(map(len, seen)) == len(set(split.groups))


def test_inner_folds_that_are_not_shuffled_follow_the_stimuli():
    (split,) = make_splits(9, {"kind": "all"})
    assert [list(fold) for fold in folds_within(split, 2, shuffled=False)] == [
        [0, 1, 2, 3, 4],
        [5, 6, 7, 8],
    ]


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ({"kind": "group", "folds": 4, "by": "run"}, "no metadata 'run'.*category, session, split"),
        ({"kind": "group", "folds": 4}, "no metadata 'group'"),
        ({"kind": "group", "folds": 8, "by": "session"}, "8 folds .* tells 7 groups apart"),
        ({"kind": "group", "folds": 2, "by": "category"}, "leaves a single group to fit on"),
        ({"kind": "leave-one-category-out", "by": "split"}, "leaves a single group to fit on"),
        ({"kind": "fixed", "by": "category"}, "'face', 'house', 'tool' .*'train' and 'test'"),
        ({"kind": "temporal-blocks", "folds": 2}, "3 blocks or more"),
        ({"kind": "temporal-blocks", "folds": 16}, "of at least 4 stimuli each"),
        ({"kind": "temporal-blocks", "folds": 3, "gap": 40}, "fits 0 stimuli and scores 20"),
        ({"kind": "k-fold", "folds": 61, "seed": 0}, "61 folds of 60 stimuli"),
        ({"kind": "k-fold", "folds": 5}, "missing a required argument: 'seed'"),
        ({"kind": "k-fold", "folds": 5, "seed": 0, "by": "session"}, "unexpected keyword"),
    ],
)
def test_splits_that_cannot_be_made_are_refused(protocol, message):
    with pytest.raises(InputError, match=message):
        make_splits(STIMULI, protocol, metadata=METADATA)


def test_a_category_with_too_few_stimuli_to_score_is_refused():
    rare = ["rare"] * 3 + ["face"] * 20 + ["house"] * 37
    with pytest.raises(InputError, match="fits 57 stimuli and scores 3; at least 4"):
        make_splits(STIMULI, PROTOCOLS["category"], metadata={"category": rare})


def test_an_unknown_kind_is_named_with_a_suggestion():
    with pytest.raises(UnknownNameError, match="'k-folds'; did you mean k-fold"):
        make_splits(STIMULI, {"kind": "k-folds"})


def test_other_splits_make_another_version_of_the_same_benchmark():
    usual, other = toy(), toy().with_splits(kind="group", folds=4, by="session")
    assert other.name == usual.name
    assert other.fingerprint != usual.fingerprint
    assert other.protocol["splits"] == {"kind": "group", "folds": 4, "by": "session"}


def test_a_split_is_known_by_its_groups_too():
    """The same stimuli scored, but other inner folds, make another score."""
    train, test = np.arange(6), np.arange(6, 9)
    one, other = (Split(train, test, np.array(groups)) for groups in ([0, 0, 1, 1, 2, 2], [0] * 6))
    assert one.facts() != other.facts()
    assert Split(train, test).facts() == [[0, 1, 2, 3, 4, 5], [6, 7, 8], None]


def test_metadata_follow_the_order_of_the_splits():
    """Recorded backwards, stimuli enter by their ids; their sessions come along."""
    backwards = np.arange(STIMULI)[::-1]
    trials = recorded_trials(signal(), noise=0.5).isel(stimulus=backwards)
    sessions = [SESSIONS[each] for each in backwards]
    other = benchmark(recording(trials, session=sessions), "ridge")
    protocol = {"kind": "group", "folds": 4, "by": "session"}
    for one, two in zip(
        toy().with_splits(**protocol).splits, other.with_splits(**protocol).splits, strict=True
    ):
        np.testing.assert_array_equal(one.test, two.test)


def test_temporal_blocks_follow_the_recording_not_the_ids():
    order = np.random.default_rng(0).permutation(STIMULI)
    trials = recorded_trials(signal(), noise=0.5).isel(stimulus=order)
    blocks = benchmark(recording(trials), "ridge").with_splits(kind="temporal-blocks", folds=5)
    shown = blocks.brain.ids
    assert [int(name[-3:]) for name in shown] == list(order)


def test_a_regression_never_scores_what_it_was_fitted_to():
    with pytest.raises(IncompatibleError, match="ridge predicts responses that it never saw"):
        toy().with_splits(kind="all")
    assert len(toy("cka").with_splits(kind="all").splits) == 1


@pytest.mark.parametrize("scorer", ["ridge", "ols", "pls"])
@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_regression_takes_every_kind_of_split(scorer, name):
    protocol = dict(PROTOCOLS[name])
    score = evaluate(toy(scorer).with_splits(**protocol), {"true": true_layer()})
    assert score.raw > 0.8


@pytest.mark.parametrize("scorer", ["ridge", "ols", "pls", "pcr", "brain-score-ridgecv"])
def test_what_lies_in_the_gap_reaches_no_prediction(scorer):
    fit, y, held = load_scorer(scorer), toy().responses, splits("temporal")
    before = fit(true_layer(), y, held)
    for split, expected in zip(held, before, strict=True):
        changed = y.copy()
        changed.values[np.setdiff1d(np.arange(STIMULI), split.train)] *= -1
        after = fit(true_layer(), changed, held)[held.index(split)]
        np.testing.assert_allclose(after.prediction, expected.prediction, atol=1e-8)
        np.testing.assert_allclose(after.selection, expected.selection, atol=1e-8)


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ({"folds": 5, "seed": 0}, "splits need a kind, one of halves, k-fold"),
        ({"kind": "halves", "scored": 0, "seed": 0}, "the scored of splits is 0; give a whole"),
        ({"kind": "halves", "scored": 9, "seed": -1}, "the seed of splits is -1"),
        ({"kind": "k-fold", "folds": 5, "seed": None}, "the seed of splits is None"),
        ({"kind": "k-fold", "folds": "5", "seed": 0}, "the folds of splits is '5'"),
        ({"kind": "group", "folds": 2.5, "by": "session"}, "the folds of splits is 2.5"),
        ({"kind": "temporal-blocks", "folds": 5, "gap": -1}, "the gap of splits is -1"),
    ],
)
def test_what_is_no_protocol_is_refused_before_anything_is_scored(protocol, message):
    with pytest.raises(InputError, match=message):
        toy().with_splits(**protocol)


def test_an_unknown_order_of_splits_is_refused():
    with pytest.raises(UnknownNameError, match="no order of splits is named 'sorted'"):
        toy().with_splits(kind="k-fold", folds=5, seed=0, order="sorted")
