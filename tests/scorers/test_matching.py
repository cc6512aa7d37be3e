"""Matchings against POT, scipy and brute force, and by the formulas of ReSi and Brain-Score."""

from itertools import permutations

import numpy as np
import ot
import pytest
import xarray as xr
from isocortex.scorers.matching import one_to_one
from scipy.optimize import linear_sum_assignment
from scipy.stats import pearsonr
from tests.synthetic import recorded_trials, recording, stimulus_ids

from isocortex.benchmarks import Benchmark, load_scorer
from isocortex.errors import IncompatibleError, InputError, MismatchError, UnknownNameError
from isocortex.evaluation import evaluate
from isocortex.geometry import Brain, geometry_of
from isocortex.registry import scorer_card
from isocortex.responses import Responses
from isocortex.splits import Split, make_splits

PLAIN = ["semi-matching", "soft-matching", "permutation"]
HELD_OUT = [f"{name}-held-out" for name in PLAIN]
SIMILARITIES = [*PLAIN, *HELD_OUT, "permutation-procrustes"]


def related(stimuli: int = 40, units: int = 9, neuroids: int = 5, *, noise: float = 1.0):
    """Neuroids that follow single units, in noise, of unequal variance and far from 0."""
    generator = np.random.default_rng(1)
    x = generator.normal(size=(stimuli, units)) * np.linspace(0.5, 3, units)
    noisy = noise * generator.normal(size=(stimuli, neuroids))
    return x + 20, x[:, np.arange(neuroids)[::-1] % units] + noisy - 7


def units(x: np.ndarray) -> Responses:
    return Responses(tuple(stimulus_ids(len(x))), x)


def monkey(*recorded: np.ndarray) -> Brain:
    return Brain(tuple(f"m{each}" for each in range(len(recorded))), tuple(map(units, recorded)))


def similarity(name: str, x: np.ndarray, y: np.ndarray, **counts: np.ndarray) -> float:
    return load_scorer(name)(units(x), monkey(y), **counts).item()


def correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(unit, neuroid), as NumPy computes them."""
    return np.corrcoef(x.T, y.T)[: x.shape[1], x.shape[1] :]


def plan(name: str, r: np.ndarray) -> np.ndarray:
    """How much each pair (unit, neuroid) counts."""
    p, v = r.shape
    if name.startswith("soft"):
        return ot.emd(np.full(p, 1 / p), np.full(v, 1 / v), 1 - r)
    shares = np.zeros((p, v))
    if name.startswith("permutation"):
        shares[linear_sum_assignment(-r)] = 1 / min(p, v)
    else:
        shares[np.arange(p), r.argmax(axis=1)] += 1 / (2 * p)
        shares[r.argmax(axis=0), np.arange(v)] += 1 / (2 * v)
    return shares


@pytest.mark.parametrize("sizes", [(9, 5), (5, 9), (7, 7), (1, 4), (4, 1), (60, 11), (1100, 3)])
@pytest.mark.parametrize("name", PLAIN)
def test_a_score_is_the_mean_correlation_of_the_pairs_that_peers_choose(name, sizes):
    x, y = related(30, *sizes)
    r = correlations(x, y)
    assert similarity(name, x, y) == pytest.approx((plan(name, r) * r).sum(), abs=1e-12)


def test_semi_matching_is_resis_soft_correlation_match():
    x, y = related()
    r = correlations(x, y)
    expected = (r.max(axis=1).mean() + r.max(axis=0).mean()) / 2
    assert similarity("semi-matching", x, y) == pytest.approx(expected, abs=1e-12)


def test_no_other_order_of_the_neuroids_correlates_better():
    x, y = related(30, 5, 5)
    r = correlations(x, y)
    expected = max(np.mean(r[range(5), order]) for order in permutations(range(5)))
    assert similarity("permutation", x, y) == pytest.approx(expected, abs=1e-12)


def test_the_soft_matching_distance_is_the_wasserstein_distance_of_unit_columns():
    first, second = ((z - z.mean(0)) / np.linalg.norm(z - z.mean(0), axis=0) for z in related())
    squared = ot.emd2([], [], ot.dist(first.T, second.T, "sqeuclidean"))
    score = similarity("soft-matching", *related())
    assert np.sqrt(2 - 2 * score) == pytest.approx(np.sqrt(squared), abs=1e-9)


def test_equal_numbers_are_transported_one_to_one():
    x, y = related(30, 8, 8)
    expected = similarity("permutation", x, y)
    assert similarity("soft-matching", x, y) == pytest.approx(expected, abs=1e-12)


def test_copies_of_all_units_change_nothing_but_a_copy_of_one_takes_its_mass():
    x, y = related()
    before = similarity("soft-matching", x, y)
    assert similarity("soft-matching", np.hstack([x, x]), y) == pytest.approx(before, abs=1e-12)
    assert abs(similarity("soft-matching", np.hstack([x, x[:, :1]]), y) - before) > 1e-3


@pytest.mark.parametrize("name", [*PLAIN, *HELD_OUT])
def test_an_opposite_is_no_match(name):
    x, _ = related(units=1)
    assert similarity(name, x, -x) == pytest.approx(-1)
    assert similarity(name, x, x * 3) == pytest.approx(1)


@pytest.mark.parametrize("name", PLAIN)
def test_units_without_tuning_have_no_part(name):
    x, y = related()
    with_dead = np.hstack([np.full((len(x), 4), 1e6 + 0.1), x])
    assert similarity(name, with_dead, y) == pytest.approx(similarity(name, x, y), abs=1e-12)
    assert similarity(name, y, with_dead) == pytest.approx(similarity(name, y, x), abs=1e-12)


@pytest.mark.parametrize("name", HELD_OUT)
def test_held_out_pairs_are_chosen_on_all_other_stimuli(name):
    x, y = related(23)
    counts = np.random.default_rng(4).integers(0, 4, (3, 23)).astype(float)
    counts[0] = 1
    actual = load_scorer(name)(units(x), monkey(y), counts=counts).values[:, 0]
    order = np.random.default_rng(0).permutation(23)
    expected = np.zeros(3)
    for scored in np.array_split(order, 5):  # 23 stimuli: five folds of at least four
        rest = np.setdiff1d(order, scored)
        shares = plan(name, correlations(x[rest], y[rest]))
        for each, weights in enumerate(counts[:, scored].astype(int)):
            drawn = np.repeat(scored, weights)
            r = (shares * correlations(x[drawn], y[drawn])).sum()
            expected[each] += weights.sum() / counts[each].sum() * r
    np.testing.assert_allclose(actual, expected, atol=1e-12)
    assert similarity(name, x, y) == pytest.approx(expected[0], abs=1e-12)


@pytest.mark.parametrize("name", SIMILARITIES)
def test_the_order_in_which_stimuli_are_given_changes_nothing(name):
    x, y = related(23)
    order = np.random.default_rng(5).permutation(23)
    given = [units(each).select(order) for each in (x, y)]
    actual = load_scorer(name)(given[0], Brain(("m",), (given[1],))).item()
    assert actual == pytest.approx(similarity(name, x, y), abs=1e-12)


def test_the_best_of_many_unrelated_units_flatters_unless_it_is_held_out():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(60, 1000)), generator.normal(size=(60, 30))
    assert similarity("permutation", x, y) > 0.35
    assert similarity("semi-matching", x, y) > 0.25
    for name in HELD_OUT:
        assert abs(similarity(name, x, y)) < 0.05


def bootstrapped(stimuli: int) -> np.ndarray:
    """Three bootstrap samples, as counts (resample, stimulus)."""
    shares = np.full(stimuli, 1 / stimuli)
    return np.random.default_rng(2).multinomial(stimuli, shares, size=3).astype(float)


@pytest.mark.parametrize("name", PLAIN)
def test_stimuli_that_are_drawn_twice_count_twice_with_the_match_held_fixed(name):
    x, y = related()
    resampled = load_scorer(name)(units(x), monkey(y, y + x[:, :5]), counts=bootstrapped(40))
    assert resampled.dims == ("resample", "subject")
    shares = plan(name, correlations(x, y))
    for row, actual in zip(bootstrapped(40).astype(int), resampled.values[:, 0], strict=True):
        repeated = np.repeat(np.arange(40), row)
        expected = (shares * correlations(x[repeated], y[repeated])).sum()
        assert actual == pytest.approx(expected, abs=1e-12)


def test_procrustes_weighs_stimuli_as_often_as_they_are_drawn():
    x, _ = related()
    x /= x.std(axis=0)  # so that the best pairs are the same in every resample
    y = x[:, ::-1] + 0.3 * related()[0][:, :1]
    resampled = load_scorer("permutation-procrustes")(units(x), monkey(y), counts=bootstrapped(40))
    for row, actual in zip(bootstrapped(40).astype(int), resampled.values[:, 0], strict=True):
        repeated = np.repeat(np.arange(40), row)
        expected = similarity("permutation-procrustes", x[repeated], y[repeated])
        assert actual == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", SIMILARITIES)
def test_counts_of_one_are_the_sample_and_a_fold_that_is_never_drawn_is_left_out(name):
    x, y = related(12)
    counts = np.ones((2, 12))
    counts[1, np.random.default_rng(0).permutation(12)[:4]] = 0  # the first of three folds
    resampled = load_scorer(name)(units(x), monkey(y), counts=counts).values[:, 0]
    assert resampled[0] == pytest.approx(similarity(name, x, y), abs=1e-12)
    assert np.isfinite(resampled[1])
    assert resampled[1] != pytest.approx(resampled[0], abs=1e-6)


@pytest.mark.parametrize("name", SIMILARITIES)
def test_each_subject_is_scored_as_if_alone(name):
    x, y = related()
    actual = load_scorer(name)(units(x), monkey(y, y[:, :2]))
    expected = [similarity(name, x, y), similarity(name, x, y[:, :2])]
    assert actual.dims == ("subject",)
    np.testing.assert_allclose(actual.values, expected, atol=1e-14)


@pytest.mark.parametrize("name", SIMILARITIES)
def test_huge_offsets_and_half_precision_are_no_obstacle(name):
    x, y = related()
    before = similarity(name, x, y)
    assert similarity(name, x + 1e6, y - 1e6) == pytest.approx(before, abs=1e-9)
    half = x.astype(np.float16)
    expected = similarity(name, half.astype(np.float64), y)
    assert similarity(name, half, y) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", SIMILARITIES)
def test_what_cannot_be_matched_is_refused(name):
    x, y = related()
    score = load_scorer(name)
    with pytest.raises(InputError, match="the model: each unit answers alike to all"):
        similarity(name, x * 0 + 3, y)
    with pytest.raises(InputError, match="the brain: each unit answers alike to all"):
        similarity(name, x, y * 0)
    with pytest.raises(InputError, match="3 stimuli are too few"):
        similarity(name, x[:3], y[:3])
    with pytest.raises(MismatchError):
        score(units(x), monkey(y[:20]))
    geometry = geometry_of(units(x))
    with pytest.raises(IncompatibleError, match="single units; the model is a Geometry"):
        score(geometry, monkey(y))


def test_too_few_stimuli_to_hold_some_out_and_unknown_rules_are_refused():
    x, y = related(7)
    with pytest.raises(InputError, match="7 stimuli in 5 folds: at least 2 folds of 4"):
        similarity("soft-matching-held-out", x, y)
    with pytest.raises(UnknownNameError, match="no rule is named 'transpot'; did you mean transp"):
        load_scorer("soft-matching")(units(x), monkey(y), rule="transpot")


def padded_cosine(x: np.ndarray, y: np.ndarray) -> float:
    """The best cosine once both are filled up with silent units, as many as both have."""
    total = x.shape[1] + y.shape[1]
    first, second = (np.pad(z - z.mean(0), ((0, 0), (0, total - z.shape[1]))) for z in (x, y))
    products = first.T @ second
    best = products[linear_sum_assignment(-products)].sum()
    return best / np.linalg.norm(first) / np.linalg.norm(second)


@pytest.mark.parametrize("sizes", [(5, 5), (6, 4), (3, 5)])
def test_permutation_procrustes_is_the_best_cosine_of_padded_responses(sizes):
    generator = np.random.default_rng(3)
    x, y = (generator.normal(size=(12, width)) * range(1, width + 1) for width in sizes)
    actual = similarity("permutation-procrustes", x, y)
    assert actual == pytest.approx(padded_cosine(x, y), abs=1e-12)


def test_a_unit_that_only_has_opposites_does_not_cost_others_their_match():
    x = np.random.default_rng(3).normal(size=(12, 2))
    x = np.linalg.qr(x - x.mean(axis=0))[0]
    y = x @ np.array([[5.0, 1], [1, -10]])  # which are then the products, too
    actual = similarity("permutation-procrustes", x, y)
    assert actual == pytest.approx(padded_cosine(x, y), abs=1e-12)
    assert similarity("permutation-procrustes", x[:, :1], -x[:, :1]) == 0


def test_filling_up_to_the_larger_number_only_would_make_no_metric():
    """u and −u are at 180°, but (u, −u) would lie 45° from either; here they are at 90°."""
    u = np.random.default_rng(0).normal(size=(12, 1))
    between = np.hstack([u, -u])
    angles = [
        np.degrees(np.arccos(similarity("permutation-procrustes", *pair)))
        for pair in ((u, -u), (u, between), (between, -u))
    ]
    np.testing.assert_allclose(angles, [90, 45, 45], atol=1e-6)


def brain_score(x, y, split: Split) -> np.ndarray:
    """Their neuron-to-neuron mapping, written out: (test stimulus, neuroid)."""
    train = [
        [pearsonr(unit, neuroid)[0] for unit in x[split.train].T] for neuroid in y[split.train].T
    ]
    return x[split.test][:, np.nanargmax(train, axis=1)]


def by_columns(x, y) -> list[float]:
    return [pearsonr(first, second)[0] for first, second in zip(x.T, y.T, strict=True)]


def as_targets(y: np.ndarray) -> xr.DataArray:
    coords = {"stimulus": stimulus_ids(len(y))}
    return xr.DataArray(y, dims=("stimulus", "neuroid"), coords=coords)


def test_one_to_one_is_brain_scores_mapping_and_selects_by_inner_folds():
    x, y = related(noise=3)
    protocol = scorer_card("brain-score-neuron-to-neuron").splits
    for held_out in one_to_one(units(x), as_targets(y), make_splits(40, protocol), inner_folds=3):
        split = held_out.split
        observed = y[split.test]
        expected = by_columns(brain_score(x, y, split), observed)
        np.testing.assert_allclose(by_columns(held_out.prediction, observed), expected, atol=1e-9)
        inner = make_splits(len(split.train), {"kind": "k-fold", "folds": 3, "seed": 0})
        folds = [Split(split.train[fold.train], split.train[fold.test]) for fold in inner]
        selection = [by_columns(brain_score(x, y, fold), y[fold.test]) for fold in folds]
        np.testing.assert_allclose(held_out.selection, np.mean(selection, axis=0), atol=1e-9)


def test_the_brain_score_preset_scores_as_they_do():
    x, y = related(noise=3)
    region = recorded_trials(y, noise=0.1)
    entry = "brain-score-neuron-to-neuron"
    benchmark = Benchmark(recording(region), "IT", scorer_card(entry), one_to_one, "", resamples=2)
    mean = region.mean("repeat").values
    medians = [
        np.median(by_columns(brain_score(x, mean, split), mean[split.test]))
        for split in benchmark.splits
    ]
    score = evaluate(benchmark, {"layer": units(x)})
    assert score.raw == pytest.approx(np.mean(medians), abs=1e-9)
    assert score.value == pytest.approx(score.raw**2 / score.ceiling.upper, abs=1e-12)


SPLIT = Split(np.arange(30), np.arange(30, 40))


def test_predictions_have_mean_and_variance_of_the_training_responses():
    x, _ = related()
    held_out = one_to_one(units(x), as_targets(5 * x[:, [2, 7]] - 90), [SPLIT])[0]
    expected = 5 * x[SPLIT.test][:, [2, 7]] - 90
    np.testing.assert_allclose(held_out.prediction, expected, atol=1e-9)
    np.testing.assert_allclose(held_out.selection, 1)


def test_a_unit_is_never_turned_over_and_one_without_tuning_never_chosen():
    x, _ = related(units=1)
    with_dead = np.hstack([np.full_like(x, 7), x])
    held_out = one_to_one(units(with_dead), as_targets(-x), [SPLIT])[0]
    np.testing.assert_allclose(by_columns(held_out.prediction, -x[SPLIT.test]), -1)


def test_a_constant_neuroid_is_predicted_by_itself_and_has_no_selection():
    x, y = related()
    y[:, 2] = 4
    held_out = one_to_one(units(x), as_targets(y), [SPLIT])[0]
    np.testing.assert_allclose(held_out.prediction[:, 2], 4)
    assert held_out.selection[2] == 0


def test_held_out_responses_do_not_reach_their_own_prediction():
    x, y = related()
    before = one_to_one(units(x), as_targets(y), [SPLIT])[0]
    y[SPLIT.test] = np.random.default_rng(0).normal(size=(10, 5)) * 1000
    after = one_to_one(units(x), as_targets(y), [SPLIT])[0]
    np.testing.assert_array_equal(after.prediction, before.prediction)
    np.testing.assert_array_equal(after.selection, before.selection)


def test_no_unit_of_unrelated_layers_is_found_to_predict():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(60, 2000)), generator.normal(size=(60, 40))
    splits = make_splits(60, {"kind": "k-fold", "folds": 5, "seed": 0})
    found = one_to_one(units(x), as_targets(y), splits)
    r = [by_columns(each.prediction, y[each.split.test]) for each in found]
    assert abs(np.mean(r)) < 0.05
    assert abs(np.mean([each.selection for each in found])) < 0.05
