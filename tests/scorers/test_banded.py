"""Banded ridge against himalaya, refitted for every split, fold, draw and penalty."""

import numpy as np
import pytest
import xarray as xr
from himalaya.kernel_ridge import KernelRidgeCV, MultipleKernelRidgeCV
from himalaya.kernel_ridge._random_search import generate_dirichlet_samples
from himalaya.scoring import r2_score_split
from isocortex.scorers._banded import banded_search, dirichlet_draws, unit_kernels
from isocortex.scorers._nested import Choice
from isocortex.scorers.banded import banded_ridge, himalaya_banded
from isocortex.scorers.ridge import himalaya_ridge, ridge
from sklearn.model_selection import KFold
from tests.synthetic import stimulus_ids

from isocortex.errors import InputError, MismatchError
from isocortex.geometry import Geometry, geometry_of
from isocortex.splits import make_splits

STIMULI, NEUROIDS = 50, 6
SPLITS = make_splits(STIMULI, {"kind": "k-fold", "folds": 3, "seed": 0})


def bands(*units: int) -> list[np.ndarray]:
    """Layers whose scales differ, as those of networks do."""
    generator = np.random.default_rng(1)
    return [
        10.0**place * generator.normal(size=(STIMULI, each)) for place, each in enumerate(units)
    ]


def labelled(values: np.ndarray, dim: str) -> xr.DataArray:
    coords = {"stimulus": stimulus_ids(len(values))}
    return xr.DataArray(values, dims=("stimulus", dim), coords=coords)


def layers(x: list[np.ndarray]) -> dict[str, Geometry]:
    return {f"layer-{n}": geometry_of(labelled(each, "unit")) for n, each in enumerate(x)}


def brain(x: list[np.ndarray], *, offset: float = 0.0) -> xr.DataArray:
    """The first neuroids follow the first layer, the last ones the last; noise rises."""
    generator = np.random.default_rng(2)
    ends = [x[0], x[-1]]
    signal = [each @ generator.normal(size=(each.shape[1], NEUROIDS)) / each.std() for each in ends]
    mix = np.linspace(0, 1, NEUROIDS)
    noise = generator.normal(size=(STIMULI, NEUROIDS)) * np.linspace(0.3, 9, NEUROIDS)
    return labelled((1 - mix) * signal[0] + mix * signal[1] + noise + offset, "neuroid")


def by_himalaya(kernels, y, split, alphas, *, inner, intercept, draws=7):
    """Predictions (test, neuroid) and split scores (band, neuroid) of their random search."""
    options = {"n_iter": draws, "alphas": alphas, "progress_bar": False}
    model = MultipleKernelRidgeCV(
        "precomputed", solver_params=options, cv=inner, random_state=3, fit_intercept=intercept
    )
    train, test = split.train, split.test
    within, across = kernels[:, train][:, :, train], kernels[:, test][:, :, train]
    if intercept:  # on the training means, or their intercept would hold a part of each band
        across = across - across.mean(2, keepdims=True) - within.mean(1)[:, None]
        across += within.mean((1, 2))[:, None, None]
        means = within.mean(1)
        within = within - means[:, None] - means[:, :, None]
        within += kernels[:, train][:, :, train].mean((1, 2))[:, None, None]
    model.fit(within, y[train])
    mean = y[train].mean(0) if intercept else 0
    parts = np.exp(model.deltas_)[:, None] * (across @ model.dual_coef_)
    with pytest.warns(UserWarning, match="zero-mean"):
        return model.predict(across), r2_score_split(y[test] - mean, parts)


def test_the_draws_are_himalayas():
    for count in (2, 5):
        theirs = generate_dirichlet_samples(9, count, random_state=4)
        theirs[0] = 1 / count
        np.testing.assert_array_equal(dirichlet_draws(count, 9, seed=4), theirs)


@pytest.mark.parametrize("units", [(8, 30), (100, 20, 200)], ids=["tall", "wide"])
def test_the_fit_without_intercept_equals_himalayas_random_search(units):
    x = bands(*units)
    y = brain(x)
    fits = himalaya_banded(layers(x), y, SPLITS, draws=7, decades=(-2, 8), seed=3)
    kernels = np.array([each @ each.T for each in x])
    for held_out in fits:
        predicted, shares = by_himalaya(
            kernels, y.values, held_out.split, np.logspace(-2, 8, 11), inner=5, intercept=False
        )
        np.testing.assert_allclose(held_out.prediction, predicted, atol=1e-6)
        np.testing.assert_allclose(held_out.shares, shares, atol=1e-6)


def test_the_fit_with_intercept_equals_himalayas_random_search():
    x = bands(8, 60)
    y, kernels = brain(x, offset=50.0), unit_kernels(layers(x))
    alphas = np.logspace(-4, 3, 9)
    fits = banded_search(
        kernels,
        y.values,
        SPLITS,
        shares=dirichlet_draws(2, 7, seed=3),
        penalties=lambda kernel: alphas,
        choice=Choice(4),
    )
    inner = KFold(4, shuffle=True, random_state=0)
    for held_out in fits:
        predicted, shares = by_himalaya(
            kernels, y.values, held_out.split, alphas, inner=inner, intercept=True
        )
        np.testing.assert_allclose(held_out.prediction, predicted, atol=1e-6)
        np.testing.assert_allclose(held_out.shares, shares, atol=1e-6)


@pytest.mark.parametrize("units", [10, 200], ids=["tall", "wide"])
def test_one_layer_equals_himalayas_kernel_ridge(units):
    x = bands(units)
    y = brain(x)
    for held_out in himalaya_ridge(layers(x)["layer-0"], y, SPLITS, decades=(-2, 6)):
        train, test = held_out.split.train, held_out.split.test
        model = KernelRidgeCV(np.logspace(-2, 6, 9), cv=5, warn=False).fit(x[0][train], y[train])
        np.testing.assert_allclose(held_out.prediction, model.predict(x[0][test]), atol=1e-6)
        assert len(set(model.best_alphas_)) > 1


def test_penalties_that_do_alike_give_way_to_the_larger():
    """Their 10⁻¹⁰ ln α decides where squared errors are of that size, as in responses of 10⁻⁵."""
    x = bands(10)
    y = brain(x) * 1e-5
    held_out = himalaya_ridge(layers(x)["layer-0"], y, SPLITS, decades=(-2, 6))[0]
    train, test = held_out.split.train, held_out.split.test
    model = KernelRidgeCV(np.logspace(-2, 6, 9), cv=5, warn=False).fit(x[0][train], y[train])
    np.testing.assert_allclose(held_out.prediction, model.predict(x[0][test]), rtol=1e-6)


def test_penalties_that_leave_nearly_nothing_still_predict_in_the_right_proportions():
    """10²⁰ against features of norm 10: y − ŷ would round ŷ away, dual weights do not."""
    x = bands(20)
    y = brain(x)
    held_out = himalaya_ridge(layers(x)["layer-0"], y, SPLITS, decades=(20, 20))[0]
    train, test = held_out.split.train, held_out.split.test
    expected = x[0][test] @ x[0][train].T @ y.values[train] / 1e20
    np.testing.assert_allclose(held_out.prediction, expected, rtol=1e-9)


def test_banded_ridge_on_one_layer_is_ridge():
    x = bands(40)
    y, side = brain(x, offset=9.0), layers(x)
    for banded, plain in zip(
        banded_ridge(side, y, SPLITS), ridge(side["layer-0"], y, SPLITS), strict=True
    ):
        np.testing.assert_allclose(banded.prediction, plain.prediction, atol=1e-9)
        np.testing.assert_allclose(banded.selection, plain.selection, atol=1e-9)


def test_shares_sum_to_the_variance_explained_and_tell_the_layers_apart():
    x = bands(12, 12)
    y = brain(x)
    for held_out in banded_ridge(layers(x), y, SPLITS, draws=9):
        observed = y.values[held_out.split.test]
        mean = y.values[held_out.split.train].mean(0)
        unexplained = ((observed - held_out.prediction) ** 2).sum(0)
        explained = 1 - unexplained / ((observed - mean) ** 2).sum(0)
        np.testing.assert_allclose(held_out.shares.sum(0), explained, atol=1e-9)
        assert held_out.shares[0, 0] > 0.5 > abs(held_out.shares[1, 0])


def test_the_scale_of_a_layer_changes_nothing():
    x = bands(12, 12)
    y, scaled = brain(x), [x[0] * 1e3, x[1]]
    for before, after in zip(
        banded_ridge(layers(x), y, SPLITS, draws=5),
        banded_ridge(layers(scaled), y, SPLITS, draws=5),
        strict=True,
    ):
        np.testing.assert_allclose(before.prediction, after.prediction, atol=1e-8)


def test_held_out_responses_do_not_reach_their_own_prediction():
    x = bands(12, 90)
    y = brain(x)
    before = banded_ridge(layers(x), y, SPLITS[:1], draws=5)[0]
    y.values[SPLITS[0].test] += 1000 * np.random.default_rng(3).normal(size=(17, NEUROIDS))
    after = banded_ridge(layers(x), y, SPLITS[:1], draws=5)[0]
    np.testing.assert_allclose(after.prediction, before.prediction, atol=1e-8)


def test_a_constant_neuroid_has_no_shares():
    x = bands(12, 12)
    y = brain(x)
    y[:, 1] = 0.0
    held_out = banded_ridge(layers(x), y, SPLITS, draws=3)[0]
    np.testing.assert_array_equal(held_out.shares[:, 1], 0)


def test_what_cannot_be_fitted_together_is_refused():
    x = bands(12, 12)
    y = brain(x)
    with pytest.raises(InputError, match="0 draws"):
        banded_ridge(layers(x), y, SPLITS, draws=0)
    with pytest.raises(InputError, match="layer-1 answers alike"):
        banded_ridge(layers([x[0], 0 * x[1] + 3]), y, SPLITS)
    backwards = layers(x)["layer-1"].select(np.arange(STIMULI)[::-1])
    with pytest.raises(MismatchError, match="same stimuli"):
        banded_ridge({**layers(x), "layer-1": backwards}, y, SPLITS)
