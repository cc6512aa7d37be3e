"""Readouts against scikit-learn, refitted to the units in every fold."""

import numpy as np
import pytest
from isocortex.scorers._readout import Task, decisions, probabilities, ridge_margins, task_of
from isocortex.scorers._spectrum import penalty_grid
from isocortex.scorers.decoding import readout_accuracy
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
from sklearn.preprocessing import StandardScaler
from tests.synthetic import stimulus_ids

from isocortex.errors import InputError
from isocortex.geometry import geometry_of
from isocortex.responses import Responses

NAMES = ("cat", "dog", "owl")


def labels(count: int, names: tuple[str, ...] = NAMES) -> dict[str, str]:
    """The categories in turn, the last of them on every second turn only."""
    cycle = [*names, *names[:-1]]
    return {name: cycle[each % len(cycle)] for each, name in enumerate(stimulus_ids(count))}


def units(count: int, *, strength: float = 0.6, width: int = 30, seed: int = 0) -> Responses:
    """Noise in which each category of `labels` moves the mean by about `strength`."""
    generator = np.random.default_rng(seed)
    means = dict(zip(NAMES, generator.normal(size=(len(NAMES), width)), strict=True))
    moved = strength * np.array([means[name] for name in labels(count).values()])
    return Responses(
        tuple(stimulus_ids(count)), moved + generator.normal(size=(count, width)) + 3.0
    )


def in_order(side: Responses, task: Task) -> tuple[np.ndarray, np.ndarray]:
    return side.values[task.positions], np.array(task.names)[task.truth]


def test_every_stimulus_is_held_out_once_in_folds_balanced_over_categories():
    task = task_of(stimulus_ids(43), labels(43))
    assert sorted(np.concatenate([split.test for split in task.splits])) == list(range(43))
    sizes = [np.bincount(task.truth[split.test], minlength=3) for split in task.splits]
    assert (np.ptp(sizes, axis=0) <= 1).all()
    assert all(not set(split.train) & set(split.test) for split in task.splits)
    np.testing.assert_array_equal(np.diff([*task.starts, 43]), np.bincount(task.truth))


def test_ridge_equals_scikit_learn_refitted_in_every_fold():
    side = units(43)
    task = task_of(side.ids, labels(43))
    x, y = in_order(side, task)
    penalties = penalty_grid(geometry_of(side).centred_gram())
    margins = ridge_margins(geometry_of(side).select(task.positions), task, "x")
    for split in task.splits:
        fitted = RidgeClassifierCV(alphas=penalties).fit(x[split.train], y[split.train])
        targets = np.where(y[split.train][:, None] == list(task.names), 1.0, -1.0)
        expected = (fitted.decision_function(x[split.test]) - targets.mean(0)) / targets.std(0)
        np.testing.assert_allclose(margins[split.test], expected, atol=1e-9)


@pytest.mark.parametrize("standardised", [False, True])
@pytest.mark.parametrize("width", [2, 30, 200])
def test_probabilities_equal_scikit_learn_refitted_in_every_fold(width, standardised):
    side = units(43, width=width)
    task = task_of(side.ids, labels(43))
    x, y = in_order(side, task)
    unit = 1.0 if standardised else ((x - x.mean(0)) ** 2).sum() / len(x)
    ordered = (
        side.select(task.positions) if standardised else geometry_of(side.select(task.positions))
    )
    found = probabilities(ordered, task, "x", penalty=0.5, standardised=standardised)
    for split in task.splits:
        scaler = StandardScaler(with_std=standardised).fit(x[split.train])
        reference = LogisticRegression(C=2 / unit, solver="newton-cholesky", tol=1e-13)
        reference.fit(scaler.transform(x[split.train]), y[split.train])
        rates = [np.mean(y[split.train] == name) for name in task.names]
        expected = reference.predict_proba(scaler.transform(x[split.test])) / rates
        expected /= expected.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found[split.test], expected, atol=1e-9)


def test_evidence_of_thousands_does_not_overflow():
    """Brain-Score's softmax divides infinity by infinity here."""
    side = units(43, strength=3000.0)
    task = task_of(side.ids, labels(43))
    shares = probabilities(
        geometry_of(side).select(task.positions), task, "x", penalty=1e-9, standardised=False
    )
    np.testing.assert_allclose(shares, task.indicators, atol=1e-6)


def small_penalty(side: Responses, penalty: float) -> np.ndarray:
    task = task_of(side.ids, labels(43))
    ordered = geometry_of(side).select(task.positions)
    return probabilities(ordered, task, "x", penalty=penalty, standardised=False)


def test_a_penalty_under_which_a_full_step_of_newton_overshoots_is_met():
    shares = small_penalty(units(43, strength=0), 1e-6)
    np.testing.assert_allclose(shares.sum(axis=1), 1)


def test_a_penalty_too_small_to_be_met_is_refused():
    with pytest.raises(InputError, match="does not converge; give a larger penalty"):
        small_penalty(units(43, strength=3, width=2), 1e-9)


def test_accuracy_is_the_share_of_each_category_that_is_read_out_right():
    layers = {"told apart": units(60, strength=4.0), "noise": units(60, strength=0.0)}
    accuracy = readout_accuracy({k: geometry_of(v) for k, v in layers.items()}, labels(60))
    assert accuracy.dims == ("layer", "category")
    np.testing.assert_array_equal(accuracy.sel(layer="told apart"), np.ones(3))
    assert float(accuracy.sel(layer="noise").mean()) == pytest.approx(1 / 3, abs=0.15)
    task = task_of(stimulus_ids(60), labels(60))
    margins = ridge_margins(geometry_of(layers["noise"]).select(task.positions), task, "x")
    right = margins.argmax(axis=1) == task.truth
    expected = [right[task.truth == each].mean() for each in range(3)]
    np.testing.assert_allclose(accuracy.sel(layer="noise"), expected, atol=1e-12)


def test_categories_that_are_answered_alike_share_the_decision():
    """The evidence for cats and for dogs differs by rounding alone."""
    ids = tuple(stimulus_ids(30))
    categories = {name: NAMES[each % 3] for each, name in enumerate(ids)}
    task = task_of(ids, categories)
    owl = np.array([categories[name] == "owl" for name in ids])
    answers = np.outer(owl, np.random.default_rng(0).normal(size=9)) + 0.1
    shares = decisions(geometry_of(Responses(ids, answers)).select(task.positions), task, "x")
    expected = np.where(task.indicators[:, 2:] == 1, [[0, 0, 1]], [[0.5, 0.5, 0]])
    np.testing.assert_array_equal(shares, expected)


def test_where_all_training_stimuli_are_answered_alike_all_categories_share_the_decision():
    values = np.zeros((32, 7))
    values[5] = 32.0
    task = task_of(stimulus_ids(32), labels(32))
    side = geometry_of(Responses(tuple(stimulus_ids(32)), values)).select(task.positions)
    shares = decisions(side, task, "x")
    fold = next(each for each in task.splits if task.positions.tolist().index(5) in each.test)
    np.testing.assert_array_equal(shares[fold.test], np.full((len(fold.test), 3), 1 / 3))
