"""The noise covariance against rsatoolbox, its two forms against each other, and where it fails."""

import numpy as np
import pytest
import rsatoolbox
from isocortex.scorers._noise import ESTIMATORS, NoiseCovariance, noise_covariance
from isocortex.scorers._trials import Population
from sklearn.covariance import ledoit_wolf

from isocortex.errors import InputError, UnknownNameError

METHODS = list(ESTIMATORS)


def residuals(trials: int = 40, neuroids: int = 7, *, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    mixing = np.eye(neuroids) + 0.4 * generator.normal(size=(neuroids, neuroids))
    x = generator.normal(size=(trials, neuroids)) @ mixing
    return x - x.mean(axis=0)


def shrinkage(covariance: NoiseCovariance, degrees: int) -> float:
    return 1 - covariance.weight * degrees


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("neuroids", [1, 7, 30])
def test_covariances_of_residuals_about_one_mean_equal_rsatoolboxs(method, neuroids):
    x = residuals(neuroids=neuroids)
    if neuroids == 1 and method.startswith("shrinkage"):
        expected = np.cov(x.T)[None, None]  # 0/0 in rsatoolbox: there is nothing to shrink
    else:
        expected = rsatoolbox.data.noise.cov_from_residuals(x, method=method)
    actual = noise_covariance(x, len(x) - 1, method).matrix()
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_the_precision_equals_rsatoolboxs(method):
    x = residuals()
    white = noise_covariance(x, len(x) - 1, method).whiten(np.eye(7))
    expected = rsatoolbox.data.noise.prec_from_residuals(x, method=method)
    np.testing.assert_allclose(white @ white.T, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("method", "power"), [("shrinkage_diag", 1), ("shrinkage_eye", -1)])
def test_about_many_means_the_shrinkage_is_that_share_of_rsatoolboxs(method, power):
    x, degrees = residuals(), 25
    theirs = rsatoolbox.data.noise.cov_from_residuals(x, dof=degrees, method=method)
    sample = rsatoolbox.data.noise.cov_from_residuals(x, dof=degrees, method="full")
    ours = shrinkage(noise_covariance(x, degrees, method), degrees)
    expected = (1 - theirs[0, 1] / sample[0, 1]) * (degrees / (len(x) - 1)) ** power
    assert ours == pytest.approx(expected, rel=1e-9)


def two_repeats(stimuli: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """The residuals of two repeats, and their differences, which are independent."""
    generator = np.random.default_rng(1)
    signal = generator.normal(size=(stimuli, 1, 1))
    trials = signal + generator.normal(size=(stimuli, 2, 5)) @ (np.eye(5) + 0.5)
    residuals = Population(trials, np.ones((stimuli, 2), dtype=bool)).residuals()
    return residuals, (trials[:, 0] - trials[:, 1]) / 2


def test_two_repeats_shrink_to_the_diagonal_as_their_differences_do():
    """Σ Var(w̄)/Σ w̄² of the products w of n differences, but for (n − 1)/n in their variance."""
    x, differences = two_repeats()
    n = len(differences)
    z = differences / np.sqrt((differences**2).mean(axis=0))
    w = (z[:, :, None] * z[:, None])[:, ~np.eye(5, dtype=bool)]
    expected = (w.var(axis=0) / n).sum() / (w.mean(axis=0) ** 2).sum()
    actual = shrinkage(noise_covariance(x, n, "shrinkage_diag"), n)
    assert actual == pytest.approx(expected + 1 / n - 2 / (2 * n - 1), rel=1e-9)


def test_two_repeats_shrink_to_the_identity_as_scikit_learn_shrinks_their_differences():
    x, differences = two_repeats()
    n = len(differences)
    _, expected = ledoit_wolf(differences, assume_centered=True)
    actual = shrinkage(noise_covariance(x, n, "shrinkage_eye"), n)
    assert actual == pytest.approx(expected * (2 * n - 1) / (2 * n), rel=1e-9)


@pytest.mark.parametrize("method", ["shrinkage_diag", "shrinkage_eye", "diag"])
def test_more_neuroids_than_trials_are_whitened_as_by_the_inverse(method):
    covariance = noise_covariance(residuals(12, 30), 9, method)
    x = residuals(5, 30, seed=1)
    white = covariance.whiten(x)
    expected = x @ np.linalg.inv(covariance.matrix()) @ x.T
    np.testing.assert_allclose(white @ white.T, expected, rtol=1e-9)


def test_no_matrix_of_all_neuroids_is_made_where_they_are_more_than_trials():
    """At p = 200,000 a single p × p matrix would take 320 GB."""
    x = np.random.default_rng(0).normal(size=(6, 200_000))
    white = noise_covariance(x, 5).whiten(x[:2])
    assert np.isfinite(white).all()


def test_a_large_offset_leaves_the_noise_as_it_is():
    trials = np.random.default_rng(0).normal(size=(20, 4, 3))
    everywhere = np.ones((20, 4), dtype=bool)
    near = Population(trials, everywhere).residuals()
    far = Population(trials + 1e6, everywhere).residuals()
    np.testing.assert_allclose(far, near, atol=1e-9)


@pytest.mark.parametrize("neuroids", [40, 50])
def test_a_full_covariance_takes_more_degrees_of_freedom_than_neuroids(neuroids):
    x = residuals(40, neuroids)
    with pytest.raises(InputError, match=f"of {neuroids} neuroids in 40 trials has no inverse"):
        noise_covariance(x, 39, "full").whiten(x)


@pytest.mark.parametrize("seed", range(10))
def test_a_neuroid_that_is_the_sum_of_others_has_no_noise_of_its_own(seed):
    x = residuals(neuroids=4, seed=seed)
    x[:, 2] = x[:, 0] + x[:, 1]
    with pytest.raises(InputError, match="has no inverse"):
        noise_covariance(x, 39, "full").whiten(x)


def test_noise_that_was_not_measured_is_refused():
    with pytest.raises(InputError, match="neuroid number 1 answers all trials of a stimulus alike"):
        noise_covariance(residuals() * (np.arange(7) != 1), 39, "diag")
    with pytest.raises(InputError, match="1 trials leave nothing to estimate noise from"):
        noise_covariance(np.zeros((1, 3)), 0)


def test_equal_neuroids_can_be_whitened_once_they_are_shrunk():
    x = np.repeat(residuals(neuroids=3), 2, axis=1)
    assert np.isfinite(noise_covariance(x, 39).whiten(x)).all()


def test_an_unknown_estimator_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match="did you mean shrinkage_diag"):
        noise_covariance(residuals(), 39, "shrinkage_diagonal")
