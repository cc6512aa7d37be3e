"""p-values are never 0, and many of them are held in check as scipy and the papers say."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from isocortex.errors import InputError, UnknownNameError
from isocortex.inference import adjusted_p_values, max_statistic_p_values, p_values

DRAW = np.random.default_rng(0)


def observed(*values: float) -> xr.DataArray:
    return xr.DataArray(list(values), dims="model")


def null(draws: int = 99, models: int = 1) -> xr.DataArray:
    return xr.DataArray(DRAW.normal(size=(draws, models)), dims=("permutation", "model"))


def test_nothing_is_less_likely_than_one_draw():
    assert p_values(observed(9.0), null()).item() == (0 + 1) / (99 + 1)
    assert p_values(observed(9.0), null(), alternative="two-sided").item() == 2 / (99 + 1)
    assert p_values(observed(9.0), null(), alternative="less").item() == 1
    assert max_statistic_p_values(observed(9.0, 8.0), null(models=2)).values.tolist() == [0.01] * 2


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_p_values_are_those_of_scipys_permutation_test(alternative):
    x, y = DRAW.normal(size=(2, 8))
    found = stats.permutation_test(
        (x,),
        lambda x: stats.pearsonr(x, y).statistic,
        permutation_type="pairings",
        n_resamples=200,
        alternative=alternative,
        rng=np.random.default_rng(0),
    )
    draws = xr.DataArray(found.null_distribution, dims="permutation")
    ours = p_values(xr.DataArray(found.statistic), draws, alternative=alternative)
    assert ours.item() == pytest.approx(found.pvalue, abs=1e-12)


def test_a_draw_that_equals_the_observed_counts_despite_rounding():
    draws = xr.DataArray([0.1 + 0.2, 0.0, 0.0], dims="permutation")
    assert p_values(xr.DataArray(0.3), draws).item() == (1 + 1) / (3 + 1)
    draws = draws * (1 - 1e-15)
    assert p_values(xr.DataArray(0.3), draws).item() == (1 + 1) / (3 + 1)


def step_down(values: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Westfall & Young's step-down max T, one hypothesis at a time."""
    adjusted, least = np.empty(len(values)), 0.0
    for place, each in enumerate(np.argsort(-values)):
        left = np.argsort(-values)[place:]
        count = sum(draw[left].max() >= values[each] for draw in draws)
        least = max(least, (count + 1) / (len(draws) + 1))
        adjusted[each] = least
    return adjusted


def test_stepping_down_is_that_of_westfall_and_young():
    values, draws = observed(1.2, 3.0, 0.1, 2.0, 2.1), null(199, 5)
    actual = max_statistic_p_values(values, draws)
    np.testing.assert_allclose(actual, step_down(values.values, draws.values), atol=1e-15)
    single = max_statistic_p_values(values, draws, steps=False)
    greatest = draws.max("model").values
    expected = [((greatest >= value).sum() + 1) / 200 for value in values.values]
    np.testing.assert_allclose(single, expected, atol=1e-15)
    assert (actual <= single).all()
    assert (actual < single).any()


def test_the_greatest_of_many_null_models_is_seldom_found():
    """Of 400 families of 20 null models, 5 % have a p below .05; unadjusted ones, 64 %."""
    rejected, unadjusted = [], []
    for seed in range(400):
        draws = np.random.default_rng(seed).normal(size=(200, 20))
        values, rest = observed(*draws[0]), xr.DataArray(draws[1:], dims=("permutation", "model"))
        rejected.append((max_statistic_p_values(values, rest) <= 0.05).any())
        unadjusted.append((p_values(values, rest) <= 0.05).any())
    error = np.sqrt(0.05 * 0.95 / 400)
    assert np.mean(rejected) == pytest.approx(0.05, abs=3 * error)
    assert np.mean(unadjusted) > 0.5


@pytest.mark.parametrize(("method", "theirs"), [("fdr-bh", "bh"), ("fdr-by", "by")])
def test_false_discovery_rates_are_scipys(method, theirs):
    p = xr.DataArray(DRAW.uniform(size=(3, 4)), dims=("model", "region"))
    expected = stats.false_discovery_control(p.values.reshape(-1), method=theirs).reshape(3, 4)
    np.testing.assert_array_equal(adjusted_p_values(p, method=method), expected)


def test_holm_steps_down_from_bonferroni():
    """Sorted .01, .02, .03, .04 times 4, 3, 2, 1, and never less than the one before."""
    p = observed(0.03, 0.01, 0.04, 0.02)
    expected = [0.03 * 2, 0.01 * 4, 0.02 * 3, 0.02 * 3]
    np.testing.assert_allclose(adjusted_p_values(p), expected)
    assert adjusted_p_values(observed(0.9, 0.8)).values.tolist() == [1, 1]


@pytest.mark.parametrize("fault", [np.nan, 1.1, -0.1])
def test_a_p_value_that_is_none_is_refused(fault):
    with pytest.raises(InputError, match="between 0 and 1"):
        adjusted_p_values(observed(0.1, fault))


def test_what_does_not_belong_together_is_refused():
    with pytest.raises(InputError, match="expected 'permutation'"):
        p_values(observed(0.1), null().rename(permutation="draw"))
    with pytest.raises(InputError, match="sizes"):
        p_values(observed(0.1, 0.2, 0.3), null(models=2))
    with pytest.raises(InputError, match="NaN"):
        max_statistic_p_values(observed(np.nan), null())
    with pytest.raises(UnknownNameError, match="holm"):
        adjusted_p_values(observed(0.1), method="hulm")
    with pytest.raises(UnknownNameError, match="greater"):
        p_values(observed(0.1), null(), alternative="grater")
