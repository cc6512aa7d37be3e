"""Curves of correlation over distance, pair by pair, on simulated sheets with places."""

import numpy as np
import pytest
from isocortex.scorers import topographic as module
from isocortex.scorers.topographic import correlation_over_distance, smoothness, topographic
from scipy.spatial.distance import cdist, pdist
from scipy.stats import pearsonr
from tests.synthetic import recorded_trials, recording, stimulus_ids

from isocortex.benchmarks import Benchmark
from isocortex.errors import IncompatibleError, InputError, UnknownNameError
from isocortex.evaluation import evaluate
from isocortex.geometry import Brain, geometry_of
from isocortex.registry import scorer_card
from isocortex.responses import Responses

STIMULI = 40


def sheet(length: float, *, side: int = 9, seed: int = 0, noise: float = 0.3) -> Responses:
    """A square sheet whose responses are smooth over `length` of its side; 0 without topography."""
    generator = np.random.default_rng(seed)
    places = np.column_stack(np.divmod(np.arange(side**2), side)) / side
    kernel = np.exp(-0.5 * (cdist(places, places) / length) ** 2) if length else np.eye(side**2)
    values, vectors = np.linalg.eigh(kernel)
    white = generator.normal(size=(STIMULI, side**2))
    responses = white @ (np.sqrt(values.clip(min=0)) * vectors).T
    return units(responses + noise * generator.normal(size=white.shape), places)


def units(values: np.ndarray, places: np.ndarray | None) -> Responses:
    return Responses(tuple(stimulus_ids(len(values))), values, places)


def score(model: Responses, region: Responses, comparison: str = "concordance") -> float:
    return topographic(model, Brain(("monkey",), (region,)), comparison=comparison).item()


def crowded() -> Responses:
    """40 units at 13 places of a sheet, as the channels of a convolution are."""
    generator = np.random.default_rng(3)
    places = generator.integers(0, 4, (40, 2)) / 4.0
    return units(generator.normal(size=(STIMULI, 40)) + places[:, 0] * 3, places)


def curve_of_pairs(side: Responses) -> tuple[np.ndarray, np.ndarray]:
    """The same curve and its numbers of pairs, from every pair of units by itself."""
    upper = np.triu_indices(side.values.shape[1], k=1)
    correlations, distances = np.corrcoef(side.values.T)[upper], pdist(side.places)
    median = np.quantile(distances[distances > 0], 0.5, method="inverted_cdf")
    bins = np.digitize(distances / median + 1e-9, np.arange(10) * 0.2) - 1
    members = [correlations[(bins == each) & (distances < 2 * median - 1e-9)] for each in range(10)]
    means = [values.mean() if len(values) else np.nan for values in members]
    return np.array(means), np.array([len(values) for values in members])


@pytest.mark.parametrize("side", [sheet(0.2), crowded()], ids=["one unit a place", "crowded"])
def test_a_curve_is_the_mean_correlation_of_pairs_at_each_distance(side):
    curve = correlation_over_distance(side)
    means, pairs = curve_of_pairs(side)
    assert curve.dims == ("distance",)
    np.testing.assert_allclose(curve.distance, np.arange(0.1, 2, 0.2), atol=1e-12)
    np.testing.assert_array_equal(curve.pairs, pairs)
    np.testing.assert_allclose(curve.values, means, atol=1e-12)


@pytest.mark.parametrize("side", [sheet(0.2), crowded()], ids=["one unit a place", "crowded"])
def test_neither_unit_nor_origin_of_places_nor_order_of_units_matters(side):
    order = np.random.default_rng(1).permutation(side.values.shape[1])
    for factor in (0.1, 3, 1e4):
        moved = units(side.values[:, order], side.places[order] * factor - 5 * factor)
        expected = correlation_over_distance(side).values
        np.testing.assert_allclose(correlation_over_distance(moved).values, expected, atol=1e-9)


def test_smooth_sheets_agree_whatever_they_show_and_one_without_topography_does_not():
    region = sheet(0.2, side=12, seed=1)
    assert score(sheet(0.2, seed=2), region) > 0.95
    assert score(sheet(0.1, seed=2), region) < 0.8
    assert abs(score(sheet(0, seed=2), region)) < 0.05


def test_units_that_change_their_places_lose_their_topography():
    region = sheet(0.2, seed=1)
    order = np.random.default_rng(0).permutation(81)
    shuffled = units(region.values[:, order], region.places)
    assert score(region, region) == pytest.approx(1, abs=1e-12)
    assert abs(score(shuffled, region)) < 0.05


def test_the_comparisons_are_lins_concordance_and_pearsons_correlation():
    first, second = sheet(0.2), sheet(0.35, side=7, seed=4)
    x, y = (correlation_over_distance(each).values for each in (first, second))
    shared = np.isfinite(x) & np.isfinite(y)
    x, y = x[shared], y[shared]
    r = pearsonr(x, y)[0]
    lin = 2 * r * x.std() * y.std() / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    assert score(first, second) == pytest.approx(lin, abs=1e-12)
    assert score(first, second, "correlation") == pytest.approx(r, abs=1e-12)


def test_a_flat_curve_agrees_with_none():
    alike = np.random.default_rng(0).normal(size=(STIMULI, 1)) + np.zeros(81)
    flat, region = units(alike, sheet(0.2).places), sheet(0.2)
    np.testing.assert_allclose(correlation_over_distance(flat).values[1:], 1, atol=1e-12)
    for comparison in ("concordance", "correlation"):
        assert abs(score(flat, region, comparison)) < 1e-9
        assert score(flat, flat, comparison) == 0


def test_constant_units_and_huge_offsets_change_nothing():
    side = crowded()
    values = np.hstack([side.values + 1e6, np.full((STIMULI, 2), 3.0)])
    with_dead = units(values, np.vstack([side.places, [[9, 9], [0, 0]]]))
    expected = correlation_over_distance(side).values
    np.testing.assert_allclose(correlation_over_distance(with_dead).values, expected, atol=1e-9)


def test_of_many_places_a_sample_stands_for_all(monkeypatch):
    side = sheet(0.2, side=14)
    whole = correlation_over_distance(side)
    monkeypatch.setattr(module, "MOST_PLACES", 120)
    sample = correlation_over_distance(side)
    assert sample.pairs.sum() < whole.pairs.sum() / 2
    np.testing.assert_allclose(sample.values[:-1], whole.values[:-1], atol=0.1)
    order = np.random.default_rng(0).permutation(196)
    shuffled = units(side.values[:, order], side.places[order])
    np.testing.assert_allclose(correlation_over_distance(shuffled), sample, atol=1e-12)


def test_smoothness_is_morans_i_over_the_maps_of_all_stimuli():
    side = crowded()
    z = side.values - side.values.mean(axis=0)
    z /= np.linalg.norm(z, axis=0)
    z -= z.mean(axis=1, keepdims=True)
    distances = cdist(side.places, side.places)
    apart = pdist(side.places)
    weights = 1 / (1 + distances / np.quantile(apart[apart > 0], 0.5, method="inverted_cdf"))
    np.fill_diagonal(weights, 0)
    expected = 40 / weights.sum() * np.einsum("si,ij,sj", z, weights, z) / (z**2).sum()
    assert smoothness(side) == pytest.approx(expected, abs=1e-12)


def test_smoothness_tells_a_map_from_none():
    assert smoothness(sheet(0.2)) > 0.01
    assert smoothness(sheet(0)) == pytest.approx(-1 / 80, abs=0.01)
    alike = np.random.default_rng(0).normal(size=(STIMULI, 1)) + np.zeros(81)
    with pytest.raises(InputError, match="all units respond alike"):
        smoothness(units(alike, sheet(0).places))


def test_what_has_no_topography_is_refused():
    side = sheet(0.2)
    nowhere = units(side.values, None)
    with pytest.raises(IncompatibleError, match="the model has no places"):
        score(nowhere, side)
    with pytest.raises(IncompatibleError, match="subject monkey has no places"):
        score(side, nowhere)
    with pytest.raises(IncompatibleError, match="single units; the model is a Geometry"):
        score(geometry_of(side), side)
    with pytest.raises(InputError, match="all units lie at one place"):
        score(units(side.values, np.ones((81, 2))), side)
    with pytest.raises(InputError, match="a unit's place is not finite"):
        score(units(side.values, np.full((81, 2), np.nan)), side)
    with pytest.raises(InputError, match="share 1 of 10 distances; at least 3"):
        score(units(side.values[:, :2], side.places[:2]), side)
    with pytest.raises(InputError, match="the side: each unit answers alike"):
        correlation_over_distance(units(side.values * 0, side.places))
    with pytest.raises(UnknownNameError, match="did you mean concordance"):
        score(side, side, "concordanse")


def test_a_benchmark_reads_the_coordinates_of_neuroids():
    region = sheet(0.2, seed=1)
    trials = recorded_trials(region.values, noise=0.5)
    trials = trials.assign_coords(
        {axis: ("neuroid", region.places[:, each] * 30) for each, axis in enumerate("xy")}
    )
    benchmark = Benchmark(
        recording(trials), "IT", scorer_card("topographic"), topographic, "", resamples=5
    )
    layers = {"smooth": sheet(0.2, seed=2), "random": sheet(0, seed=2)}
    found = evaluate(benchmark, layers)
    assert found.layer == "smooth"
    assert found.raw > 0.8
    assert found.ceiling.upper > 0.8
