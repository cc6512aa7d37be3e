"""Alignment of neighbourhoods against scikit-learn's neighbours and the formula written out."""

from functools import partial

import numpy as np
import pytest
from isocortex.scorers.alignment import neighbour_alignment
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import NearestNeighbors
from tests.synthetic import brain, layer, responses

from isocortex.benchmarks import load_scorer
from isocortex.errors import IncompatibleError, InputError, UnknownNameError
from isocortex.geometry import Brain, Dissimilarities, geometry_of

mutual_knn = neighbour_alignment
cknna = partial(neighbour_alignment, weighted=True)


def pair(stimuli: int = 40):
    """A layer with a mean, and a region that half follows it."""
    x = responses(stimuli, 30, seed=1) + 0.5
    y = x[:, :20] + 0.7 * responses(stimuli, 20, seed=2)
    return x, y, Brain(("monkey",), (geometry_of(y),))


def nearest(x, metric: str, count: int) -> list[set[int]]:
    found = NearestNeighbors(n_neighbors=count, metric=metric, algorithm="brute").fit(x.values)
    return [set(row) for row in found.kneighbors(return_distance=False)]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("count", [1, 4, 10])
def test_shared_neighbours_equal_scikit_learns(metric, count):
    x, y, monkey = pair()
    both = zip(nearest(x, metric, count), nearest(y, metric, count), strict=True)
    expected = np.mean([len(first & second) / count for first, second in both])
    actual = mutual_knn(geometry_of(x), monkey, nearness=metric, neighbours=count)
    assert actual.item() == pytest.approx(expected, abs=1e-12)


def written_out(x, y, count: int) -> float:
    """Huh et al.: a sum over neighbours shared, and for either side over its own."""
    k, l = cosine_similarity(x.values), cosine_similarity(y.values)  # noqa: E741
    near_x, near_y = nearest(x, "cosine", count), nearest(y, "cosine", count)
    xy = xx = yy = 0.0
    for i in range(len(x)):
        for j in range(len(x)):
            a, b = k[i, j] - k[i].mean(), l[i, j] - l[i].mean()
            xy += a * b * (j in near_x[i] and j in near_y[i])
            xx += a * a * (j in near_x[i])
            yy += b * b * (j in near_y[i])
    return xy / np.sqrt(xx * yy)


@pytest.mark.parametrize("count", [1, 4, 10])
def test_cknna_equals_the_formula(count):
    x, y, monkey = pair()
    actual = cknna(geometry_of(x), monkey, neighbours=count).item()
    assert actual == pytest.approx(written_out(x, y, count), abs=1e-12)


@pytest.mark.parametrize("nearness", ["cosine", "euclidean"])
@pytest.mark.parametrize("weighted", [False, True])
def test_equal_layers_are_wholly_aligned_even_with_ties(nearness, weighted):
    x = responses(20, 8, seed=1)
    x[5:9] = x[4].values
    model = geometry_of(x)
    actual = neighbour_alignment(
        model, Brain(("a",), (model,)), nearness=nearness, weighted=weighted, neighbours=3
    )
    assert actual.item() == pytest.approx(1, abs=1e-12)


def test_ties_share_the_places_that_are_left():
    """Seen from 0 the model has 1 and 2 equally near, the brain 1: of one place they share half."""
    x = responses(4, 1).copy(data=[[0.0], [1.0], [-1.0], [9.0]])
    y = responses(4, 1).copy(data=[[0.0], [1.0], [-1.5], [9.0]])
    actual = mutual_knn(
        geometry_of(x), Brain(("a",), (geometry_of(y),)), nearness="euclidean", neighbours=1
    )
    # The others have 0, 0 and 1 as their nearest on both sides.
    assert actual.item() == pytest.approx((0.5 + 1 + 1 + 1) / 4, abs=1e-12)


def test_the_order_of_stimuli_changes_nothing_even_with_ties():
    x, y, _ = pair(20)
    x, y = x.round(), y.round()
    order = np.random.default_rng(3).permutation(20)
    scores = [
        mutual_knn(geometry_of(a), Brain(("a",), (geometry_of(b),)), nearness="euclidean").item()
        for a, b in [(x, y), (x[order], y[order])]
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-12)


def test_unrelated_layers_share_as_many_neighbours_as_chance_gives():
    subjects = brain(200, subjects=20)
    share = mutual_knn(layer(200, seed=1), subjects).mean().item()
    assert share == pytest.approx(10 / 199, abs=0.006)
    assert abs(cknna(layer(200, seed=1), subjects).mean().item()) < 0.1


def test_no_more_than_half_of_the_others_are_neighbours():
    x, _, monkey = pair(11)
    few, many = (mutual_knn(geometry_of(x), monkey, neighbours=count) for count in (5, 100))
    assert many.item() == few.item() < 1


def test_euclidean_neighbours_survive_an_offset():
    x, _, monkey = pair()
    scores = [mutual_knn(geometry_of(z), monkey, nearness="euclidean").item() for z in (x, x + 1e6)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-12)


def test_a_stimulus_without_responses_has_no_cosine():
    x, _, monkey = pair()
    x[4] = 0
    with pytest.raises(InputError, match=r"the model does not respond to stimulus 'stimulus-004'"):
        mutual_knn(geometry_of(x), monkey)
    assert mutual_knn(geometry_of(x), monkey, nearness="euclidean").item() > 0


def test_a_single_unit_gives_cosines_without_differences():
    x = abs(responses(20, 1, seed=1))
    model = geometry_of(x)
    with pytest.raises(InputError, match="equally near to each other"):
        cknna(model, brain(20))
    assert mutual_knn(model, brain(20, 1)).item() == pytest.approx(9 / 19, abs=1e-12)


@pytest.mark.parametrize("nearness", ["cosine", "euclidean"])
def test_what_has_no_neighbours_is_refused(nearness):
    constant = geometry_of(responses(10, 5) * 0 + np.arange(5))
    flat = Brain(("a",), (Dissimilarities(layer(10).ids, 1 - np.eye(10)),))
    with pytest.raises(InputError, match="the model answers alike to all stimuli"):
        mutual_knn(constant, brain(10), nearness=nearness)
    with pytest.raises(IncompatibleError, match="of subject a only dissimilarities are known"):
        mutual_knn(layer(10), flat, nearness=nearness)
    with pytest.raises(InputError, match="3 stimuli are too few"):
        mutual_knn(layer(3), brain(3), nearness=nearness)


def test_wrong_options_are_named():
    with pytest.raises(UnknownNameError, match="did you mean euclidean"):
        mutual_knn(layer(), brain(), nearness="euclid")
    with pytest.raises(InputError, match="neighbours is 0, expected at least 1"):
        mutual_knn(layer(), brain(), neighbours=0)


@pytest.mark.parametrize("name", ["mutual-knn", "mutual-knn-euclidean", "cknna"])
@pytest.mark.parametrize("ties", [False, True])
def test_neighbourhoods_are_apart_by_a_metric(name, ties):
    """Shares of places have a distance, Σ|a − b|; with weights they are cosines of vectors."""
    distance = np.arccos if name == "cknna" else lambda similarity: 1 - similarity
    for seed in range(10):
        sides = [responses(12, units, seed=3 * seed + units) for units in (2, 5, 3)]
        sides[1][:, :2] = sides[0].values
        sides[1][:, 2:] = sides[2].values
        rounded = [2 * side.round() + 1 if ties else side for side in sides]
        all_sides = tuple(geometry_of(side) for side in rounded)
        everyone = Brain(("a", "b", "c"), all_sides)
        similarity = np.array([load_scorer(name)(side, everyone).values for side in all_sides])
        apart = distance(similarity.clip(-1, 1))
        np.testing.assert_allclose(apart, apart.T, atol=1e-7)
        np.testing.assert_allclose(np.diag(apart), 0, atol=1e-7)
        assert apart[0, 2] <= apart[0, 1] + apart[1, 2] + 1e-9
