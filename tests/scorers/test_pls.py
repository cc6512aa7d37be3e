"""PLS against scikit-learn, refitted for every split and fold."""

import numpy as np
import pytest
import xarray as xr
from isocortex.scorers.pls import pls
from scipy.stats import pearsonr
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import LinearRegression
from tests.synthetic import responses, stimulus_ids

from isocortex.benchmarks import load_scorer
from isocortex.errors import InputError, MismatchError
from isocortex.geometry import geometry_of
from isocortex.splits import make_splits

SPLITS = {"kind": "k-fold", "folds": 3, "seed": 0}


def problem(units: int, *, stimuli: int = 60, neuroids: int = 7, noise: float = 1.0):
    x = responses(stimuli, units, seed=1) * np.linspace(3, 0.5, units) + 5
    generator = np.random.default_rng(2)
    weights = generator.normal(size=(units, neuroids)) / units**0.5
    y = x.values @ weights + noise * generator.normal(size=(stimuli, neuroids)) - 7
    return x, labelled(y), make_splits(stimuli, SPLITS)


def labelled(values: np.ndarray) -> xr.DataArray:
    coords = {"stimulus": stimulus_ids(len(values))}
    return xr.DataArray(values, dims=("stimulus", "neuroid"), coords=coords)


def refitted(x, y, fitted, held, components, *, algorithm="svd", **options):
    """`svd` replaces the power iteration of NIPALS by the exact direction that it converges to."""
    model = PLSRegression(components, scale=False, **options)
    model.algorithm = algorithm
    return model.fit(x.values[fitted], y.values[fitted]).predict(x.values[held])


@pytest.mark.parametrize("units", [30, 200], ids=["tall", "wide"])
def test_predictions_equal_exact_pls_refitted_for_every_split(units):
    x, y, splits = problem(units)
    for held_out, split in zip(pls(geometry_of(x), y, splits, components=8), splits, strict=True):
        expected = refitted(x, y, split.train, split.test, 8)
        np.testing.assert_allclose(held_out.prediction, expected, atol=1e-9)


def test_predictions_equal_25_components_of_nipals_with_a_tight_tolerance():
    """NIPALS stops at a squared step of its weights of 1e-12, so they are off by a millionth."""
    x, y, splits = problem(200)
    held_out = load_scorer("pls")(geometry_of(x), y, splits)[0]
    options = {"algorithm": "nipals", "tol": 1e-12, "max_iter": 100_000}
    expected = refitted(x, y, splits[0].train, splits[0].test, 25, **options)
    np.testing.assert_allclose(held_out.prediction, expected, atol=1e-5)


def test_selection_is_the_mean_correlation_over_inner_folds():
    x, y, splits = problem(30)
    held_out = pls(geometry_of(x), y, splits, components=3, inner_folds=4)[1]
    train = splits[1].train
    folds = make_splits(len(train), {"kind": "k-fold", "folds": 4, "seed": 0})
    correlations = []
    for fold in folds:
        predicted = refitted(x, y, train[fold.train], train[fold.test], 3)
        observed = y.values[train[fold.test]]
        correlations.append([pearsonr(predicted[:, v], observed[:, v])[0] for v in range(7)])
    np.testing.assert_allclose(held_out.selection, np.mean(correlations, axis=0), atol=1e-9)


def test_more_neuroids_than_stimuli_are_predicted_as_well():
    x, y, splits = problem(40, neuroids=90)
    held_out = pls(geometry_of(x), y, splits, components=6)[0]
    expected = refitted(x, y, splits[0].train, splits[0].test, 6)
    np.testing.assert_allclose(held_out.prediction, expected, atol=1e-9)


def test_the_direction_of_many_neuroids_is_found_by_lanczos(monkeypatch):
    x, y, splits = problem(40, neuroids=20)
    expected = pls(geometry_of(x), y, splits, components=6)[0]
    monkeypatch.setattr("isocortex.scorers.pls._SMALL", 10)
    found = pls(geometry_of(x), y, splits, components=6)[0]
    np.testing.assert_allclose(found.prediction, expected.prediction, atol=1e-9)
    np.testing.assert_allclose(found.selection, expected.selection, atol=1e-9)


def test_fits_that_go_one_by_one_equal_those_that_go_together(monkeypatch):
    x, y, splits = problem(40)
    together = pls(geometry_of(x), y, splits, components=6)
    monkeypatch.setattr("isocortex.scorers.pls._MOST_FITS", 1)
    for one, other in zip(pls(geometry_of(x), y, splits, components=6), together, strict=True):
        np.testing.assert_allclose(one.prediction, other.prediction, atol=1e-9)


def test_components_end_with_the_dimensions_of_the_features():
    """With all of its dimensions PLS is least squares; the components past them add nothing."""
    x, y, splits = problem(5)
    split = splits[0]
    expected = LinearRegression().fit(x.values[split.train], y.values[split.train])
    for components in (5, 25, 500):
        held_out = pls(geometry_of(x), y, splits, components=components)[0]
        np.testing.assert_allclose(
            held_out.prediction, expected.predict(x.values[split.test]), atol=1e-9
        )


def test_components_end_with_the_training_stimuli():
    """14 stimuli: a fit to 9 of them has 8 components, and then interpolates like least squares."""
    x, y, splits = problem(200, stimuli=14)
    split = splits[0]
    expected = LinearRegression().fit(x.values[split.train], y.values[split.train])
    held_out = pls(geometry_of(x), y, splits, inner_folds=3)[0]
    np.testing.assert_allclose(
        held_out.prediction, expected.predict(x.values[split.test]), atol=1e-9
    )


def test_one_unit_and_one_neuroid_are_a_regression_line():
    x, y, splits = problem(1, neuroids=1)
    split = splits[0]
    line = LinearRegression().fit(x.values[split.train], y.values[split.train])
    held_out = pls(geometry_of(x), y, splits)[0]
    np.testing.assert_allclose(held_out.prediction, line.predict(x.values[split.test]), atol=1e-9)


def test_a_constant_neuroid_is_predicted_by_itself_and_has_no_selection():
    x, y, splits = problem(30)
    y[:, 2] = 4.0
    held_out = pls(geometry_of(x), y, splits)[0]
    np.testing.assert_allclose(held_out.prediction[:, 2], 4.0, atol=1e-9)
    assert held_out.selection[2] == 0


def test_neuroids_that_are_all_constant_are_predicted_by_their_means():
    x, y, splits = problem(30)
    held_out = pls(geometry_of(x), y * 0 + 3, splits)[0]
    np.testing.assert_array_equal(held_out.prediction, 3)
    np.testing.assert_array_equal(held_out.selection, 0)


def test_duplicated_stimuli_are_fitted_like_any_other():
    x, y, splits = problem(30)
    x[1], x[2] = x[0], x[0]
    held_out = pls(geometry_of(x), y, splits, components=8)[0]
    expected = refitted(x, y, splits[0].train, splits[0].test, 8)
    np.testing.assert_allclose(held_out.prediction, expected, atol=1e-9)


def test_huge_offsets_of_responses_cost_no_more_digits_than_they_hold():
    x, y, splits = problem(30)
    moved = pls(geometry_of(x), y + 1e6, splits, components=8)[0]
    still = pls(geometry_of(x), y, splits, components=8)[0]
    np.testing.assert_allclose(moved.prediction - 1e6, still.prediction, atol=1e-7)


def test_held_out_responses_do_not_reach_their_own_prediction():
    x, y, splits = problem(200)
    before = pls(geometry_of(x), y, splits[:1])[0]
    y.values[splits[0].test] += 1000 * np.random.default_rng(3).normal(size=(20, 7))
    after = pls(geometry_of(x), y, splits[:1])[0]
    np.testing.assert_allclose(after.selection, before.selection, atol=1e-7)
    np.testing.assert_allclose(after.prediction, before.prediction, atol=1e-7)


def test_what_cannot_be_fitted_is_refused():
    x, y, splits = problem(30)
    with pytest.raises(InputError, match="at least 1"):
        pls(geometry_of(x), y, splits, components=0)
    with pytest.raises(MismatchError, match="59 stimuli were recorded and the model saw 60"):
        pls(geometry_of(x), y[:59], splits)
    y[3, 4] = np.nan
    with pytest.raises(InputError, match="neuroid 4"):
        pls(geometry_of(x), y, splits)
