"""Ridge against scikit-learn, refitted for every split, fold and penalty."""

import numpy as np
import pytest
import xarray as xr
from isocortex.scorers.ridge import ridge
from scipy.stats import pearsonr
from sklearn.linear_model import Ridge
from tests.synthetic import responses, stimulus_ids

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


def nested(x, y, split, penalties, inner_folds):
    """Penalty and inner correlation of each neuroid, with a fit for every fold and penalty."""
    protocol = {"kind": "k-fold", "folds": inner_folds, "seed": 0}
    folds = make_splits(len(split.train), protocol)
    parts = [
        [refitted(x, y, split.train[f.train], split.train[f.test], penalty) for f in folds]
        for penalty in penalties
    ]
    observed = [y[split.train[f.test]] for f in folds]
    errors = [
        sum(((p - o) ** 2).sum(0) for p, o in zip(part, observed, strict=True)) for part in parts
    ]
    best = np.argmin(errors, axis=0)
    selection = [
        np.mean([pearsonr(parts[b][k][:, v], observed[k][:, v])[0] for k in range(inner_folds)])
        for v, b in enumerate(best)
    ]
    return best, selection


@pytest.mark.parametrize("units", [10, 200], ids=["tall", "wide"])
def test_nested_selection_equals_refitting_every_fold_and_penalty(units):
    x, y, splits = problem(units)
    geometry = geometry_of(x)
    scale = np.trace(geometry.centred_gram()) / len(x)
    penalties = scale * np.logspace(-6, 4, 21)
    for held_out in ridge(geometry, y, splits, inner_folds=3):
        split = held_out.split
        best, selection = nested(x.values, y.values, split, penalties, 3)
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


def test_held_out_responses_do_not_reach_their_own_prediction():
    x, y, splits = problem(200)
    geometry, first = geometry_of(x), splits[:1]
    before = ridge(geometry, y, first)[0]
    changed = y.copy()
    changed.values[first[0].test] += 1000 * np.random.default_rng(3).normal(size=(10, 6))
    after = ridge(geometry, changed, first)[0]
    np.testing.assert_allclose(after.selection, before.selection, atol=1e-9)
    np.testing.assert_allclose(after.prediction, before.prediction, atol=1e-9)
