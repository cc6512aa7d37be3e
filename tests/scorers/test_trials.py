"""Dissimilarities of single trials against rsatoolbox and scikit-learn, and what noise does."""

import numpy as np
import pytest
import rsatoolbox
from isocortex.scorers._trials import (
    TRIAL_DISSIMILARITIES,
    crossnobis_distances,
    decoding_accuracies,
    mahalanobis_distances,
    populations,
)
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from tests.synthetic import stimulus_ids

from isocortex.errors import InputError
from isocortex.geometry import Array
from isocortex.responses import Trials

NOISES = ["none", "diag", "shrinkage_diag", "shrinkage_eye", "full"]


def values(stimuli: int = 10, repeats: int = 5, neuroids: int = 6, *, seed: int = 0) -> Array:
    """Signal and correlated noise of like size: (n, repeat, p)."""
    generator = np.random.default_rng(seed)
    mixing = np.eye(neuroids) + 0.3 * generator.normal(size=(neuroids, neuroids))
    noise = generator.normal(size=(stimuli, repeats, neuroids)) @ mixing
    return 3 + generator.normal(size=(stimuli, 1, neuroids)) + noise


def trials(x: Array) -> Trials:
    return Trials(tuple(stimulus_ids(len(x))), x)


def some_missing(x: Array, *, seed: int = 1) -> Array:
    """Whole trials made NaN, about one in four; the first two of each stimulus stay."""
    missing = np.random.default_rng(seed).random(x.shape[:2]) < 0.25
    missing[:, :2] = False
    return np.where(missing[:, :, None], np.nan, x)


def precision(x: Array, noise: str) -> Array:
    if noise == "none":
        return np.eye(x.shape[2])
    (population,) = populations(trials(x), fewest=1)
    white = population.whitener(noise)(np.eye(x.shape[2]))
    return white @ white.T


def dataset(x: Array) -> rsatoolbox.data.Dataset:
    exists = np.isfinite(x[:, :, 0])
    stimulus, repeat = np.nonzero(exists)
    names = {"stimulus": stimulus.astype(str), "repeat": repeat.astype(str)}
    return rsatoolbox.data.Dataset(x[exists], obs_descriptors=names)


@pytest.mark.parametrize("noise", NOISES)
def test_crossnobis_equals_rsatoolboxs(noise):
    x = values()
    theirs = rsatoolbox.rdm.calc_rdm(
        dataset(x), "crossnobis", "stimulus", precision(x, noise), "repeat"
    )
    actual = crossnobis_distances(trials(x), noise)
    np.testing.assert_allclose(actual, theirs.get_matrices()[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("noise", NOISES)
def test_crossnobis_of_missing_trials_equals_rsatoolboxs_unbalanced(noise):
    x = some_missing(values())
    x -= np.nanmean(x, axis=1).mean(axis=0)  # rsatoolbox depends on where zero is, where unbalanced
    theirs = rsatoolbox.rdm.calc_rdm_unbalanced(
        dataset(x), "crossnobis", "stimulus", precision(x, noise), "repeat"
    )
    actual = crossnobis_distances(trials(x), noise)
    np.testing.assert_allclose(actual, theirs.get_matrices()[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("whole", [True, False])
def test_mahalanobis_equals_rsatoolboxs(noise, whole):
    x = values() if whole else some_missing(values())
    theirs = rsatoolbox.rdm.calc_rdm(dataset(x), "mahalanobis", "stimulus", precision(x, noise))
    actual = mahalanobis_distances(trials(x), noise)
    np.testing.assert_allclose(actual, theirs.get_matrices()[0], rtol=1e-9, atol=1e-12)


def decoded(x: Array, first: int, second: int, classifier) -> float:
    """The accuracy of a pair by scikit-learn, each repeat left out in turn."""
    pair = x[[first, second]]
    labels = np.repeat([0, 1], x.shape[1]).reshape(2, -1)
    correct = []
    for repeat in range(x.shape[1]):
        others = np.arange(x.shape[1]) != repeat
        fitted = classifier.fit(pair[:, others].reshape(-1, x.shape[2]), labels[:, others].ravel())
        correct.append(fitted.score(pair[:, repeat], [0, 1]))
    return float(np.mean(correct))


def test_decoding_of_two_stimuli_equals_scikit_learns_discriminant():
    for seed in range(5):
        x = values(2, 8, 3, seed=seed)
        expected = decoded(x, 0, 1, LinearDiscriminantAnalysis())
        assert decoding_accuracies(trials(x), "full")[0, 1] == pytest.approx(expected)


class PooledNoise:
    """For scikit-learn: the covariance that the training trials of all stimuli give."""

    def __init__(self, covariance: Array) -> None:
        self.covariance_ = covariance

    def fit(self, _: Array) -> "PooledNoise":
        return self


@pytest.mark.parametrize("noise", ["none", "shrinkage_diag"])
def test_decoding_of_many_equals_scikit_learns_with_noise_pooled_over_them(noise):
    x = values(5, 4, 6)
    actual = decoding_accuracies(trials(x), noise)
    for first, second in zip(*np.triu_indices(5, 1), strict=True):
        correct = []
        for repeat in range(4):
            training = x[:, np.arange(4) != repeat]
            pooled = PooledNoise(np.linalg.inv(precision(training, noise)))
            lda = LinearDiscriminantAnalysis("lsqr", covariance_estimator=pooled)
            pair = training[[first, second]].reshape(-1, 6)
            fitted = lda.fit(pair, np.repeat([0, 1], 3))
            correct.append(fitted.score(x[[first, second], repeat], [0, 1]))
        assert actual[first, second] == pytest.approx(np.mean(correct))


@pytest.mark.parametrize("seed", range(8))
def test_decoding_leaves_out_the_trials_that_are_missing(seed):
    """By the nearest mean, each squared distance less what the noise of the mean adds to it."""
    x = np.random.default_rng(seed).normal(size=(2, 6, 20))
    x[0, 4] = x[1, 5] = x[1, 3] = np.nan
    right: list[list[bool]] = [[], []]
    for stimulus, repeat in np.argwhere(np.isfinite(x[:, :, 0])):
        training = [y[np.isfinite(y[:, 0])] for y in np.delete(x, repeat, axis=1)]
        degrees = sum(len(y) - 1 for y in training)
        noise = sum(((y - y.mean(axis=0)) ** 2).sum() for y in training) / degrees
        distances = [
            ((x[stimulus, repeat] - y.mean(axis=0)) ** 2).sum() - noise / len(y) for y in training
        ]
        right[stimulus].append(int(np.argmin(distances)) == stimulus)
    expected = (np.mean(right[0]) + np.mean(right[1])) / 2
    assert decoding_accuracies(trials(x), "none")[0, 1] == pytest.approx(expected)


def experiments(
    dissimilarity: str, noise: str, *, signal: float = 0.0, missing: bool = True, count: int = 500
) -> Array:
    """The mean dissimilarity of the first stimulus from 7 others in each experiment, p = 5."""
    generator = np.random.default_rng(3)
    found = []
    for _ in range(count):
        x = generator.normal(size=(8, 4, 5)) * np.linspace(0.5, 2, 5)
        x[0] += signal
        x = some_missing(x, seed=int(generator.integers(1 << 30))) if missing else x
        found.append(TRIAL_DISSIMILARITIES[dissimilarity](trials(x), noise)[0, 1:].mean())
    return np.array(found)


def deviation(measured: Array, expected: float) -> float:
    """How many standard errors the mean of `measured` is from what is expected."""
    return float(abs(measured.mean() - expected) / (measured.std() / len(measured) ** 0.5))


@pytest.mark.parametrize("missing", [False, True])
def test_crossnobis_of_pure_noise_is_zero_on_average(missing):
    distances = experiments("crossnobis", "none", missing=missing)
    assert deviation(distances, 0) < 3
    assert (distances < 0).mean() > 0.4


def test_noise_of_the_same_trials_biases_crossnobis_by_what_its_docstring_says():
    """4/(m(d − 2)) and 2(p + 1)/(m(d − p − 1)), with m = 4 repeats and d = 8·3 degrees."""
    diagonal = experiments("crossnobis", "diag", missing=False, count=2000)
    full = experiments("crossnobis", "full", missing=False, count=2000)
    assert deviation(diagonal, 4 / (4 * (24 - 2))) < 3
    assert deviation(full, 2 * 6 / (4 * (24 - 5 - 1))) < 3
    assert deviation(diagonal, 0) > 5


def test_mahalanobis_of_pure_noise_is_twice_the_noise_of_a_mean():
    distances = experiments("mahalanobis", "none", missing=False)
    assert deviation(distances, 2 / 4 * (np.linspace(0.5, 2, 5) ** 2).mean()) < 3


def test_crossnobis_is_the_true_distance_on_average():
    assert deviation(experiments("crossnobis", "none", signal=1.5), 1.5**2) < 3


@pytest.mark.parametrize("noise", ["none", "shrinkage_diag"])
def test_decoding_of_pure_noise_is_at_chance_although_trials_are_missing(noise):
    assert deviation(experiments("decoding", noise), 0.5) < 3


@pytest.mark.parametrize("dissimilarity", TRIAL_DISSIMILARITIES)
def test_what_a_repeat_adds_to_all_stimuli_cancels_in_cross_validation(dissimilarity):
    x = values()
    drift = np.random.default_rng(5).normal(size=(1, 5, 6))
    before, after = (
        TRIAL_DISSIMILARITIES[dissimilarity](trials(y), "none") for y in (x, x + drift)
    )
    if dissimilarity == "decoding":  # a drift moves test and training means apart
        assert not np.allclose(before, after)
    else:
        np.testing.assert_allclose(before, after, atol=1e-12)


@pytest.mark.parametrize("dissimilarity", TRIAL_DISSIMILARITIES)
@pytest.mark.parametrize("noise", ["shrinkage_diag", "full"])
def test_neuroids_that_miss_the_same_trials_are_normalised_together(dissimilarity, noise):
    """Two arrays of separate sessions: as if the covariance between them were zero."""
    one, other = values(seed=1), some_missing(values(seed=2))
    measure = TRIAL_DISSIMILARITIES[dissimilarity]
    order = np.random.default_rng(0).permutation(12)
    both = measure(trials(np.concatenate([one, other], axis=2)[:, :, order]), noise)
    assert len(populations(trials(np.concatenate([one, other], axis=2)), fewest=2)) == 2
    if dissimilarity != "decoding":
        expected = (measure(trials(one), noise) + measure(trials(other), noise)) / 2
        np.testing.assert_allclose(both, expected, rtol=1e-9, atol=1e-12)
    assert both.shape == (10, 10)


@pytest.mark.parametrize("dissimilarity", TRIAL_DISSIMILARITIES)
@pytest.mark.parametrize("noise", NOISES)
def test_dissimilarities_of_trials_are_symmetric_with_a_zero_diagonal(dissimilarity, noise):
    matrix = TRIAL_DISSIMILARITIES[dissimilarity](trials(some_missing(values())), noise)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-14)
    assert (np.diagonal(matrix) == 0).all()


@pytest.mark.parametrize("dissimilarity", TRIAL_DISSIMILARITIES)
def test_an_offset_of_neuroids_changes_nothing(dissimilarity):
    x = some_missing(values())
    measure = TRIAL_DISSIMILARITIES[dissimilarity]
    before, after = (measure(trials(y), "shrinkage_diag") for y in (x, x + 1e6))
    np.testing.assert_allclose(after, before, atol=1e-7)


@pytest.mark.parametrize("dissimilarity", TRIAL_DISSIMILARITIES)
@pytest.mark.parametrize("neuroids", [1, 200])
def test_one_neuroid_and_more_of_them_than_trials_will_do(dissimilarity, neuroids):
    matrix = TRIAL_DISSIMILARITIES[dissimilarity](
        trials(values(neuroids=neuroids)), "shrinkage_diag"
    )
    assert np.isfinite(matrix).all()


def test_stimuli_of_the_same_trials_are_no_distance_apart_and_decoded_at_chance():
    x = values()
    x[3] = x[7]
    assert decoding_accuracies(trials(x), "none")[3, 7] == 0.5
    assert mahalanobis_distances(trials(x), "none")[3, 7] == 0


@pytest.mark.parametrize("measure", [crossnobis_distances, decoding_accuracies])
def test_cross_validation_takes_two_trials(measure):
    x = values()
    x[4, 1:] = np.nan
    with pytest.raises(InputError, match=r"stimulus 'stimulus-004' has 1 trials .* expected 2"):
        measure(trials(x), "none")
    with pytest.raises(InputError, match="repeat some stimulus"):
        decoding_accuracies(trials(values(repeats=2)), "diag")


def test_neuroids_without_noise_are_refused_unless_none_is_asked_for():
    x = values()
    x[:, :, 2] = x[:, :1, 2]
    with pytest.raises(InputError, match="neuroid number 2 answers all trials of a stimulus alike"):
        crossnobis_distances(trials(x), "diag")
    assert np.isfinite(crossnobis_distances(trials(x), "none")).all()
