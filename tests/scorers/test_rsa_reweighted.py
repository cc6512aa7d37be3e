"""Feature-reweighted RSA against the pairs listed one by one, and what it must find."""

import numpy as np
import pytest
from isocortex.scorers import rsa_reweighted as file
from isocortex.scorers._non_negative import non_negative_weights
from isocortex.scorers._rdm import square_matrices
from isocortex.scorers.rsa import rsa
from isocortex.scorers.rsa_reweighted import rsa_reweighted
from scipy.optimize import nnls
from scipy.spatial.distance import pdist, squareform
from tests.synthetic import brain, layer, responses

from isocortex.errors import IncompatibleError, InputError
from isocortex.geometry import Brain, Dissimilarities, geometry_of
from isocortex.responses import Responses
from isocortex.statistics import bootstrap_counts, upper_triangle


def units(stimuli: int = 40, count: int = 12, *, seed: int = 0) -> Responses:
    x = responses(stimuli, count, seed=seed)
    return Responses(tuple(x.stimulus.values), x.values)


def distances_of_some(model: Responses, weights: np.ndarray, *, noise: float = 0.0) -> Brain:
    """A subject to whom each unit's squared differences matter as much as its weight."""
    vector = pdist(model.values * np.sqrt(weights), "sqeuclidean")
    vector += noise * np.random.default_rng(8).normal(size=len(vector))
    return Brain(("one",), (Dissimilarities(model.ids, squareform(vector)),))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [(30, 4), (60, 40), (20, 30)])
def test_non_negative_weights_equal_scipys(shape, seed):
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=shape) ** 2, generator.normal(size=shape[0])
    expected = nnls(np.vstack([x, 0.1 * np.eye(shape[1])]), np.r_[y, np.zeros(shape[1])])[0]
    weights = non_negative_weights(x.T @ x + 0.01 * np.eye(shape[1]), x.T @ y)
    np.testing.assert_allclose(weights, expected, rtol=0, atol=1e-10)


def test_weights_that_would_change_sides_for_ever_come_to_rest():
    generator = np.random.default_rng(168)  # all at once, these three go in circles
    x, target = generator.normal(size=(3, 3)), generator.normal(size=3)
    normal = x.T @ x + 1e-3 * np.eye(3)
    root = np.linalg.cholesky(normal)
    expected = nnls(root.T, np.linalg.solve(root, target))[0]
    np.testing.assert_allclose(non_negative_weights(normal, target), expected, rtol=1e-9)


def test_sums_over_pairs_equal_those_of_the_pairs_listed():
    model, subjects = units(15), brain(15)
    recorded = square_matrices(file.of_brain(subjects, "pearson"))
    pairs = np.array([pdist(column[:, None], "sqeuclidean") for column in model.values.T]).T
    pairs -= pairs.mean(axis=0)
    equations = file._normal_equations(file._Units(model.values + 3.0), recorded)
    np.testing.assert_allclose(equations.normal, pairs.T @ pairs, rtol=1e-10)
    expected = [pairs.T @ (own - own.mean()) for own in map(upper_triangle, recorded)]
    np.testing.assert_allclose(equations.targets, expected, rtol=1e-9)


def test_weights_that_were_put_in_predict_held_out_pairs():
    model = units()
    weights = np.r_[5.0, 3.0, 1.0, np.zeros(9)]
    recorded = distances_of_some(model, weights)
    options = {"dissimilarity": "squared-euclidean", "comparison": "pearson"}
    plain = rsa(geometry_of(model), recorded, **options).item()
    assert rsa_reweighted(model, recorded).item() > 0.999 > 0.7 > plain


def test_without_anything_to_find_nothing_is_found():
    """Forty weights on noise: what is held out keeps them from looking like a fit."""
    found = [
        rsa_reweighted(units(60, 40, seed=seed), brain(60, subjects=1, seed=50 + seed)).item()
        for seed in range(8)
    ]
    assert abs(np.mean(found)) < 3 * np.std(found) / 8**0.5


def test_a_resample_without_repetition_is_the_sample():
    model, subjects = units(), brain(40)
    counts = np.vstack([np.ones(40), bootstrap_counts(40, 3, seed=1)])
    resampled = rsa_reweighted(model, subjects, counts=counts)
    assert resampled.dims == ("resample", "subject")
    whole = rsa_reweighted(model, subjects)
    np.testing.assert_allclose(resampled[0], whole, rtol=0, atol=1e-12)
    assert (np.abs(resampled[1:] - whole).max("resample") > 1e-3).all()


def test_more_units_than_pairs_constant_and_equal_units_are_taken():
    x = responses(20, 400).values
    x[:, :3], x[:, 3] = 2.0, x[:, 4]
    recorded = brain(20)
    similarity = rsa_reweighted(Responses(recorded.ids, x), recorded)
    assert np.isfinite(similarity).all()
    shifted = rsa_reweighted(Responses(recorded.ids, x + 1e6), recorded)
    np.testing.assert_allclose(shifted, similarity, atol=1e-6)


def test_one_unit_has_one_weight():
    model = units(20, 1)
    recorded = distances_of_some(model, np.ones(1))
    assert rsa_reweighted(model, recorded).item() == pytest.approx(1, abs=1e-12)


def test_twelve_stimuli_are_enough():
    assert np.isfinite(rsa_reweighted(units(12), brain(12))).all()


def test_of_a_wide_layer_the_units_that_vary_most_get_a_weight():
    model = units()
    model.values[:, [2, 7, 9]] *= 3
    few = Responses(model.ids, model.values[:, [2, 7, 9]])
    expected = rsa_reweighted(few, brain(40))
    np.testing.assert_allclose(rsa_reweighted(model, brain(40), units=3), expected, atol=1e-12)


def test_what_cannot_be_reweighted_is_refused():
    with pytest.raises(InputError, match="11 stimuli; weights"):
        rsa_reweighted(units(11), brain(11))
    with pytest.raises(IncompatibleError, match="take units; got a Geometry"):
        rsa_reweighted(layer(20), brain(20))
