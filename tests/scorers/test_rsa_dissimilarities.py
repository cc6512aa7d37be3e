"""Dissimilarities of a geometry against scipy's distances of the responses."""

import numpy as np
import pytest
from isocortex.scorers._rdm import dissimilarity_vector, square_matrices
from isocortex.scorers.rsa import rsa
from scipy.spatial.distance import pdist, squareform
from tests.synthetic import brain, layer, responses

from isocortex.errors import InputError, UnknownNameError
from isocortex.geometry import geometry_of

UNITS = 40
REFERENCES = {
    "pearson": lambda x: pdist(x, "correlation"),
    "cosine": lambda x: pdist(x, "cosine"),
    "euclidean": lambda x: pdist(x) / UNITS**0.5,
    "squared-euclidean": lambda x: pdist(x, "sqeuclidean") / UNITS,
}


@pytest.mark.parametrize("dissimilarity", REFERENCES)
@pytest.mark.parametrize("offset", [0, 3])
def test_dissimilarities_equal_scipys(dissimilarity, offset):
    x = responses(12, UNITS) + offset * np.arange(12)[:, None]
    actual = dissimilarity_vector(geometry_of(x), dissimilarity)
    np.testing.assert_allclose(actual, REFERENCES[dissimilarity](x.values), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dissimilarity", ["euclidean", "squared-euclidean"])
def test_distances_keep_their_digits_on_a_large_offset(dissimilarity):
    x = responses(12, UNITS)
    actual = dissimilarity_vector(geometry_of(x + 1e6), dissimilarity)
    np.testing.assert_allclose(actual, REFERENCES[dissimilarity](x.values), rtol=1e-8)


def test_equal_responses_have_no_distance():
    x = responses(12, UNITS)
    x[5] = x[3]
    distances = squareform(dissimilarity_vector(geometry_of(x), "euclidean"))
    assert distances[3, 5] == 0
    assert (np.sort(distances[np.triu_indices(12, 1)])[1:] > 0.1).all()


def test_one_unit_has_euclidean_distances():
    x = responses(12, 1)
    actual = dissimilarity_vector(geometry_of(x), "euclidean")
    np.testing.assert_allclose(actual, pdist(x.values), rtol=1e-12)
    assert np.isfinite(rsa(geometry_of(x), brain(12), dissimilarity="euclidean")).all()


def test_a_stimulus_that_no_unit_answers_has_no_cosine():
    x = responses(12)
    x[4] = 0
    with pytest.raises(InputError, match=r"no unit answers to stimulus 'stimulus-004'"):
        rsa(geometry_of(x), brain(12), dissimilarity="cosine")


def test_an_unknown_dissimilarity_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match="did you mean euclidean"):
        rsa(layer(), brain(), dissimilarity="euclidian")


def test_square_matrices_undo_the_upper_triangle():
    x = responses(7).values
    np.testing.assert_array_equal(square_matrices(pdist(x)[None])[0], squareform(pdist(x)))
