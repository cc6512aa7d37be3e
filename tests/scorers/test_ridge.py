"""Ridge against scikit-learn, refitted for every split, fold and penalty."""

import numpy as np
import pytest
import xarray as xr
from isocortex.scorers._nested import nested_ridge
from isocortex.scorers.ridge import BRAIN_SCORE_PENALTIES, brain_score_ridgecv, ridge
from scipy.stats import pearsonr
from sklearn.linear_model import Ridge, RidgeCV
from tests.synthetic import responses, stimulus_ids

from isocortex.errors import InputError
from isocortex.geometry import geometry_of
from isocortex.splits import make_splits

SPLITS = {"kind": "k-fold", "folds": 4, "seed": 0}


def problem(units: int, *, stimuli: int = 40, neuroids: int = 6):
    x = responses(stimuli, units, seed=1) * 3 + 5
    generator = np.random.default_rng(2)
    weights = generator.normal(size=(units, neuroids)) / units**0.5
    noise = np.linspace(0.1, 4, neuroids) * generator.normal(size=(stimuli, neuroids))
    coords = {"stimulus": stimulus_ids(stimuli)}
    y = xr.DataArray(x.values @ weights + noise - 7, dims=("stimulus", "neuroid"), coords=coords)
    return x, y, make_splits(stimuli, SPLITS)


def refitted(x, y, train, test, penalty):
    return Ridge(alpha=penalty).fit(x[train], y[train]).predict(x[test])


@pytest.mark.parametrize("units", [10, 200], ids=["tall", "wide"])
def test_a_fixed_penalty_equals_refitting(units):
    x, y, splits = problem(units)
    for held_out in ridge(geometry_of(x), y, splits, penalty=3.0):
        split = held_out.split
        expected = refitted(x.values, y.values, split.train, split.test, 3.0)
        np.testing.assert_allclose(held_out.prediction, expected, atol=1e-9)


@pytest.mark.parametrize("units", [10, 200], ids=["tall", "wide"])
def test_one_split_by_itself_equals_the_same_among_others(units):
    x, y, splits = problem(units)
    together = ridge(geometry_of(x), y, splits)
    for split, expected in zip(splits, together, strict=True):
        (alone,) = ridge(geometry_of(x), y, [split])
        np.testing.assert_allclose(alone.prediction, expected.prediction, atol=1e-9)
        np.testing.assert_allclose(alone.selection, expected.selection, atol=1e-9)


def nested(x, y, split, penalties, inner_folds, *, within_fold=np.mean):
    """Penalty and inner correlation of each neuroid, with a fit for every fold and penalty."""
    protocol = {"kind": "k-fold", "folds": inner_folds, "seed": 0}
    folds = make_splits(len(split.train), protocol)
    parts = [
        [refitted(x, y, split.train[f.train], split.train[f.test], penalty) for f in folds]
        for penalty in penalties
    ]
    observed = [y[split.train[f.test]] for f in folds]
    errors = [
        sum(within_fold((p - o) ** 2, axis=0) for p, o in zip(part, observed, strict=True))
        for part in parts
    ]
    best = np.argmin(errors, axis=0)
    selection = [
        np.mean([pearsonr(parts[b][k][:, v], observed[k][:, v])[0] for k in range(inner_folds)])
        for v, b in enumerate(best)
    ]
    return best, selection


@pytest.mark.parametrize("units", [10, 200], ids=["tall", "wide"])
def test_nested_selection_equals_refitting_every_fold_and_penalty(units):
    x, y, splits = problem(units, neuroids=20)
    geometry = geometry_of(x)
    scale = np.trace(geometry.centred_gram()) / len(x)
    penalties = scale * np.logspace(-6, 4, 21)
    for held_out in ridge(geometry, y, splits, inner_folds=4):  # of 7 and of 8 stimuli
        split = held_out.split
        best, selection = nested(x.values, y.values, split, penalties, 4)
        np.testing.assert_allclose(held_out.selection, selection, atol=1e-9)
        for column, chosen in enumerate(best):
            penalty = penalties[chosen]
            expected = refitted(x.values, y.values, split.train, split.test, penalty)[:, column]
            np.testing.assert_allclose(held_out.prediction[:, column], expected, atol=1e-9)


def test_noisier_neuroids_get_larger_penalties():
    """The data of the test above do ask for different penalties: it would not see a shared one."""
    x, y, splits = problem(200)
    geometry = geometry_of(x)
    penalties = np.trace(geometry.centred_gram()) / len(x) * np.logspace(-6, 4, 21)
    best, _ = nested(x.values, y.values, splits[0], penalties, 3)
    assert len(set(best)) > 1


def test_folds_of_unequal_size_count_alike():
    """The data of the test above can tell: some choose otherwise if stimuli count alike."""
    x, y, splits = problem(200, neuroids=20)
    geometry = geometry_of(x)
    penalties = np.trace(geometry.centred_gram()) / len(x) * np.logspace(-6, 4, 21)
    folds, _ = nested(x.values, y.values, splits[0], penalties, 4)
    stimuli, _ = nested(x.values, y.values, splits[0], penalties, 4, within_fold=np.sum)
    assert (folds != stimuli).any()


@pytest.mark.parametrize("penalty", [1e-12, 1e-9, 1e-6])
def test_a_penalty_near_rounding_is_still_ridge(penalty):
    """Below 10⁻¹¹ of the kernel's trace the spectrum takes over from Cholesky."""
    x, y, splits = problem(10)
    for held_out in ridge(geometry_of(x), y, splits, penalty=penalty):
        split = held_out.split
        expected = refitted(x.values, y.values, split.train, split.test, penalty)
        np.testing.assert_allclose(held_out.prediction, expected, atol=1e-6)


def test_a_kernel_with_negative_eigenvalues_is_refused():
    _, y, splits = problem(10)
    kernel = np.diag(np.linspace(-1, 2, len(y)))
    with pytest.raises(InputError, match="negative eigenvalues"):
        nested_ridge(kernel, y.values, splits, penalties=[0.5], inner_folds=3)


def test_held_out_responses_do_not_reach_their_own_prediction():
    x, y, splits = problem(200)
    geometry, first = geometry_of(x), splits[:1]
    before = ridge(geometry, y, first)[0]
    changed = y.copy()
    changed.values[first[0].test] += 1000 * np.random.default_rng(3).normal(size=(10, 6))
    after = ridge(geometry, changed, first)[0]
    np.testing.assert_allclose(after.selection, before.selection, atol=1e-9)
    np.testing.assert_allclose(after.prediction, before.prediction, atol=1e-9)


@pytest.mark.parametrize("penalty", [0.0, -1.0])
def test_a_penalty_that_is_not_positive_is_refused(penalty):
    x, y, splits = problem(10)
    with pytest.raises(InputError, match="use the scorer 'ols'"):
        ridge(geometry_of(x), y, splits, penalty=penalty)


def test_a_constant_neuroid_is_predicted_by_itself_and_has_no_selection():
    x, y, splits = problem(10)
    y[:, 2] = 2.0
    held_out = ridge(geometry_of(x), y, splits)[0]
    np.testing.assert_allclose(held_out.prediction[:, 2], 2, atol=1e-9)
    assert held_out.selection[2] == 0


# Written out from Brain-Score's ridgecv_split: 99 penalties.
DECADES = [np.linspace(10.0**k, 10.0 ** (k + 1), 18, endpoint=False) for k in (2, 3, 4, 5)]
PENALTIES = np.r_[
    0.01, 0.1, 0.5, 1, 10, 32.5, 55, 77.5, np.concatenate(DECADES), np.arange(2, 21) * 5e5
]


def test_the_penalties_are_brain_scores():
    assert len(PENALTIES) == 4 + 4 + 4 * 18 + 19
    np.testing.assert_allclose(BRAIN_SCORE_PENALTIES, PENALTIES, rtol=1e-15)


@pytest.mark.parametrize("units", [10, 200], ids=["tall", "wide"])
@pytest.mark.parametrize("noise", [0, 300], ids=["clean", "noisy"])
def test_one_penalty_for_all_neuroids_equals_generalised_cross_validation(units, noise):
    x, y, splits = problem(units)
    y = y + noise * np.random.default_rng(5).normal(size=y.shape)
    for held_out in brain_score_ridgecv(geometry_of(x), y, splits):
        split = held_out.split
        model = RidgeCV(PENALTIES, store_cv_results=True).fit(x[split.train], y[split.train])
        np.testing.assert_allclose(held_out.prediction, model.predict(x[split.test]), atol=1e-9)


def test_selection_under_one_penalty_is_the_correlation_of_left_out_predictions():
    x, y, splits = problem(10)
    held_out = brain_score_ridgecv(geometry_of(x), y, splits)[0]
    train = splits[0].train
    penalty = RidgeCV(PENALTIES).fit(x[train], y[train]).alpha_
    predicted = np.array(
        [refitted(x.values, y.values, np.setdiff1d(train, one), [one], penalty)[0] for one in train]
    )
    observed = y.values[train]
    expected = [pearsonr(predicted[:, v], observed[:, v])[0] for v in range(6)]
    np.testing.assert_allclose(held_out.selection, expected, atol=1e-9)
