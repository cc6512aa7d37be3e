"""Shape metrics against scipy, scikit-learn, rsatoolbox and the formulas on the responses."""

import numpy as np
import pytest
from isocortex.scorers.shape import procrustes, svcca
from rsatoolbox.rdm import RDMs, compare
from scipy.linalg import orthogonal_procrustes, subspace_angles
from scipy.spatial import procrustes as scipy_procrustes
from scipy.spatial.distance import pdist
from scipy.stats import special_ortho_group
from sklearn.cross_decomposition import CCA
from tests.synthetic import brain, layer, responses, stimulus_ids

from isocortex.errors import IncompatibleError, InputError, MismatchError
from isocortex.geometry import Brain, Dissimilarities, geometry_of

SCORERS = {
    "procrustes": procrustes,
    "angular": lambda model, brain: procrustes(model, brain, angular=True),
    "svcca": svcca,
    "weighted": lambda model, brain: svcca(model, brain, weighted=True),
}


def related(stimuli: int = 30, units: int = 12, neuroids: int = 12):
    """Responses of a layer and of a region that half follows it, neither of them white."""
    x = responses(stimuli, units, seed=1) * np.linspace(0.3, 2, units) + 3
    mixing = np.random.default_rng(2).normal(size=(units, neuroids)) / units**0.5
    return x, responses(stimuli, neuroids, seed=3) + x.values @ mixing


def as_brain(*recorded) -> Brain:
    names = tuple(f"monkey-{each}" for each in range(len(recorded)))
    return Brain(names, tuple(geometry_of(y) for y in recorded))


def centred(x) -> np.ndarray:
    return x.values - x.values.mean(0)


def cosine(x, y) -> float:
    norm = np.linalg.norm
    return norm(centred(x).T @ centred(y), "nuc") / (norm(centred(x)) * norm(centred(y)))


def test_procrustes_equals_scipys():
    x, y = related()
    disparity = scipy_procrustes(x.values, y.values)[2]
    actual = procrustes(geometry_of(x), as_brain(y)).item()
    assert actual == pytest.approx(np.sqrt(1 - disparity), abs=1e-12)


def test_the_cosine_is_that_of_the_best_rotated_responses():
    x, y = related()
    rotation, _ = orthogonal_procrustes(centred(y), centred(x))
    moved = centred(y) @ rotation
    expected = np.corrcoef(moved.ravel(), centred(x).ravel())[0, 1]
    actual = procrustes(geometry_of(x), as_brain(y)).item()
    assert actual == pytest.approx(expected, abs=1e-12)


def test_procrustes_is_rsatoolboxs_bures_similarity():
    x, y = related()
    rdms = [RDMs(pdist(each.values, "sqeuclidean")[None]) for each in (x, y)]
    expected = compare(*rdms, method="bures").item()
    actual = procrustes(geometry_of(x), as_brain(y)).item()
    assert actual == pytest.approx(expected, abs=1e-6)  # it takes roots of its rounding errors


@pytest.mark.parametrize("units", [1, 5, 29, 30, 400], ids=lambda units: f"{units} units")
def test_procrustes_needs_only_the_gram_matrices(units):
    x, y = responses(30, units, seed=1) + 4, responses(30, 20, seed=2) + 4
    y[:, 0] += x[:, 0]
    actual = procrustes(geometry_of(x), as_brain(y)).item()
    assert actual == pytest.approx(cosine(x, y), abs=1e-12)


def test_the_angular_similarity_is_linear_in_the_angle():
    x, y = related()
    expected = 1 - np.degrees(np.arccos(cosine(x, y))) / 90
    actual = procrustes(geometry_of(x), as_brain(y), angular=True).item()
    assert actual == pytest.approx(expected, abs=1e-12)


def test_the_procrustes_angle_is_a_metric():
    sides = [layer(12, units, seed=units) for units in (3, 5, 8, 20)]
    everyone = Brain(tuple("abcd"), tuple(sides))
    angle = 1 - np.array([procrustes(side, everyone, angular=True).values for side in sides])
    np.testing.assert_allclose(angle, angle.T, atol=1e-12)
    np.testing.assert_allclose(np.diag(angle), 0, atol=1e-6)  # an angle is the root of a rounding
    assert (angle[:, :, None] <= angle[:, None] + angle.T[None] + 1e-9).all()


def widened(x):
    """The same shape in 50 units: of rank 6, but for rounding."""
    values = x.values @ special_ortho_group.rvs(50, random_state=1)[:6]
    return responses(len(x), 50).copy(data=values)


@pytest.mark.parametrize("offset", [0, 1e6])
def test_directions_of_mere_rounding_do_not_count(offset):
    x, y = related(30, 6, 6)
    actual = procrustes(geometry_of(widened(x) + offset), as_brain(y)).item()
    assert actual == pytest.approx(cosine(x, y), abs=1e-9)


def test_rounding_is_measured_by_the_offsets_of_the_units():
    """Their squares, 1e8, leave 1e-8 of the variance in directions that hold no response."""
    x, y = related(30, 6, 20)
    offsets = 1e4 * np.random.default_rng(4).normal(size=50)
    actual = procrustes(geometry_of(widened(x) + offsets), as_brain(y)).item()
    assert actual == pytest.approx(cosine(x, y), abs=1e-6)


def kept(x, share: float = 0.99) -> np.ndarray:
    vectors, sizes, _ = np.linalg.svd(centred(x), full_matrices=False)
    count = np.flatnonzero(np.cumsum(sizes**2) >= share * (sizes**2).sum())[0] + 1
    return vectors[:, : min(count, (len(x) - 1) // 2)]


@pytest.mark.parametrize(("units", "neuroids"), [(12, 12), (12, 4), (200, 20)])
def test_svcca_equals_the_angles_between_the_kept_subspaces(units, neuroids):
    x, y = related(60, units, neuroids)
    expected = np.cos(subspace_angles(kept(x), kept(y))).mean()
    assert svcca(geometry_of(x), as_brain(y)).item() == pytest.approx(expected, abs=1e-9)


def test_svcca_drops_the_components_below_the_share_it_keeps():
    x, y = related(60)
    x = x * np.geomspace(1, 0.01, 12)
    assert kept(x).shape[1] < 12
    expected = np.cos(subspace_angles(kept(x), kept(y))).mean()
    assert svcca(geometry_of(x), as_brain(y)).item() == pytest.approx(expected, abs=1e-9)


def test_weights_are_the_brain_variance_of_each_canonical_variable():
    x, y = related(60, 12, 12)
    u, v = kept(x), kept(y)
    _, correlations, axes = np.linalg.svd(u.T @ v, full_matrices=False)
    variables = v @ axes.T
    weights = ((variables.T @ centred(y)) ** 2).sum(1)
    expected = correlations @ weights / weights.sum()
    actual = svcca(geometry_of(x), as_brain(y), weighted=True).item()
    assert actual == pytest.approx(expected, abs=1e-9)


def test_plain_cca_equals_scikit_learns():
    x, y = related(60, 4, 3)
    variables = CCA(3, max_iter=5000, tol=1e-14).fit_transform(x.values, y.values)
    each = [np.corrcoef(variables[0][:, i], variables[1][:, i])[0, 1] for i in range(3)]
    actual = svcca(geometry_of(x), as_brain(y), variance_kept=1.0).item()
    assert actual == pytest.approx(np.mean(each), abs=1e-6)  # scikit-learn iterates


def test_plain_cca_does_not_see_invertible_linear_maps():
    x, y = related(60)
    mixing = np.eye(12) + 0.2 * np.random.default_rng(5).normal(size=(12, 12))
    mixed = x.copy(data=x.values @ mixing)
    before, after = (svcca(geometry_of(z), as_brain(y), variance_kept=1.0) for z in (x, mixed))
    assert after.item() == pytest.approx(before.item(), abs=1e-9)


def test_plain_cca_of_more_dimensions_than_stimuli_is_refused():
    x, y = related(20)
    with pytest.raises(InputError, match=r"spans 12 and subject monkey-0 12 .*more than 19 of 20"):
        svcca(geometry_of(x), as_brain(y), variance_kept=1.0)


def test_svcca_of_unrelated_wide_layers_is_not_one():
    """Without a limit both would span all stimuli, and every correlation would be 1."""
    actual = svcca(layer(30, 5000, seed=1), Brain(("a",), (layer(30, 5000, seed=2),))).item()
    assert 0.3 < actual < 0.8


@pytest.mark.parametrize("similarity", SCORERS.values(), ids=SCORERS)
def test_equal_layers_are_wholly_similar(similarity):
    x = responses(20, 6, seed=1)
    actual = similarity(geometry_of(x), as_brain(x * 3 + 1)).item()
    assert actual == pytest.approx(1, abs=1e-6)  # the angle is the root of a rounding error
    assert actual <= 1


@pytest.mark.parametrize("similarity", SCORERS.values(), ids=SCORERS)
def test_single_units_are_compared_by_the_size_of_their_correlation(similarity):
    x, y = responses(20, 1, seed=1), responses(20, 1, seed=2)
    expected = abs(np.corrcoef(x.values[:, 0], y.values[:, 0])[0, 1])
    actual = similarity(geometry_of(x), as_brain(y)).item()
    if similarity is SCORERS["angular"]:
        actual = np.cos((1 - actual) * np.pi / 2)
    assert actual == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("similarity", SCORERS.values(), ids=SCORERS)
def test_duplicated_stimuli_and_constant_units_are_no_obstacle(similarity):
    x, y = related(30)
    x, y = (z.isel(stimulus=np.arange(30) // 2 * 2) for z in (x, y))
    x[:, 0], y[:, 1] = 5, 0
    ids = {"stimulus": stimulus_ids(30)}
    model, monkey = geometry_of(x.assign_coords(ids)), as_brain(y.assign_coords(ids))
    assert 0 < similarity(model, monkey).item() < 1


@pytest.mark.parametrize("similarity", SCORERS.values(), ids=SCORERS)
def test_each_subject_is_scored_as_if_alone(similarity):
    everyone = brain(20, subjects=3)
    actual = similarity(layer(20, seed=1), everyone)
    alone = [
        similarity(layer(20, seed=1), Brain((name,), (side,))).item()
        for name, side in zip(everyone.subjects, everyone.sides, strict=True)
    ]
    assert actual.dims == ("subject",)
    assert list(actual.subject.values) == list(everyone.subjects)
    np.testing.assert_allclose(actual.values, alone, atol=1e-14)


@pytest.mark.parametrize("similarity", SCORERS.values(), ids=SCORERS)
def test_what_has_no_shape_is_refused(similarity):
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


@pytest.mark.parametrize("share", [0, 1.01])
def test_a_share_of_variance_lies_between_0_and_1(share):
    with pytest.raises(InputError, match=f"variance_kept is {share}, expected"):
        svcca(layer(), brain(), variance_kept=share)
