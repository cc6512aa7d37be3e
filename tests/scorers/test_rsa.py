"""RSA against scipy, written out plainly."""

import numpy as np
import pytest
from isocortex.scorers._rdm import dissimilarity_vector, pearson_dissimilarities
from isocortex.scorers.rsa import rsa
from scipy import stats
from scipy.spatial.distance import cdist, pdist
from tests.synthetic import brain, layer, responses

from isocortex.errors import InputError, MismatchError, UnknownNameError
from isocortex.geometry import Brain, Dissimilarities, geometry_of
from isocortex.statistics import bootstrap_counts


def tau_a(x: np.ndarray, y: np.ndarray) -> float:
    agreement = [
        np.sign(x[i] - x[j]) * np.sign(y[i] - y[j]) for i in range(len(x)) for j in range(i)
    ]
    return sum(agreement) / (len(x) * (len(x) - 1) / 2)


REFERENCES = {
    "spearman": lambda x, y: stats.spearmanr(x, y).statistic,
    "pearson": lambda x, y: stats.pearsonr(x, y).statistic,
    "cosine": lambda x, y: x @ y / np.linalg.norm(x) / np.linalg.norm(y),
    "kendall": tau_a,
}


def with_ties(side) -> Dissimilarities:
    return Dissimilarities(side.ids, np.round(pearson_dissimilarities(side), 1))


def test_pearson_dissimilarities_equal_scipys():
    x = responses(12, 40)
    expected = pdist(x.values, "correlation")
    np.testing.assert_allclose(dissimilarity_vector(geometry_of(x)), expected, atol=1e-12)


def test_pearson_dissimilarities_keep_their_digits_on_a_large_offset():
    x = responses(12, 40)
    expected = pdist(x.values, "correlation")
    actual = dissimilarity_vector(geometry_of(x + 1e6))
    np.testing.assert_allclose(actual, expected, atol=1e-9)


@pytest.mark.parametrize("comparison", REFERENCES)
@pytest.mark.parametrize("ties", [False, True])
def test_comparisons_equal_scipys(comparison, ties):
    model, subjects = layer(seed=1), brain()
    if ties:
        model = with_ties(model)
        subjects = Brain(subjects.subjects, tuple(with_ties(side) for side in subjects.sides))
    expected = [
        REFERENCES[comparison](dissimilarity_vector(model), dissimilarity_vector(side))
        for side in subjects.sides
    ]
    actual = rsa(model, subjects, comparison=comparison)
    assert actual.dims == ("subject",)
    np.testing.assert_allclose(actual.values, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("comparison", REFERENCES)
def test_a_resample_equals_comparing_the_repeated_stimuli(comparison):
    model, subjects = layer(12, seed=1), brain(12)
    counts = bootstrap_counts(12, 5, seed=3)
    resampled = rsa(model, subjects, counts=counts, comparison=comparison)
    for row, drawn in enumerate(counts.astype(int)):
        positions = np.repeat(np.arange(12), drawn)
        first, second = np.triu_indices(len(positions), k=1)
        kept = positions[first] != positions[second]
        pairs = positions[first][kept], positions[second][kept]
        x = pearson_dissimilarities(model)[pairs]
        y = pearson_dissimilarities(subjects.sides[0])[pairs]
        expected = REFERENCES[comparison](x, y)
        if comparison == "kendall":  # copies of one pair tie with each other: they are not counted
            pair_weights = np.unique(np.array(pairs), axis=1, return_counts=True)[1]
            expected *= len(x) * (len(x) - 1) / (len(x) ** 2 - (pair_weights**2).sum())
        np.testing.assert_allclose(resampled.values[row, 0], expected, atol=1e-12)


def test_one_subject_is_scored_alike_alone_and_among_others():
    model, subjects = layer(seed=1), brain(subjects=3)
    alone = Brain(subjects.subjects[1:2], subjects.sides[1:2])
    assert rsa(model, alone).item() == pytest.approx(rsa(model, subjects).values[1], abs=1e-14)


def test_a_stimulus_that_all_units_answer_alike_is_named():
    x = responses(10)
    x[4] = 2.5
    with pytest.raises(InputError, match=r"'stimulus-004'.*does not exist"):
        rsa(geometry_of(x), brain(10))


def test_equal_dissimilarities_are_refused():
    ids = layer(10).ids
    flat = Dissimilarities(ids, 1 - np.eye(10))
    with pytest.raises(InputError, match="all dissimilarities of the model are equal"):
        rsa(flat, brain(10))


def test_other_stimuli_are_refused():
    with pytest.raises(MismatchError, match="19 and 20; the model lacks stimulus-000"):
        rsa(layer(20).select(np.arange(1, 20)), brain(20))


def test_an_unknown_comparison_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match="did you mean spearman"):
        rsa(layer(), brain(), comparison="spearmann")


def test_cosine_distance_is_not_what_is_computed():
    """The Pearson RDM differs from the cosine RDM where means differ: guards the centring."""
    x = responses(12, 40) + np.arange(12)[:, None]
    other = cdist(x.values, x.values, "cosine")[np.triu_indices(12, 1)]
    assert np.abs(dissimilarity_vector(geometry_of(x)) - other).max() > 0.1


def test_dissimilarities_that_differ_by_rounding_alone_are_equal():
    """Orthonormal responses are all equally far from each other."""
    x = responses(12, 40)
    x.values[:] = np.linalg.qr(x.values.T)[0].T
    with pytest.raises(InputError, match="all dissimilarities of the model are equal"):
        rsa(geometry_of(x), brain(12), dissimilarity="squared-euclidean")


def test_dissimilarities_that_are_not_finite_are_refused():
    matrix = pearson_dissimilarities(layer())
    matrix[2, 5] = matrix[5, 2] = np.nan
    with pytest.raises(InputError, match="a dissimilarity of the model is not finite"):
        rsa(Dissimilarities(layer().ids, matrix), brain())
