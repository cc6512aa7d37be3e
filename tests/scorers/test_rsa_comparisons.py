"""Comparisons of dissimilarities against scipy and formulas written out, whole and resampled."""

import numpy as np
import pytest
from isocortex.scorers import _compared
from isocortex.scorers._rdm import dissimilarity_vector
from isocortex.scorers.rsa import rsa, rsa_bures, rsa_of_models
from scipy import stats
from scipy.spatial.distance import squareform
from tests.scorers.test_rsa import tau_a, with_ties
from tests.synthetic import brain, layer, responses

from isocortex.errors import InputError
from isocortex.geometry import Brain, Dissimilarities, geometry_of
from isocortex.statistics import bootstrap_counts

STIMULI = 9
COMPARISONS = (
    "spearman",
    "pearson",
    "cosine",
    "kendall",
    "kendall-b",
    "rho-a",
    "cosine-whitened",
    "correlation-whitened",
)


def contrasts(stimuli: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pairs (p, 2) of copies of different stimuli, and their contrasts (p, copy)."""
    pairs = np.array(
        [(i, j) for i in range(len(stimuli)) for j in range(i) if stimuli[i] != stimuli[j]]
    )
    unit = np.eye(len(stimuli))
    return pairs, unit[pairs[:, 0]] - unit[pairs[:, 1]]


def whitened_cosine(x: np.ndarray, y: np.ndarray, contrast: np.ndarray) -> float:
    covariance = (contrast @ contrast.T) ** 2  # V of Diedrichsen et al. 2020, for equal noise
    a, b = np.linalg.solve(covariance, np.array([x, y]).T).T
    return (x @ b) / np.sqrt((x @ a) * (y @ b))


def rho_a(x: np.ndarray, y: np.ndarray) -> float:
    rank_x, rank_y = stats.rankdata(x), stats.rankdata(y)
    count = len(x)
    return 12 * (rank_x - rank_x.mean()) @ (rank_y - rank_y.mean()) / (count**3 - count)


def reference(comparison: str, side: Dissimilarities, other: Dissimilarities, drawn: np.ndarray):
    """The comparison of the drawn stimuli, pairs of a stimulus with itself dropped."""
    pairs, contrast = contrasts(drawn)
    first, second = drawn[pairs[:, 0]], drawn[pairs[:, 1]]
    x, y = side.matrix[first, second], other.matrix[first, second]
    weight = np.unique(np.sort(np.array([first, second]), axis=0), axis=1, return_counts=True)[1]
    count = len(x)
    return {
        "spearman": lambda: stats.spearmanr(x, y).statistic,
        "pearson": lambda: stats.pearsonr(x, y).statistic,
        "cosine": lambda: x @ y / np.linalg.norm(x) / np.linalg.norm(y),
        # Copies of a pair tie with each other; they are no ties of the model, so not counted.
        "kendall": lambda: tau_a(x, y) * (count**2 - count) / (count**2 - (weight**2).sum()),
        "rho-a": lambda: rho_a(x, y) * (count**3 - count) / (count**3 - (weight**3).sum()),
        "kendall-b": lambda: stats.kendalltau(x, y).statistic,
        "cosine-whitened": lambda: whitened_cosine(x, y, contrast),
        "correlation-whitened": lambda: whitened_cosine(x - x.mean(), y - y.mean(), contrast),
    }[comparison]()


def rdm(seed: int, *, ties: bool) -> Dissimilarities:
    geometry = layer(STIMULI, 30, seed=seed)
    if ties:
        return with_ties(geometry)
    return Dissimilarities(geometry.ids, squareform(dissimilarity_vector(geometry)))


@pytest.mark.parametrize("comparison", COMPARISONS)
@pytest.mark.parametrize("ties", [False, True])
def test_comparisons_equal_the_formulas_written_out(comparison, ties):
    model, recorded = rdm(1, ties=ties), rdm(2, ties=ties)
    actual = rsa(model, Brain(("one",), (recorded,)), comparison=comparison).item()
    expected = reference(comparison, model, recorded, np.arange(STIMULI))
    assert actual == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("comparison", COMPARISONS)
@pytest.mark.parametrize("ties", [False, True])
def test_resamples_equal_the_formulas_on_the_repeated_stimuli(comparison, ties):
    model, recorded = rdm(1, ties=ties), rdm(2, ties=ties)
    counts = bootstrap_counts(STIMULI, 8, seed=3)
    counts[0] = [6, 1, 1, 2, 0, 0, 0, 0, 0]  # N − 2c + 2 = 0 for the first: whitening's hard case
    resampled = rsa(model, Brain(("one",), (recorded,)), counts=counts, comparison=comparison)
    for row, drawn in enumerate(counts.astype(int)):
        positions = np.repeat(np.arange(STIMULI), drawn)
        expected = reference(comparison, model, recorded, positions)
        assert resampled.values[row, 0] == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_one_resample_is_scored_as_among_others(comparison):
    counts = bootstrap_counts(20, 3, seed=3)
    together = rsa(layer(seed=1), brain(), counts=counts, comparison=comparison)
    alone = rsa(layer(seed=1), brain(), counts=counts[:1], comparison=comparison)
    np.testing.assert_allclose(alone[0], together[0], rtol=0, atol=1e-14)


@pytest.mark.parametrize("comparison", COMPARISONS)
@pytest.mark.parametrize("resampled", [False, True])
def test_models_are_scored_alike_alone_and_together(comparison, resampled, monkeypatch):
    monkeypatch.setattr(_compared, "PRODUCTS", 2 * 3 * 190)  # two of the three models at once
    models, subjects = [layer(20, seed=each) for each in range(3)], brain(20)
    counts = bootstrap_counts(20, 7, seed=3) if resampled else None
    together = rsa_of_models(models, subjects, counts=counts, comparison=comparison)
    assert together.dims == (*["resample"][: 7 * resampled], "model", "subject")
    for position, model in enumerate(models):
        alone = rsa(model, subjects, counts=counts, comparison=comparison)
        np.testing.assert_allclose(together.isel(model=position), alone, rtol=0, atol=1e-14)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_a_resample_of_one_pair_has_no_correlation(comparison):
    counts = np.zeros((20, 20))
    for row in range(19):
        counts[row, [row, row + 1]] = 7, row + 3  # and nothing at all in the last
    similarity = rsa(layer(seed=1), brain(), counts=counts, comparison=comparison)
    assert np.isfinite(similarity).all()
    if "cosine" not in comparison:
        assert (similarity == 0).all()


@pytest.mark.parametrize("comparison", ["spearman", "pearson", "kendall-b"])
def test_a_resample_of_equal_dissimilarities_has_no_correlation(comparison):
    model = layer(20, seed=1)
    matrix = squareform(dissimilarity_vector(model))
    matrix[:6, :6] = 0.1 * (1 - np.eye(6))
    counts = np.zeros((30, 20))
    counts[:, :6] = bootstrap_counts(6, 30, seed=3)
    flat = Dissimilarities(model.ids, matrix)
    assert (rsa(flat, brain(), counts=counts, comparison=comparison) == 0).all()


def test_kendall_of_many_pairs_equals_scipys():
    model, subjects = layer(150, seed=1), brain(150, subjects=1)
    x, y = dissimilarity_vector(model), dissimilarity_vector(subjects.sides[0])
    expected = stats.kendalltau(x, y).statistic  # τ-b is τ-a without ties
    for comparison in ("kendall", "kendall-b"):
        actual = rsa(model, subjects, comparison=comparison).item()
        assert actual == pytest.approx(expected, abs=1e-12)


def test_kendall_takes_weights_that_are_not_whole():
    model, subjects = layer(12, seed=1), brain(12)
    counts = bootstrap_counts(12, 3, seed=3)
    thirds = rsa(model, subjects, counts=counts / 3, comparison="kendall")
    whole = rsa(model, subjects, counts=counts, comparison="kendall")
    np.testing.assert_allclose(thirds, whole, rtol=0, atol=1e-13)


def test_rho_a_is_spearmans_without_ties_and_smaller_with_them():
    model, subjects = layer(seed=1), brain()
    options = {"comparison": "rho-a"}
    np.testing.assert_allclose(rsa(model, subjects, **options), rsa(model, subjects), atol=1e-13)
    tied = with_ties(model)
    below = np.abs(rsa(tied, subjects, **options)) < np.abs(rsa(tied, subjects))
    assert below.all()


@pytest.mark.parametrize("units", [30, 4, 1])
def test_bures_is_the_nuclear_norm_with_more_and_fewer_units_than_stimuli(units):
    x = responses(12, units, seed=1) * np.logspace(-3, 0, units)
    y = responses(12, 30, seed=2)
    first, second = ((each - each.mean("stimulus")).values for each in (x, y))
    overlap = np.linalg.svd(first.T @ second, compute_uv=False).sum()
    expected = overlap / np.linalg.norm(first) / np.linalg.norm(second)
    recorded = Brain(("one",), (geometry_of(y),))
    actual = rsa_bures(geometry_of(x), recorded, dissimilarity="squared-euclidean")
    assert actual.item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("units", [(30, 4), (4, 30), (4, 6)])
def test_bures_is_symmetric_whichever_side_has_fewer_dimensions(units):
    sides = [layer(12, each, seed=each) for each in units]
    options = {"dissimilarity": "squared-euclidean"}
    there, back = (
        rsa_bures(first, Brain(("one",), (second,)), **options).item()
        for first, second in (sides, sides[::-1])
    )
    assert there == pytest.approx(back, abs=1e-12)


def test_bures_of_equal_shapes_is_one():
    x = responses(12, 5)
    turned = x.copy(data=3 * x.values[:, ::-1] + 2)
    same = Brain(("one",), (geometry_of(turned),))
    similarity = rsa_bures(geometry_of(x), same, dissimilarity="squared-euclidean")
    assert similarity.item() == pytest.approx(1, abs=1e-12)


def test_bures_of_no_distances_is_zero():
    unlike = Dissimilarities(layer(5).ids, -squareform(np.arange(1.0, 11)))
    assert (rsa_bures(unlike, brain(5)) == 0).all()


def test_fewer_than_three_stimuli_are_refused():
    for score in (rsa, rsa_bures):
        with pytest.raises(InputError, match="the model holds 1 pairs of stimuli"):
            score(layer(2), brain(2))


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_three_stimuli_are_enough(comparison):
    similarity = rsa(layer(3, seed=1), brain(3), comparison=comparison)
    assert (np.abs(similarity) <= 1 + 1e-12).all()


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_duplicated_stimuli_are_compared(comparison):
    x = responses(12)
    x[5] = x[3]
    options = {"comparison": comparison, "dissimilarity": "squared-euclidean"}
    assert np.isfinite(rsa(geometry_of(x), brain(12), **options)).all()
