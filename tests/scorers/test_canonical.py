"""Canonical correlations against scipy, scikit-learn and the papers' formulas."""

import numpy as np
import pytest
from isocortex.scorers.canonical import canonical_correlation, pwcca
from scipy.linalg import qr, subspace_angles
from scipy.stats import ortho_group
from sklearn.cross_decomposition import CCA
from tests.synthetic import brain, layer, responses, stimulus_ids

from isocortex.benchmarks import load_scorer
from isocortex.errors import IncompatibleError, InputError, MismatchError, UnknownNameError
from isocortex.geometry import Brain, Dissimilarities, geometry_of
from isocortex.responses import Responses

NAMES = ("cca", "yanai", "svcca", "svcca-weighted", "pwcca")


def related(stimuli: int = 60, units: int = 12, neuroids: int = 12):
    """Responses of a layer and of a region that half follows it, neither of them white."""
    x = responses(stimuli, units, seed=1) * np.linspace(0.3, 2, units) + 3
    mixing = np.random.default_rng(2).normal(size=(units, neuroids)) / units**0.5
    return x, responses(stimuli, neuroids, seed=3) + x.values @ mixing


def side(name: str, x):
    return Responses(tuple(x.stimulus.values), x.values) if name == "pwcca" else geometry_of(x)


def score(name: str, x, *recorded) -> np.ndarray:
    subjects = tuple(f"monkey-{each}" for each in range(len(recorded)))
    sides = tuple(side(name, y) for y in recorded)
    return load_scorer(name)(side(name, x), Brain(subjects, sides)).values


def centred(x) -> np.ndarray:
    return x.values - x.values.mean(0)


def kept(x, share: float = 1.0) -> np.ndarray:
    """The main components with a share of the variance, at most (n − 1)//2."""
    vectors, sizes, _ = np.linalg.svd(centred(x), full_matrices=False)
    enough = np.cumsum(sizes**2) >= (share - 1e-12) * (sizes**2).sum()
    return vectors[:, : min(np.flatnonzero(enough)[0] + 1, (len(x) - 1) // 2)]


def cosines(x, y, share: float = 1.0) -> np.ndarray:
    return np.cos(subspace_angles(kept(x, share), kept(y, share)))


WIDTHS = pytest.mark.parametrize(("units", "neuroids"), [(12, 12), (12, 4), (4, 12), (200, 40)])


@WIDTHS
def test_cca_is_the_mean_cosine_of_the_angles_between_the_subspaces(units, neuroids):
    x, y = related(60, units, neuroids)
    assert score("cca", x, y) == pytest.approx(cosines(x, y).mean(), abs=1e-9)


@WIDTHS
def test_svcca_equals_the_angles_between_the_kept_subspaces(units, neuroids):
    x, y = related(60, units, neuroids)
    assert score("svcca", x, y) == pytest.approx(cosines(x, y, 0.99).mean(), abs=1e-9)


@WIDTHS
def test_yanais_coefficient_is_the_cosine_of_the_projections(units, neuroids):
    x, y = related(60, units, neuroids)
    p, q = (kept(z) @ kept(z).T for z in (x, y))
    expected = np.trace(p @ q) / np.sqrt(np.trace(p) * np.trace(q))
    assert score("yanai", x, y) == pytest.approx(expected, abs=1e-9)


def test_cca_equals_scikit_learns():
    x, y = related(60, 4, 3)
    variables = CCA(3, max_iter=5000, tol=1e-14).fit_transform(x.values, y.values)
    each = [np.corrcoef(variables[0][:, i], variables[1][:, i])[0, 1] for i in range(3)]
    assert score("cca", x, y) == pytest.approx(np.mean(each), abs=1e-6)  # scikit-learn iterates


@pytest.mark.parametrize("name", ["cca", "yanai", "pwcca"])
def test_cca_of_few_dimensions_does_not_see_invertible_linear_maps(name):
    x, y = related()
    mixing = np.eye(12) + 0.2 * np.random.default_rng(5).normal(size=(12, 12))
    mixed = x.copy(data=x.values @ mixing)
    assert score(name, mixed, y) == pytest.approx(score(name, x, y), abs=1e-9)


@pytest.mark.parametrize("name", ["cca", "yanai", "svcca", "svcca-weighted", "pwcca"])
def test_unrelated_layers_wider_than_the_stimuli_are_many_are_not_alike(name):
    """Without a limit both would span all stimuli, and every correlation would be 1."""
    x, y = responses(31, 5000, seed=1), responses(31, 500, seed=2)
    expected = 1 / 2 if name == "yanai" else 2 / np.pi
    assert score(name, x, y) == pytest.approx(expected, abs=0.1)


def test_svcca_drops_the_components_below_the_share_it_keeps():
    x, y = related()
    x = x * np.geomspace(1, 0.01, 12)
    assert kept(x, 0.99).shape[1] < 12
    assert score("svcca", x, y) == pytest.approx(cosines(x, y, 0.99).mean(), abs=1e-9)


def test_weights_are_the_brain_variance_of_each_canonical_variable():
    x, y = related()
    u, v = kept(x, 0.99), kept(y, 0.99)
    _, correlations, axes = np.linalg.svd(u.T @ v, full_matrices=False)
    weights = (((v @ axes.T).T @ centred(y)) ** 2).sum(1)
    expected = correlations @ weights / weights.sum()
    assert score("svcca-weighted", x, y) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("units", "neuroids"), [(12, 12), (5, 12), (40, 7)])
def test_pwcca_equals_the_formula_of_morcos(units, neuroids):
    """Their steps: whitened cross-covariance, canonical variables, QR, absolute projections."""
    x, y = related(90, units, neuroids)
    a, b = centred(x), centred(y)
    white = [np.linalg.inv(np.linalg.cholesky(z.T @ z)) for z in (a, b)]
    _, correlations, axes = np.linalg.svd(white[0] @ a.T @ b @ white[1].T, full_matrices=False)
    variables, _ = qr(b @ white[1].T @ axes.T, mode="economic")
    weights = np.abs(variables.T @ b).sum(1)
    expected = correlations @ weights / weights.sum()
    assert score("pwcca", x, y) == pytest.approx(expected, abs=1e-9)


def test_pwcca_sees_the_axes_of_the_neuroids_but_not_those_of_the_units():
    x, y = related()
    rotation = ortho_group.rvs(12, random_state=1)
    turned = [z.copy(data=z.values @ rotation) for z in (x, y)]
    before = score("pwcca", x, y)
    assert score("pwcca", turned[0], y) == pytest.approx(before, abs=1e-9)
    assert abs(score("pwcca", x, turned[1]) - before) > 1e-4


def test_the_arc_of_yanais_coefficient_keeps_the_triangle_where_that_of_cca_does_not():
    """A sum of two spaces holds both, though these have nothing in common."""
    basis = np.linalg.qr(centred(responses(40, 8, seed=1))).Q
    first, sum_of_both, last = (
        responses(40, 8)[:, part].copy(data=basis[:, part])
        for part in (slice(4), slice(8), slice(4, 8))
    )
    for name, is_metric in (("yanai", True), ("cca", False)):
        pairs = ((first, sum_of_both), (sum_of_both, last), (first, last))
        there, onward, direct = (np.arccos(score(name, *pair)).item() for pair in pairs)
        assert (direct <= there + onward + 1e-9) == is_metric


@pytest.mark.parametrize("name", NAMES)
def test_equal_layers_are_wholly_similar(name):
    x = responses(20, 6, seed=1)
    actual = score(name, x, x * 3 + 1)
    assert 1 - 1e-9 < actual <= 1


@pytest.mark.parametrize("offset", [0, 1e6])
@pytest.mark.parametrize("name", NAMES)
def test_directions_of_mere_rounding_do_not_count(name, offset):
    """The same space in 50 units: of rank 6, but for rounding."""
    x, y = related(30, 6, 6)
    wide = responses(30, 50).copy(data=x.values @ ortho_group.rvs(50, random_state=1)[:6])
    assert score(name, wide + offset, y) == pytest.approx(score(name, x, y), abs=1e-7)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("name", NAMES)
def test_low_precision_is_widened_first(name, dtype):
    x, y = related(30, 6, 6)
    x, y = x.astype(dtype), y.astype(dtype)
    widened = score(name, x.astype(np.float64), y.astype(np.float64))
    assert score(name, x, y) == pytest.approx(widened, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_single_units_are_compared_by_the_size_of_their_correlation(name):
    x, y = responses(20, 1, seed=1), responses(20, 1, seed=2)
    expected = abs(np.corrcoef(x.values[:, 0], y.values[:, 0])[0, 1])
    assert score(name, x, y) == pytest.approx(
        expected**2 if name == "yanai" else expected, abs=1e-12
    )


@pytest.mark.parametrize("name", NAMES)
def test_duplicated_stimuli_and_constant_units_are_no_obstacle(name):
    x, y = (z.isel(stimulus=np.arange(60) // 2 * 2) for z in related())
    x[:, 0], y[:, 1] = 5, 0
    ids = {"stimulus": stimulus_ids(60)}
    assert 0 < score(name, x.assign_coords(ids), y.assign_coords(ids)) < 1


@pytest.mark.parametrize("name", NAMES)
def test_each_subject_is_scored_as_if_alone(name):
    x, y = related()
    others = [responses(60, 7, seed=seed) for seed in (4, 5)]
    together = score(name, x, y, *others)
    alone = [score(name, x, each).item() for each in (y, *others)]
    np.testing.assert_allclose(together, alone, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_what_spans_no_space_is_refused(name):
    with pytest.raises(InputError, match="the model answers alike to all stimuli"):
        score(name, responses(10, 5) * 0 + np.arange(5), responses(10, 4))
    with pytest.raises(InputError, match="3 stimuli are too few to compare"):
        score(name, responses(3), responses(3))
    with pytest.raises(MismatchError, match="10 and 12"):
        score(name, responses(10), responses(12))


def test_dissimilarities_span_no_space():
    flat = Brain(("a",), (Dissimilarities(layer(10).ids, 1 - np.eye(10)),))
    with pytest.raises(IncompatibleError, match="of subject a only dissimilarities are known"):
        canonical_correlation(layer(10), flat)
    with pytest.raises(IncompatibleError, match="of subject a it got a Dissimilarities"):
        pwcca(side("pwcca", responses(10)), flat)


@pytest.mark.parametrize("share", [0, 1.01])
def test_a_share_of_variance_lies_between_0_and_1(share):
    with pytest.raises(InputError, match=f"variance_kept is {share}, expected"):
        canonical_correlation(layer(), brain(), variance_kept=share)
    with pytest.raises(InputError, match=f"variance_kept is {share}, expected"):
        pwcca(layer(), brain(), variance_kept=share)


def test_an_unknown_average_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match="did you mean mean"):
        canonical_correlation(layer(), brain(), average="meen")
