"""Least squares, principal components and Gaussian kernels against scikit-learn, refitted."""

import numpy as np
import pytest
import xarray as xr
from isocortex.scorers._spectrum import centred_on
from isocortex.scorers.regression import kernel_ridge_rbf, ols, pcr
from scipy.spatial.distance import pdist
from scipy.stats import pearsonr
from sklearn.decomposition import PCA
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KernelCenterer
from tests.synthetic import responses, stimulus_ids

from isocortex.benchmarks import load_scorer
from isocortex.errors import InputError
from isocortex.geometry import geometry_of
from isocortex.splits import Split, make_splits

NEUROIDS = 5


def problem(units: int, *, stimuli: int = 40):
    """Each neuroid has more noise than the one before it, so that they ask for different fits."""
    x = responses(stimuli, units, seed=1) * np.linspace(3, 0.5, units) + 5
    generator = np.random.default_rng(2)
    weights = generator.normal(size=(units, NEUROIDS)) / units**0.5
    noise = np.linspace(0.1, 4, NEUROIDS) * generator.normal(size=(stimuli, NEUROIDS))
    coords = {"stimulus": stimulus_ids(stimuli)}
    y = xr.DataArray(x.values @ weights + noise - 7, dims=("stimulus", "neuroid"), coords=coords)
    return x, y, make_splits(stimuli, {"kind": "k-fold", "folds": 4, "seed": 0})


def folds_of(split: Split, folds: int) -> list[Split]:
    inner = make_splits(len(split.train), {"kind": "k-fold", "folds": folds, "seed": 0})
    return [Split(split.train[fold.train], split.train[fold.test]) for fold in inner]


def correlations(predicted, observed):
    return [pearsonr(predicted[:, v], observed[:, v])[0] for v in range(NEUROIDS)]


def least_squares(x, y, split):
    model = LinearRegression().fit(x.values[split.train], y.values[split.train])
    return model.predict(x.values[split.test])


def test_kernels_are_centred_on_the_training_stimuli():
    x, _, splits = problem(10)
    train, test = splits[0].train, splits[0].test
    features = x.values - x.values[train].mean(axis=0)
    within, across = centred_on(geometry_of(x).centred_gram(), train, test)
    np.testing.assert_allclose(within, features[train] @ features[train].T, atol=1e-9)
    np.testing.assert_allclose(across, features[test] @ features[train].T, atol=1e-9)


# 40 stimuli: 30 train, 20 in an inner fold. Each case meets the fits in another regime.
REGIMES = {"tall": 10, "wide": 200, "wide only within": 25, "as many as train": 29, "between": 34}


@pytest.mark.parametrize("units", REGIMES.values(), ids=REGIMES)
def test_least_squares_equal_refitting_for_every_split_and_fold(units):
    x, y, splits = problem(units)
    for held_out in ols(geometry_of(x), y, splits, inner_folds=3):
        expected = least_squares(x, y, held_out.split)
        np.testing.assert_allclose(held_out.prediction, expected, rtol=1e-8, atol=1e-9)
        selection = [
            correlations(least_squares(x, y, fold), y.values[fold.test])
            for fold in folds_of(held_out.split, 3)
        ]
        np.testing.assert_allclose(held_out.selection, np.mean(selection, axis=0), atol=1e-9)


def test_least_squares_take_the_least_norm_where_units_repeat_or_are_constant():
    x, y, splits = problem(10)
    repeated = xr.concat([x, x, x[:, :1] * 0 + 2], "unit")
    held_out = ols(geometry_of(repeated), y, splits)[0]
    expected = least_squares(x, y, splits[0])
    np.testing.assert_allclose(held_out.prediction, expected, atol=1e-9)


@pytest.mark.parametrize("units", [1, 10, 60])
def test_least_squares_of_duplicated_stimuli_equal_refitting(units):
    x, y, splits = problem(units)
    x[1], x[2], x[20] = x[0], x[0], x[30]
    for held_out in ols(geometry_of(x), y, splits):
        expected = least_squares(x, y, held_out.split)
        np.testing.assert_allclose(held_out.prediction, expected, rtol=1e-8, atol=1e-9)


def components(x, y, split, count):
    """The first `count` principal components, or all there are, as scikit-learn finds them."""
    count = min(count, len(split.train) - 1, x.shape[1])
    model = make_pipeline(PCA(count, svd_solver="full"), LinearRegression())
    return model.fit(x.values[split.train], y.values[split.train]).predict(x.values[split.test])


@pytest.mark.parametrize("units", [10, 200], ids=["tall", "wide"])
def test_the_number_of_components_is_chosen_for_each_neuroid_as_by_refitting(units):
    x, y, splits = problem(units)
    counts = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    held_out = pcr(geometry_of(x), y, splits, inner_folds=3)[0]
    folds = folds_of(splits[0], 3)
    inner = [[components(x, y, fold, count) for fold in folds] for count in counts]
    observed = [y.values[fold.test] for fold in folds]
    errors = [sum(((p - o) ** 2).sum(0) for p, o in zip(i, observed, strict=True)) for i in inner]
    # Counts past what the stimuli span tie up to rounding: any of them gives the same.
    best = np.argmin(np.round(errors, 8), axis=0)
    assert len(set(best)) > 1
    for neuroid, number in enumerate(best):
        expected = components(x, y, splits[0], counts[number])[:, neuroid]
        np.testing.assert_allclose(held_out.prediction[:, neuroid], expected, atol=1e-9)
        each = [correlations(p, o)[neuroid] for p, o in zip(inner[number], observed, strict=True)]
        assert held_out.selection[neuroid] == pytest.approx(np.mean(each), abs=1e-9)


def test_a_given_number_of_components_is_kept_to():
    x, y, splits = problem(200)
    for held_out in pcr(geometry_of(x), y, splits, components=3):
        expected = components(x, y, held_out.split, 3)
        np.testing.assert_allclose(held_out.prediction, expected, atol=1e-9)


def test_components_past_those_that_the_features_have_change_nothing():
    x, y, splits = problem(10)
    held_out = pcr(geometry_of(x), y, splits, components=500)[0]
    np.testing.assert_allclose(held_out.prediction, least_squares(x, y, splits[0]), atol=1e-9)


def gaussian(x, y, split, penalty, bandwidth):
    """Kernel ridge on a kernel centred on the training stimuli, which stands for an intercept."""
    gamma = 1 / (bandwidth * np.median(pdist(x.values, "sqeuclidean")))
    train, test = x.values[split.train], x.values[split.test]
    centerer = KernelCenterer().fit(rbf_kernel(train, train, gamma))
    mean = y.values[split.train].mean(axis=0)
    model = KernelRidge(alpha=penalty, kernel="precomputed")
    model.fit(centerer.transform(rbf_kernel(train, train, gamma)), y.values[split.train] - mean)
    return mean + model.predict(centerer.transform(rbf_kernel(test, train, gamma)))


@pytest.mark.parametrize("bandwidth", [0.3, 1.0])
def test_gaussian_ridge_equals_refitting_every_fold_and_penalty(bandwidth):
    x, y, splits = problem(10)
    held_out = kernel_ridge_rbf(geometry_of(x), y, splits, inner_folds=3, bandwidth=bandwidth)[0]
    gamma = 1 / (bandwidth * np.median(pdist(x.values, "sqeuclidean")))
    kernel = KernelCenterer().fit_transform(rbf_kernel(x.values, x.values, gamma))
    penalties = np.trace(kernel) / len(x) * np.logspace(-6, 4, 21)
    folds = folds_of(splits[0], 3)
    observed = [y.values[fold.test] for fold in folds]
    inner = [[gaussian(x, y, fold, each, bandwidth) for fold in folds] for each in penalties]
    errors = [sum(((p - o) ** 2).sum(0) for p, o in zip(i, observed, strict=True)) for i in inner]
    for neuroid, number in enumerate(np.argmin(errors, axis=0)):
        expected = gaussian(x, y, splits[0], penalties[number], bandwidth)[:, neuroid]
        np.testing.assert_allclose(held_out.prediction[:, neuroid], expected, atol=1e-9)
        each = [correlations(p, o)[neuroid] for p, o in zip(inner[number], observed, strict=True)]
        assert held_out.selection[neuroid] == pytest.approx(np.mean(each), abs=1e-9)


def test_a_gaussian_kernel_reads_out_what_no_line_can():
    x, y, splits = problem(2, stimuli=80)
    centred = (x - x.mean("stimulus")).values
    y.values[:] = (centred[:, :1] / 3) ** 2
    lines, bumps = ols(geometry_of(x), y, splits)[0], kernel_ridge_rbf(geometry_of(x), y, splits)[0]
    assert bumps.selection[0] > 0.9 > 0.5 > lines.selection[0]


def test_the_median_distance_is_that_of_stimuli_that_differ():
    x, y, splits = problem(10)
    x[5:] = x[5].values
    held_out = kernel_ridge_rbf(geometry_of(x), y, splits)[0]
    assert np.isfinite(held_out.prediction).all()
    with pytest.raises(InputError, match="no distances"):
        kernel_ridge_rbf(geometry_of(x * 0 + 1), y, splits)


REGRESSIONS = ["ols", "pcr", "kernel-ridge-rbf"]


@pytest.mark.parametrize("scorer", REGRESSIONS)
def test_held_out_responses_do_not_reach_their_own_prediction(scorer):
    x, y, splits = problem(60)
    before = load_scorer(scorer)(geometry_of(x), y, splits[:1])[0]
    y.values[splits[0].test] += 1000 * np.random.default_rng(3).normal(size=(10, NEUROIDS))
    after = load_scorer(scorer)(geometry_of(x), y, splits[:1])[0]
    np.testing.assert_allclose(after.selection, before.selection, atol=1e-8)
    np.testing.assert_allclose(after.prediction, before.prediction, atol=1e-8)


@pytest.mark.parametrize("scorer", REGRESSIONS)
def test_a_constant_neuroid_is_predicted_by_itself_and_has_no_selection(scorer):
    x, y, splits = problem(60)
    y[:, 2] = 4.0
    held_out = load_scorer(scorer)(geometry_of(x), y, splits)[0]
    np.testing.assert_allclose(held_out.prediction[:, 2], 4.0, atol=1e-9)
    assert held_out.selection[2] == 0


@pytest.mark.parametrize("scorer", REGRESSIONS)
def test_one_unit_is_enough(scorer):
    x, y, splits = problem(1)
    held_out = load_scorer(scorer)(geometry_of(x), y, splits)[0]
    assert np.isfinite(held_out.prediction).all()


@pytest.mark.parametrize("scorer", ["pls", "ridge", *REGRESSIONS])
def test_too_few_training_stimuli_for_inner_folds_are_refused(scorer):
    x, y, splits = problem(3, stimuli=8)
    with pytest.raises(InputError, match="6 stimuli are too few"):
        load_scorer(scorer)(geometry_of(x), y, splits)


def test_options_without_a_meaning_are_refused():
    x, y, splits = problem(10)
    with pytest.raises(InputError, match="at least 1"):
        pcr(geometry_of(x), y, splits, components=0)
    with pytest.raises(InputError, match="positive multiple"):
        kernel_ridge_rbf(geometry_of(x), y, splits, bandwidth=0)
