"""The bootstrap, the jackknife and permutations against formulas and scipy."""

import numpy as np
import pytest
from scipy import stats
from tests.synthetic import brain, layer, responses

from isocortex.benchmarks import load_scorer
from isocortex.errors import InputError, MismatchError
from isocortex.geometry import Brain, Dissimilarities, Responses, geometry_of
from isocortex.resampling import bootstrap, jackknife, permutation_null
from isocortex.statistics import bootstrap_counts, dual_variance

HEIGHTS = np.random.default_rng(0).gamma(2, size=30)
TABLE = np.random.default_rng(1).normal(size=(12, 7))


def mean(stimulus: np.ndarray) -> np.ndarray:
    return stimulus @ HEIGHTS / stimulus.sum(axis=1)


def table_mean(stimulus: np.ndarray, subject: np.ndarray) -> np.ndarray:
    total = stimulus.sum(axis=1) * subject.sum(axis=1)
    return np.einsum("ri,ij,rj->r", stimulus, TABLE, subject) / total


def variance(stimulus: np.ndarray) -> np.ndarray:
    """The plain variance, which is too small by (n − 1)/n."""
    return stimulus @ HEIGHTS**2 / stimulus.sum(axis=1) - mean(stimulus) ** 2


def test_the_variance_of_a_mean_is_its_formula():
    found = bootstrap(mean, {"stimulus": 30}, draws=20_000)
    assert found.estimate == pytest.approx(HEIGHTS.mean())
    assert found.variance == pytest.approx(HEIGHTS.var(ddof=1) / 30, rel=4 * np.sqrt(2 / 20_000))
    assert found.draws.mean() == pytest.approx(found.estimate)
    assert found.draws.var() == pytest.approx(found.variance)


def test_the_interval_is_scipys():
    """Its width, to the error of draws; ours is √(30/29) wider, for the mean that was estimated."""
    theirs = stats.bootstrap(
        (HEIGHTS,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    low, high = bootstrap(mean, {"stimulus": 30}, draws=20_000).interval()
    assert high - low == pytest.approx(np.sqrt(30 / 29) * (theirs.high - theirs.low), rel=0.04)


def test_two_factors_have_the_dual_variance():
    found = bootstrap(table_mean, {"stimulus": 12, "subject": 7}, draws=500, seed=3)
    rows, columns = bootstrap_counts(12, 500, seed=3), bootstrap_counts(7, 500, seed=4)
    whole = np.ones((500, 12)), np.ones((500, 7))
    expected = dual_variance(
        table_mean(rows, columns).var(),
        (table_mean(rows, whole[1]).var(), 12),
        (table_mean(whole[0], columns).var(), 7),
    )
    assert found.variance == pytest.approx(expected)
    assert found.draws.var() == pytest.approx(expected)


def test_equal_seeds_draw_alike():
    draws = [bootstrap(mean, {"stimulus": 30}, draws=50, seed=seed).draws for seed in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()


def test_the_jackknife_of_a_mean_is_exact():
    found = jackknife(mean, {"stimulus": 30})
    assert found.variance == pytest.approx(HEIGHTS.var(ddof=1) / 30, rel=1e-12)
    assert found.bias == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(found.influence, (HEIGHTS - HEIGHTS.mean()) / 30, atol=1e-15)


def test_the_jackknife_knows_the_bias_of_a_plain_variance():
    """It is −σ²/n, of which the jackknife's correction makes the unbiased variance, exactly."""
    found = jackknife(variance, {"stimulus": 30})
    assert found.estimate - found.bias == pytest.approx(HEIGHTS.var(ddof=1), rel=1e-12)


def test_groups_left_out_tell_about_the_same_variance():
    """Of 10 groups of 3: a tenth of the groups' variance, with 9 degrees of freedom."""
    found = jackknife(mean, {"stimulus": 30}, most=10, seed=1)
    expected = HEIGHTS.var(ddof=1) / 30
    assert found.variance == pytest.approx(expected, rel=3 * np.sqrt(2 / 9))
    assert len(found.influence) == 10


@pytest.mark.parametrize(
    ("sizes", "message"),
    [({}, "got 0"), ({"a": 1}, "'a' has 1"), ({"a": 2, "b": 2, "c": 2}, "got 3")],
)
def test_factors_that_can_not_be_drawn_are_refused(sizes, message):
    with pytest.raises(InputError, match=message):
        bootstrap(mean, sizes)
    with pytest.raises(InputError, match="one factor"):
        jackknife(table_mean, {"stimulus": 12, "subject": 7})


@pytest.mark.parametrize("kind", ["geometry", "dissimilarities", "units"])
def test_permuting_the_labels_is_permuting_the_responses(kind):
    x = responses(12, 9)
    ids = tuple(x.stimulus.values)
    matrix = 1 - np.corrcoef(x.values)
    side = {
        "geometry": geometry_of(x),
        "dissimilarities": Dissimilarities(ids, matrix),
        "units": Responses(ids, x.values),
    }[kind]
    seen = []

    def similarity(model, recorded):
        seen.append(model)
        return load_scorer("rsa")(geometry_of(x), recorded)

    permutation_null(similarity, {"model": side}, brain(12, 1), permutations=1, seed=5)
    order = np.random.default_rng(5).permutation(12)
    (permuted,) = seen
    assert permuted.ids == ids
    held = {"geometry": "gram", "dissimilarities": "matrix", "units": "values"}[kind]
    again = side.select(order)
    np.testing.assert_array_equal(getattr(permuted, held), getattr(again, held))


def test_the_null_is_about_zero_and_the_same_permutations_for_all_models():
    models = {"a": layer(12), "b": layer(12, seed=1)}
    null = permutation_null(load_scorer("rsa-pearson"), models, brain(12, 2), permutations=200)
    assert null.dims == ("permutation", "model", "subject")
    assert abs(float(null.mean())) < 4 * float(null.std()) / np.sqrt(200)
    twin = permutation_null(
        load_scorer("rsa-pearson"), {"b": models["b"]}, brain(12, 2), permutations=200
    )
    np.testing.assert_array_equal(twin.sel(model="b"), null.sel(model="b"))


def test_a_model_of_other_stimuli_has_no_null():
    with pytest.raises(MismatchError, match="differ in their stimuli"):
        permutation_null(load_scorer("rsa"), {"a": layer(11)}, Brain(("s",), (layer(12),)))
