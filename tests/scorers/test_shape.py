"""Shape metrics against scipy, rsatoolbox and the formulas on the responses."""

from itertools import permutations

import numpy as np
import pytest
from isocortex.scorers.shape import procrustes, whitened_shape
from rsatoolbox.rdm import RDMs, compare
from scipy.linalg import orthogonal_procrustes, subspace_angles
from scipy.spatial import procrustes as scipy_procrustes
from scipy.spatial.distance import pdist
from scipy.stats import special_ortho_group
from tests.synthetic import brain, layer, responses, stimulus_ids

from isocortex.benchmarks import load_scorer
from isocortex.errors import IncompatibleError, InputError, MismatchError, UnknownNameError
from isocortex.geometry import Brain, Dissimilarities, geometry_of

NAMES = ("procrustes", "procrustes-angular", "procrustes-euclidean", "shape-half", "shape-cca")


def related(stimuli: int = 30, units: int = 12, neuroids: int = 12):
    """Responses of a layer and of a region that half follows it, neither of them white."""
    x = responses(stimuli, units, seed=1) * np.linspace(0.3, 2, units) + 3
    mixing = np.random.default_rng(2).normal(size=(units, neuroids)) / units**0.5
    return x, responses(stimuli, neuroids, seed=3) + x.values @ mixing


def as_brain(*recorded) -> Brain:
    names = tuple(f"monkey-{each}" for each in range(len(recorded)))
    return Brain(names, tuple(geometry_of(y) for y in recorded))


def score(name: str, x, *recorded) -> np.ndarray:
    return load_scorer(name)(geometry_of(x), as_brain(*recorded)).values


def centred(x) -> np.ndarray:
    return x.values - x.values.mean(0)


def cosine(x, y) -> float:
    norm = np.linalg.norm
    return norm(centred(x).T @ centred(y), "nuc") / (norm(centred(x)) * norm(centred(y)))


def test_procrustes_equals_scipys():
    x, y = related()
    disparity = scipy_procrustes(x.values, y.values)[2]
    assert score("procrustes", x, y) == pytest.approx(np.sqrt(1 - disparity), abs=1e-12)


def turned_onto(x, y) -> np.ndarray:
    """The centred responses y, rotated as near to x as it goes."""
    rotation, _ = orthogonal_procrustes(centred(y), centred(x))
    return centred(y) @ rotation


def test_the_cosine_is_that_of_the_best_rotated_responses():
    x, y = related()
    expected = np.corrcoef(turned_onto(x, y).ravel(), centred(x).ravel())[0, 1]
    assert score("procrustes", x, y) == pytest.approx(expected, abs=1e-12)


def test_size_and_shape_are_compared_by_what_the_best_rotation_leaves():
    x, y = related()
    left = ((turned_onto(x, y) - centred(x)) ** 2).sum()
    expected = 1 - left / ((centred(x) ** 2).sum() + (centred(y) ** 2).sum())
    assert score("procrustes-euclidean", x, y) == pytest.approx(expected, abs=1e-12)
    assert score("procrustes-euclidean", x * 3, x) == pytest.approx(2 * 3 / (3**2 + 1), abs=1e-12)


def test_procrustes_is_rsatoolboxs_bures_similarity():
    x, y = related()
    rdms = [RDMs(pdist(each.values, "sqeuclidean")[None]) for each in (x, y)]
    expected = compare(*rdms, method="bures").item()  # it takes roots of its rounding errors
    assert score("procrustes", x, y) == pytest.approx(expected, abs=1e-6)


def test_the_procrustes_distance_is_the_bures_distance_of_the_gram_matrices():
    """Harvey et al. 2024, the duality: min ‖X − YQ‖² = tr K + tr L − 2 tr (√K L √K)^½."""
    x, y = related(20, 25, 30)
    k, l = (centred(z) @ centred(z).T for z in (x, y))  # noqa: E741
    values, vectors = np.linalg.eigh(k)
    root = vectors * np.sqrt(values.clip(min=0)) @ vectors.T
    fidelity = np.sqrt(np.linalg.eigvalsh(root @ l @ root).clip(min=0)).sum()
    share = 2 * fidelity / (np.trace(k) + np.trace(l))
    assert score("procrustes-euclidean", x, y) == pytest.approx(share, abs=1e-6)  # the same roots


@pytest.mark.parametrize("units", [1, 5, 29, 30, 400], ids=lambda units: f"{units} units")
def test_procrustes_needs_only_the_gram_matrices(units):
    x, y = responses(30, units, seed=1) + 4, responses(30, 20, seed=2) + 4
    y[:, 0] += x[:, 0]
    assert score("procrustes", x, y) == pytest.approx(cosine(x, y), abs=1e-12)


def test_the_angular_similarity_is_linear_in_the_angle():
    x, y = related()
    expected = 1 - np.degrees(np.arccos(cosine(x, y))) / 90
    assert score("procrustes-angular", x, y) == pytest.approx(expected, abs=1e-12)


def partly_whitened(x, alpha: float) -> np.ndarray:
    """netrep's preprocessing: X V d Vᵀ with d = α + (1 − α) λ^(−1/2) of XᵀX = V λ Vᵀ."""
    sizes, axes = np.linalg.eigh(centred(x).T @ centred(x))
    return centred(x) @ (axes * (alpha + (1 - alpha) / np.sqrt(sizes))) @ axes.T


@pytest.mark.parametrize("alpha", [0, 0.2, 0.5, 0.99])
@pytest.mark.parametrize("neuroids", [12, 5])
def test_shapes_equal_netreps_where_the_mean_eigenvalue_is_1(alpha, neuroids):
    pair = [z * np.sqrt(z.shape[1]) / np.linalg.norm(centred(z)) for z in related(30, 12, neuroids)]
    u, v = (partly_whitened(z, alpha) for z in pair)
    expected = np.linalg.norm(u.T @ v, "nuc") / (np.linalg.norm(u) * np.linalg.norm(v))
    x, y = (geometry_of(z * scale) for z, scale in zip(pair, (7, 0.1), strict=True))
    actual = whitened_shape(x, Brain(("monkey",), (y,)), alpha=alpha).item()
    assert actual == pytest.approx(expected, abs=1e-12)


def test_a_whitened_shape_is_canonical_correlation():
    x, y = related(60, 12, 5)
    expected = np.cos(subspace_angles(centred(x), centred(y))).sum() / np.sqrt(12 * 5)
    assert score("shape-cca", x, y) == pytest.approx(expected, abs=1e-12)


def test_a_hardly_whitened_shape_is_procrustes():
    x, y = related()
    actual = whitened_shape(geometry_of(x), as_brain(y), alpha=1 - 1e-9).item()
    assert actual == pytest.approx(cosine(x, y), abs=1e-8)


@pytest.mark.parametrize(("name", "limit"), [("shape-half", 0.9), ("shape-cca", 0.75)])
def test_whitening_of_wide_layers_keeps_their_main_components_only(name, limit):
    """All n − 1 of them, wholly whitened, would span the same space: 1, whatever the responses."""
    assert score(name, responses(31, 5000, seed=1), responses(31, 5000, seed=2)) < limit


DISTANCES = {
    "procrustes": np.arccos,
    "procrustes-angular": lambda similarity: 1 - similarity,
    "procrustes-euclidean": np.arccos,
    "shape-half": np.arccos,
    "shape-cca": np.arccos,
}


def triples():
    """Sides that differ in width, size and rank, and ones that lie between two others."""
    for seed in range(10):
        x, y, z = (responses(14, 3 + 4 * each, seed=3 * seed + each) for each in range(3))
        between = x.values + y.values[:, :3]
        wide = np.hstack([x.values, y.values])
        yield x, y * 5, z * 0.1
        yield x, x.copy(data=between), x.copy(data=y.values[:, :3])
        yield x, responses(14, 10).copy(data=wide), y
        yield x, x * 1.5, x * 4


@pytest.mark.parametrize("name", NAMES)
def test_the_arc_is_a_metric(name):
    for sides in triples():
        everyone = as_brain(*sides)
        similarity = np.array([load_scorer(name)(side, everyone).values for side in everyone.sides])
        distance = DISTANCES[name](similarity)
        np.testing.assert_allclose(distance, distance.T, atol=1e-7)
        np.testing.assert_allclose(np.diag(distance), 0, atol=1e-6)  # the root of a rounding
        for i, j, k in permutations(range(3)):
            assert distance[i, k] <= distance[i, j] + distance[j, k] + 1e-7


def widened(x):
    """The same shape in 50 units: of rank 6, but for rounding."""
    values = x.values @ special_ortho_group.rvs(50, random_state=1)[:6]
    return responses(len(x), 50).copy(data=values)


@pytest.mark.parametrize("offset", [0, 1e6])
@pytest.mark.parametrize("name", NAMES)
def test_directions_of_mere_rounding_do_not_count(name, offset):
    x, y = related(30, 6, 6)
    assert score(name, widened(x) + offset, y) == pytest.approx(score(name, x, y), abs=1e-8)


def test_rounding_is_measured_by_the_offsets_of_the_units():
    """Their squares, 1e8, leave 1e-8 of the variance in directions that hold no response."""
    x, y = related(30, 6, 20)
    offsets = 1e4 * np.random.default_rng(4).normal(size=50)
    assert score("procrustes", widened(x) + offsets, y) == pytest.approx(cosine(x, y), abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_equal_layers_are_wholly_similar(name):
    x = responses(20, 6, seed=1)
    scale = 1 if name == "procrustes-euclidean" else 3
    actual = score(name, x, x * scale + 1)
    assert actual == pytest.approx(1, abs=1e-6)  # the angle is the root of a rounding error
    assert actual <= 1


@pytest.mark.parametrize("name", NAMES)
def test_single_units_are_compared_by_the_size_of_their_correlation(name):
    x, y = (responses(20, 1, seed=seed) for seed in (1, 2))
    x, y = (z / z.std() for z in (x, y))
    expected = abs(np.corrcoef(x.values[:, 0], y.values[:, 0])[0, 1])
    actual = score(name, x, y)
    if name == "procrustes-angular":
        actual = np.cos((1 - actual) * np.pi / 2)
    assert actual == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_duplicated_stimuli_and_constant_units_are_no_obstacle(name):
    x, y = (z.isel(stimulus=np.arange(30) // 2 * 2) for z in related())
    x[:, 0], y[:, 1] = 5, 0
    ids = {"stimulus": stimulus_ids(30)}
    assert 0 < score(name, x.assign_coords(ids), y.assign_coords(ids)) < 1


@pytest.mark.parametrize("name", NAMES)
def test_each_subject_is_scored_as_if_alone(name):
    everyone = brain(20, subjects=3)
    actual = load_scorer(name)(layer(20, seed=1), everyone)
    alone = [
        load_scorer(name)(layer(20, seed=1), Brain((subject,), (side,))).item()
        for subject, side in zip(everyone.subjects, everyone.sides, strict=True)
    ]
    assert actual.dims == ("subject",)
    assert list(actual.subject.values) == list(everyone.subjects)
    np.testing.assert_allclose(actual.values, alone, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_a_comparison_leaves_both_sides_as_they_were(name):
    model, everyone = layer(20, seed=1), brain(20)
    before = [side.gram.copy() for side in (model, *everyone.sides)]
    load_scorer(name)(model, everyone)
    np.testing.assert_array_equal([side.gram for side in (model, *everyone.sides)], before)


@pytest.mark.parametrize("name", NAMES)
def test_what_has_no_shape_is_refused(name):
    similarity = load_scorer(name)
    constant = geometry_of(responses(10, 5) * 0 + np.arange(5))
    flat = Brain(("a",), (Dissimilarities(layer(10).ids, 1 - np.eye(10)),))
    with pytest.raises(InputError, match="the model answers alike to all stimuli"):
        similarity(constant, brain(10))
    with pytest.raises(InputError, match="3 stimuli are too few to compare"):
        similarity(layer(3), brain(3))
    with pytest.raises(IncompatibleError, match="of subject a only dissimilarities are known"):
        similarity(layer(10), flat)
    with pytest.raises(MismatchError, match="10 and 12"):
        similarity(layer(10), brain(12))


def test_wrong_options_are_named():
    with pytest.raises(UnknownNameError, match="did you mean cosine"):
        procrustes(layer(), brain(), form="cosin")
    for alpha in (-0.1, 1):
        with pytest.raises(InputError, match=f"alpha is {alpha}, expected from 0, below 1"):
            whitened_shape(layer(), brain(), alpha=alpha)
