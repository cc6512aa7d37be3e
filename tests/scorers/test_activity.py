"""Statistics of activity against scipy and the definitions, over every stimulus, unit and pair."""

from itertools import combinations

import numpy as np
import pytest
from isocortex.scorers.activity import STATISTICS, activity, activity_statistics, shared_part
from scipy.stats import kurtosis, skew
from tests.synthetic import recorded_trials, recording, stimulus_ids

from isocortex.benchmarks import Benchmark, load_scorer
from isocortex.errors import IncompatibleError, InputError, UnknownNameError
from isocortex.evaluation import evaluate
from isocortex.geometry import Brain, geometry_of
from isocortex.registry import scorer_card
from isocortex.responses import Responses

STIMULI = 40


def units(values: np.ndarray) -> Responses:
    return Responses(tuple(stimulus_ids(len(values))), np.asarray(values, np.float64))


def firing(
    count: int = 25, *, seed: int = 0, sparse: float = 1.0, shared: float = 2.0
) -> Responses:
    """Rectified responses: rarer the higher `sparse`, of alike units the higher `shared`."""
    generator = np.random.default_rng(seed)
    causes = generator.normal(size=(STIMULI, 6))
    mixing = np.random.default_rng([seed, 1]).normal(size=(6, count))
    drive = shared * causes @ mixing + generator.normal(size=(STIMULI, count))
    gains = np.random.default_rng([seed, 2]).exponential(size=count)
    return units(gains * np.maximum(drive - sparse * drive.std(), 0))


def by_definition(x: np.ndarray) -> dict[str, float]:
    """Every statistic from single units and pairs of units, one by one."""
    pairs = list(combinations(range(x.shape[1]), 2))
    covariance, correlation = np.cov(x.T, ddof=0), np.corrcoef(x.T)
    off = np.mean([covariance[i, j] ** 2 for i, j in pairs])
    eigenvalues = np.sort(np.linalg.eigvalsh(np.cov(x.T)))[::-1][: min(len(x) - 1, x.shape[1])]
    return {
        "lifetime_sparseness": np.mean([vinje_gallant(unit) for unit in x.T]),
        "population_sparseness": np.mean([vinje_gallant(each) for each in x if each.any()]),
        "rate_unevenness": vinje_gallant(x.mean(axis=0)),
        "gain_unevenness": vinje_gallant(x.std(axis=0)),
        "kurtosis": np.median([kurtosis(unit, fisher=False) for unit in x.T]),
        "skewness": np.median([skew(unit) for unit in x.T]),
        "dimensionality": min(np.mean(np.diag(covariance)) ** 2 / off, len(x) - 1),
        "correlation": np.sqrt(np.mean([correlation[i, j] ** 2 for i, j in pairs])),
        "spectrum_exponent": slope(eigenvalues),
    }


def vinje_gallant(rates: np.ndarray) -> float:
    """S = (1 − (Σ r/n)² / Σ (r²/n)) / (1 − 1/n)."""
    n = len(rates)
    return (1 - (rates.sum() / n) ** 2 / (rates**2 / n).sum()) / (1 - 1 / n)


def slope(eigenvalues: np.ndarray) -> float:
    """Minus the slope of the logarithms over ranks 3 to half of all, by the normal equations."""
    ranks = np.arange(3, len(eigenvalues) // 2 + 1)
    design = np.column_stack([np.log(ranks), np.ones(len(ranks))])
    logarithms, weights = np.log(eigenvalues[ranks - 1]), np.diag(1 / ranks)
    return -np.linalg.solve(design.T @ weights @ design, design.T @ weights @ logarithms)[0]


def score(model: Responses, region: Responses, *statistics: str) -> float:
    chosen = statistics or tuple(set(STATISTICS) - {"skewness", "spectrum_exponent"})
    return activity(model, Brain(("monkey",), (region,)), statistics=chosen).item()


@pytest.mark.parametrize("count", [25, 60], ids=["more stimuli", "more units"])
def test_statistics_equal_their_definitions_unit_by_unit_and_pair_by_pair(count):
    side = firing(count, sparse=0.5)
    side.values[3] = 0  # no unit answers
    found = activity_statistics(side)
    assert found.dims == ("statistic",)
    for name, expected in by_definition(side.values[:, side.values.any(axis=0)]).items():
        assert found.sel(statistic=name).item() == pytest.approx(expected, rel=1e-9), name


def test_sparseness_is_1_where_one_stimulus_drives_one_unit_and_0_where_all_drive_all():
    one_hot = activity_statistics(units(np.eye(STIMULI)))
    dense = activity_statistics(units(1 + 1e-9 * np.eye(STIMULI)))
    for name in ("lifetime_sparseness", "population_sparseness"):
        assert one_hot.sel(statistic=name) == pytest.approx(1, abs=1e-12)
        assert dense.sel(statistic=name) == pytest.approx(0, abs=1e-12)


def test_dimensionality_is_that_of_the_causes_whatever_the_number_of_units():
    causes = np.linalg.qr(np.random.default_rng(0).normal(size=(200, 8)))[0]
    for count in (40, 400, 4000):
        mixing = np.random.default_rng(count).normal(size=(8, count))
        found = activity_statistics(units(causes @ mixing)).sel(statistic="dimensionality")
        assert found == pytest.approx(8, rel=0.15)


def test_a_power_law_has_its_exponent():
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(121, 120)))[0]
    basis -= basis.mean(axis=0)
    basis = np.linalg.qr(basis)[0]
    side = units(basis * np.arange(1, 121) ** -0.6)
    assert activity_statistics(side).sel(statistic="spectrum_exponent") == pytest.approx(1.2)
    few = activity_statistics(units(side.values[:, :11]))
    assert np.isnan(few.sel(statistic="spectrum_exponent"))


def test_unrelated_units_have_as_many_dimensions_as_stimuli_can_show():
    found = activity_statistics(units(np.random.default_rng(0).normal(size=(STIMULI, 3000))))
    assert found.sel(statistic="dimensionality") == pytest.approx(STIMULI - 1, rel=0.01)
    assert found.sel(statistic="correlation") == pytest.approx((STIMULI - 1) ** -0.5, rel=0.01)
    assert found.sel(statistic="kurtosis") == pytest.approx(3, abs=0.3)
    assert found.sel(statistic="skewness") == pytest.approx(0, abs=0.05)
    shift = np.array([1e3, 0, 0])
    two = np.linalg.qr(np.random.default_rng(0).normal(size=(STIMULI, 3)) + shift)[0][:, 1:]
    two -= two.mean(axis=0)
    exact = activity_statistics(units(two)).sel(statistic="dimensionality")
    assert exact == pytest.approx(STIMULI - 1, rel=1e-6)


def test_the_number_of_units_hardly_matters():
    whole = activity_statistics(firing(2000))
    some = np.random.default_rng(5).permutation(2000)[:150]
    part = activity_statistics(units(firing(2000).values[:, some]))
    compared = scorer_card("activity-statistics").options["statistics"]
    alike = shared_part(whole, part).sel(statistic=list(compared))
    assert alike.min() > 0.85


def test_silent_units_change_nothing():
    side = firing()
    silent = units(np.hstack([side.values, np.zeros((STIMULI, 4)), np.full((STIMULI, 3), 2.0)]))
    np.testing.assert_allclose(activity_statistics(silent), activity_statistics(side), rtol=1e-12)


def test_responses_of_any_size_have_the_same_statistics():
    side = firing()
    for factor in (1e-90, 1e90):
        large = activity_statistics(units(side.values * factor))
        np.testing.assert_allclose(large, activity_statistics(side), rtol=1e-9)


def test_a_score_is_the_mean_share_of_the_smaller_in_the_larger():
    first, second = firing(), firing(30, seed=1, sparse=0.2, shared=2)
    x, y = activity_statistics(first), activity_statistics(second)
    names = ["kurtosis", "dimensionality", "correlation"]
    pairs = [(x.sel(statistic=n).item(), y.sel(statistic=n).item()) for n in names]
    assert score(first, second, *names) == pytest.approx(
        np.mean([min(pair) / max(pair) for pair in pairs]), rel=1e-12
    )
    assert score(first, first) == 1


def test_alike_populations_agree_though_their_units_share_no_tuning():
    region, redundancy = firing(80), ("dimensionality", "correlation")
    for seed in range(5, 10):
        alike, dense, unrelated = (
            firing(200, seed=seed, **options) for options in ({}, {"sparse": -2}, {"shared": 0})
        )
        assert score(alike, region) > 0.8 > 0.6 > score(dense, region)
        assert score(alike, region, *redundancy) > 0.8 > 0.6 > score(unrelated, region, *redundancy)


def test_noise_makes_responses_look_sparse_and_unrelated():
    """The caution of the documentation: what averages of few trials add is not taken out."""
    side = firing()
    noise = np.random.default_rng(3).normal(size=side.values.shape) * side.values.std()
    clean, noisy = activity_statistics(side), activity_statistics(units(side.values + noise))
    for name in ("lifetime_sparseness", "population_sparseness", "dimensionality"):
        assert noisy.sel(statistic=name) > clean.sel(statistic=name)
    for name in ("correlation", "kurtosis"):
        assert noisy.sel(statistic=name) < 0.8 * clean.sel(statistic=name)


def test_what_has_no_statistics_is_refused():
    side = firing()
    with pytest.raises(InputError, match="the model: 1 of its units vary over 40 stimuli; "):
        score(units(side.values[:, :1]), side)
    with pytest.raises(InputError, match="subject monkey: each unit answers alike"):
        score(side, units(np.ones((STIMULI, 3))))
    with pytest.raises(InputError, match="3 stimuli"):
        activity_statistics(side.select(np.arange(3)))
    with pytest.raises(IncompatibleError, match="single units; the model is a Geometry"):
        score(geometry_of(side), side)
    with pytest.raises(UnknownNameError, match="did you mean kurtosis"):
        score(side, side, "kurtosi")


def test_a_benchmark_chooses_the_layer_with_the_activity_of_the_region():
    region, name = firing(60), "activity-statistics"
    trials = recorded_trials(region.values, noise=0.05)
    benchmark = Benchmark(
        recording(trials), "IT", scorer_card(name), load_scorer(name), "", resamples=5
    )
    layers = {"dense": firing(100, seed=4, sparse=-2), "alike": firing(100, seed=5)}
    found = evaluate(benchmark, layers)
    assert found.layer == "alike"
    assert found.low <= found.raw <= found.high
    assert found.raw > 0.8
