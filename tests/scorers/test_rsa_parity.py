"""RSA against rsatoolbox: equal RDMs, equal comparisons, equal resamples."""

import numpy as np
import pytest
import rsatoolbox
from isocortex.scorers._rdm import dissimilarity_vector
from isocortex.scorers.rsa import rsa, rsa_bures
from tests.scorers.test_rsa import with_ties
from tests.synthetic import brain, layer, responses

from isocortex.geometry import Brain, geometry_of
from isocortex.statistics import bootstrap_counts

THEIRS = {
    "spearman": "spearman",
    "pearson": "corr",
    "cosine": "cosine",
    "kendall": "tau-a",
    "kendall-b": "kendall",
    "rho-a": "rho-a",
    "cosine-whitened": "cosine_cov",
    "correlation-whitened": "corr_cov",
}
NO_COPIES = {"kendall", "rho-a"}  # theirs count copies of a pair as ties of the model
METHODS = {"pearson": "correlation", "squared-euclidean": "euclidean"}


def rdms(*sides) -> rsatoolbox.rdm.RDMs:
    return rsatoolbox.rdm.RDMs(np.array([dissimilarity_vector(side) for side in sides]))


@pytest.mark.parametrize("dissimilarity", METHODS)
def test_dissimilarities_equal_rsatoolboxs(dissimilarity):
    x = responses(12, 40)
    theirs = rsatoolbox.rdm.calc_rdm(
        rsatoolbox.data.Dataset(x.values), method=METHODS[dissimilarity]
    )
    actual = dissimilarity_vector(geometry_of(x), dissimilarity)
    np.testing.assert_allclose(actual, theirs.dissimilarities[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("comparison", THEIRS)
@pytest.mark.parametrize("ties", [False, True])
def test_comparisons_equal_rsatoolboxs(comparison, ties):
    model, subjects = layer(seed=1), brain()
    if ties:
        model = with_ties(model)
        subjects = Brain(subjects.subjects, tuple(with_ties(side) for side in subjects.sides))
    theirs = rsatoolbox.rdm.compare(rdms(model), rdms(*subjects.sides), THEIRS[comparison])
    actual = rsa(model, subjects, comparison=comparison)
    np.testing.assert_allclose(actual, theirs[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("comparison", sorted(THEIRS.keys() - NO_COPIES))
def test_resamples_equal_rsatoolboxs(comparison):
    model, subjects = layer(seed=1), brain()
    counts = bootstrap_counts(20, 5, seed=3)
    resampled = rsa(model, subjects, counts=counts, comparison=comparison)
    for row, drawn in enumerate(counts.astype(int)):
        positions = np.repeat(np.arange(20), drawn)
        first, second = (
            each.subsample_pattern("index", positions)
            for each in (rdms(model), rdms(*subjects.sides))
        )
        theirs = rsatoolbox.rdm.compare(first, second, THEIRS[comparison])
        np.testing.assert_allclose(resampled[row], theirs[0], rtol=0, atol=1e-9)


def test_bures_equals_rsatoolboxs():
    model, subjects = layer(seed=1), brain()
    theirs = rsatoolbox.rdm.compare(rdms(model), rdms(*subjects.sides), "bures")
    np.testing.assert_allclose(rsa_bures(model, subjects), theirs[0], rtol=0, atol=1e-7)
