"""The Riemannian comparison against rsatoolbox's search, and where theirs has no answer."""

import numpy as np
import pytest
import rsatoolbox
from isocortex.scorers import _riemannian as file
from isocortex.scorers._riemannian import riemannian
from isocortex.scorers.rsa import rsa_riemannian
from scipy.linalg import eigvalsh
from scipy.optimize import minimize_scalar
from scipy.spatial.distance import pdist, squareform
from tests.synthetic import brain, layer, responses

from isocortex.errors import InputError
from isocortex.geometry import Brain, Dissimilarities, geometry_of


def rdms(stimuli: int, units: int, *, seeds: range, metric: str = "sqeuclidean") -> np.ndarray:
    """RDMs of noise in units of unequal variance: (side, pair)."""
    scale = np.linspace(0.1, 2, units)
    each = [responses(stimuli, units, seed=seed).values * scale for seed in seeds]
    return np.array([pdist(x, metric) for x in each])


@pytest.mark.parametrize("metric", ["sqeuclidean", "correlation"])
@pytest.mark.parametrize(("stimuli", "units"), [(6, 30), (16, 30), (16, 200)])
def test_distances_equal_rsatoolboxs(stimuli, units, metric):
    models = rdms(stimuli, units, seeds=range(2), metric=metric)
    subjects = rdms(stimuli, units, seeds=range(1, 5), metric=metric)  # one of them is a model
    wrapped = (rsatoolbox.rdm.RDMs(each) for each in (models, subjects))
    theirs = -rsatoolbox.rdm.compare(*wrapped, "neg_riem_dist")
    distances, dimensions = riemannian(models, subjects)
    assert (dimensions == stimuli - 1).all()
    assert (distances <= theirs + 1e-9).all()  # theirs stops at a simplex of 1e-4
    np.testing.assert_allclose(distances, theirs, rtol=0, atol=1e-4)


def test_no_other_ratio_of_noise_to_signal_does_better():
    models, subjects = (rdms(12, 40, seeds=range(first, first + 1)) for first in (1, 2))
    basis = np.linalg.svd(np.ones((1, 12)))[2][1:]  # of the contrasts
    model, recorded = (basis @ (-squareform(each[0]) / 2) @ basis.T for each in (models, subjects))

    def squared(log_ratio: float) -> float:
        logs = np.log(eigvalsh(model + np.exp(log_ratio) * np.eye(11), recorded))
        return float(((logs - logs.mean()) ** 2).sum())

    best = min(
        minimize_scalar(
            squared, bounds=(low, low + 4), method="bounded", options={"xatol": 1e-9}
        ).fun
        for low in range(-20, 32, 2)
    )
    assert riemannian(models, subjects)[0].item() == pytest.approx(best**0.5, abs=1e-9)


def test_slope_and_step_are_those_of_finite_differences():
    generator = np.random.default_rng(0)
    root, noise = generator.normal(size=(8, 8)), generator.uniform(0.2, 3, 8)
    below, here, above = (file._Local.of(root @ root.T, noise, 1.5 + h) for h in (-1e-4, 0, 1e-4))
    assert here.slope == pytest.approx((above.squared - below.squared) / 2e-4, rel=1e-6)
    curvature = (above.slope - below.slope) / 2e-4
    assert abs(here.step) < file._LONGEST_STEP
    assert here.step == pytest.approx(-here.slope / curvature, rel=1e-6)


def test_a_model_is_at_no_distance_from_itself_scaled_and_in_noise():
    x = responses(12, 40).values
    recorded = np.array([3 * pdist(x, "sqeuclidean") + 5])  # a constant: equal noise of all stimuli
    distances, _ = riemannian(pdist(x, "sqeuclidean")[None], recorded)
    assert distances.item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("channels", [2, 5, 11])
def test_fewer_channels_than_stimuli_are_compared_in_their_span(channels):
    x, y = responses(12, 40, seed=1).values, responses(12, channels, seed=2).values
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    span = np.linalg.svd(y, full_matrices=False)[0][:, :channels]
    model, recorded = (span.T @ each @ each.T @ span for each in (x, y))

    def squared(log_ratio: float) -> float:
        logs = np.log(eigvalsh(model + np.exp(log_ratio) * np.eye(channels), recorded))
        return float(((logs - logs.mean()) ** 2).sum())

    expected = min(squared(each) for each in np.linspace(-15, 30, 45001))
    distances, dimensions = riemannian(pdist(x, "sqeuclidean")[None], pdist(y, "sqeuclidean")[None])
    assert dimensions.item() == channels
    assert distances.item() == pytest.approx(expected**0.5, abs=1e-6)


def test_where_rsatoolbox_fails_there_is_an_answer():
    models, subjects = rdms(12, 5, seeds=range(1)), rdms(12, 5, seeds=range(1, 2))
    with pytest.raises(np.linalg.LinAlgError):
        rsatoolbox.rdm.compare(
            *(rsatoolbox.rdm.RDMs(each) for each in (models, subjects)), "neg_riem_dist"
        )
    assert np.isfinite(riemannian(models, subjects)[0]).all()


def test_the_similarity_is_per_dimension_and_knows_the_better_model():
    x = responses(20, 60)
    noisy = [x + 0.5 * responses(20, 60, seed=each).values for each in (1, 2)]
    subjects = Brain(("one", "two"), tuple(map(geometry_of, noisy)))
    true = rsa_riemannian(geometry_of(x), subjects)
    other = rsa_riemannian(layer(20, 60, seed=9), subjects)
    assert true.dims == ("subject",)
    assert ((other > 0) & (other < true) & (true < 1)).all()


def test_a_brain_of_one_dimension_has_no_ratios():
    line = Dissimilarities(layer(12).ids, np.subtract.outer(np.arange(12.0), np.arange(12.0)) ** 2)
    with pytest.raises(InputError, match="subject one spans 1 dimension"):
        rsa_riemannian(layer(12), Brain(("one",), (line,)))


def test_dissimilarities_that_are_no_distances_are_compared():
    generator = np.random.default_rng(0)
    unlike = Dissimilarities(layer(12).ids, squareform(generator.uniform(0, 2, 66)))
    assert np.isfinite(rsa_riemannian(unlike, brain(12))).all()
    assert np.isfinite(rsa_riemannian(layer(12), Brain(("one",), (unlike,)))).all()
