"""Dissimilarities that need single trials: normalised by noise, free of its bias, or decoded.

Each takes `Trials` and returns (stimulus, stimulus). The repeats of a stimulus are the folds of
cross-validation: what a repeat adds to all stimuli, such as the drift of a run, cancels in the
distances unless trials are missing. Neuroids that miss the same trials were recorded together; the
noise of others is taken as independent, for nothing is known of how they share it.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from isocortex.errors import InputError
from isocortex.geometry import Array, geometry_of
from isocortex.responses import Responses, Trials

from ._noise import noise_covariance
from ._rdm import squared_euclidean_dissimilarities

NO_NOISE: Final = "none"
"""Instead of an estimator: responses as they are, the noise of all neuroids taken as equal."""


@dataclass(frozen=True, eq=False)
class Population:
    """q neuroids recorded together: `values` (n, repeat, q), 0 where not `exists` (n, repeat)."""

    values: Array = field(repr=False)
    exists: npt.NDArray[np.bool_] = field(repr=False)

    def means(self) -> Array:
        """The mean over the trials that exist: (n, q)."""
        means: Array = self.values.sum(axis=1) / self.exists.sum(axis=1)[:, None]
        return means

    def residuals(self) -> Array:
        """Each trial less the mean of its stimulus, trial after trial: (trial, q)."""
        first = self.values[np.arange(len(self.values)), self.exists.argmax(axis=1)]
        # Less the first trial first: what does not vary leaves no rounding.
        values = np.where(self.exists[:, :, None], self.values - first[:, None], 0.0)
        residuals = values - Population(values, self.exists).means()[:, None]
        return np.asarray(residuals[self.exists])

    def whitener(self, noise: str) -> Callable[[Array], Array]:
        """What brings responses (row, q) to coordinates of white noise, as seen in these trials.

        Raises as `noise_covariance` does; what it returns, as `NoiseCovariance.whiten`.
        """
        if noise == NO_NOISE:
            return np.asarray
        residuals = self.residuals()
        return noise_covariance(residuals, len(residuals) - len(self.values), noise).whiten

    def without(self, repeat: int) -> "Population":
        """All trials but those of one repeat."""
        others = np.arange(self.values.shape[1]) != repeat
        return Population(self.values[:, others], self.exists[:, others])


def populations(trials: Trials, *, fewest: int) -> list[Population]:
    """The neuroids in groups that miss the same trials, each centred over the stimuli.

    Raises InputError where a stimulus has fewer than `fewest` trials of a neuroid.
    """
    exists = ~np.isnan(trials.values)
    _require_trials(trials.ids, exists.sum(axis=1), fewest)
    if (exists == exists[:, :, :1]).all():
        return [_centred(trials.values, exists[:, :, 0])]
    groups: dict[bytes, list[int]] = defaultdict(list)
    for neuroid, pattern in enumerate(exists.reshape(-1, exists.shape[2]).T):
        groups[pattern.tobytes()].append(neuroid)
    return [_centred(trials.values[:, :, own], exists[:, :, own[0]]) for own in groups.values()]


def _require_trials(ids: tuple[str, ...], count: npt.NDArray[np.intp], fewest: int) -> None:
    few = np.argwhere(count < fewest)
    if few.size:
        stimulus, neuroid = few[0]
        raise InputError(
            f"stimulus {ids[stimulus]!r} has {count[stimulus, neuroid]} trials of neuroid number "
            f"{neuroid}, expected {fewest} or more: leave one of them out, or choose a measure "
            "that needs no repeats"
        )


def _centred(values: Array, exists: npt.NDArray[np.bool_]) -> Population:
    """The population less the mean over stimuli of each neuroid; NaN where a trial is missing."""
    filled = np.where(exists[:, :, None], values, 0.0)
    filled -= Population(filled, exists).means().mean(axis=0)
    filled[~exists] = 0
    return Population(filled, exists)


def crossnobis_distances(trials: Trials, noise: str) -> Array:
    """The cross-validated squared Mahalanobis distance of each pair, over the neuroids: (n, n).

    The mean over pairs of different repeats f, g of (a_f − b_f)ᵀ Σ⁻¹ (a_g − b_g)/p: 0 on average
    where two stimuli are answered alike, and so negative at times (Walther et al. 2016, NeuroImage
    137:188). That holds for a given Σ; one from the same m repeats, with d degrees of freedom, adds
    4/(m(d − 2)) if it is diagonal, and 2(p + 1)/(m(d − p − 1)) if it is full. Where trials are
    missing, each product of two stimuli is averaged over the pairs of repeats that exist, as
    rsatoolbox does for unbalanced designs. Cost: (repeats + 1)·n²p, and that of whitening. Raises
    InputError with fewer than two trials of a stimulus.
    """
    products = sum(_crossvalidated_products(each, noise) for each in populations(trials, fewest=2))
    squares = np.diagonal(np.asarray(products))
    return np.asarray((squares[:, None] + squares - 2 * products) / trials.values.shape[2])


def _crossvalidated_products(population: Population, noise: str) -> Array:
    """The mean over repeats f ≠ g of x_f·y_g in white noise, for each pair of stimuli: (n, n).

    Σ_{f≠g} x_f·y_g = (Σ_f x_f)·(Σ_g y_g) − Σ_f x_f·y_f: one product more than there are repeats.
    """
    values, exists = population.values, population.exists.astype(np.float64)
    white = population.whitener(noise)(values.reshape(-1, values.shape[2])).reshape(values.shape)
    total, counts = white.sum(axis=1), exists.sum(axis=1)
    products = total @ total.T
    for repeat in white.transpose(1, 0, 2):
        products -= repeat @ repeat.T
    pairs = np.outer(counts, counts) - exists @ exists.T
    return np.asarray(products / pairs)


def mahalanobis_distances(trials: Trials, noise: str) -> Array:
    """The squared Mahalanobis distance of the means of each pair, over the neuroids: (n, n).

    (a − b)ᵀ Σ⁻¹ (a − b)/p. The noise of the means adds to it: about 2/m for m trials of a stimulus.
    Raises InputError where no stimulus was repeated.
    """
    groups = populations(trials, fewest=1)
    means = [each.whitener(noise)(each.means()) for each in groups]
    return squared_euclidean_dissimilarities(geometry_of(Responses(trials.ids, np.hstack(means))))


def decoding_accuracies(trials: Trials, noise: str) -> Array:
    """How well single trials tell the stimuli of each pair apart: (n, n), from 0 to 1, chance ½.

    A linear discriminant (Fisher's) is trained on all repeats but one and tested on that one, each
    in turn. Its noise covariance is estimated from the training trials of all stimuli, not of the
    pair alone: multivariate noise normalisation, as in Guggenmos et al. 2018, NeuroImage 173:434.
    With `noise` "none" it is the nearest mean. Where trials are missing, the length that noise adds
    to a mean of few is taken off, so that chance stays ½. An accuracy is the mean of those for both
    stimuli; a trial halfway between them counts half. The diagonal is 0. Cost: repeats·n²p, and as
    often that of whitening: all pairs share their products. Raises InputError with fewer than two
    trials of a stimulus.
    """
    groups = populations(trials, fewest=2)
    stimuli, repeats, _ = trials.values.shape
    correct, tested = np.zeros((stimuli, stimuli)), np.zeros(stimuli)
    for repeat in range(repeats):
        there = np.any([each.exists[:, repeat] for each in groups], axis=0)
        evidence = sum(_evidence(each, repeat, noise) for each in groups)
        halfway = np.abs(evidence) <= 1e-12 * np.abs(evidence).max()
        correct += there[:, None] * np.where(halfway, 0.5, evidence > 0)
        tested += there
    shares = correct / tested[:, None]
    accuracies: Array = (shares + shares.T) / 2
    np.fill_diagonal(accuracies, 0)
    return accuracies


def _evidence(population: Population, repeat: int, noise: str) -> Array:
    """How far the trial of i lies on the side of i rather than j: (n, n), 0 where it is missing.

    (x − (a + b)/2)ᵀ Σ⁻¹ (a − b) for a trial x of i and the training means a of i and b of j.
    """
    training = population.without(repeat)
    whiten, counts = training.whitener(noise), training.exists.sum(axis=1)
    means = whiten(training.means())
    products = whiten(population.values[:, repeat]) @ means.T
    squares = (means**2).sum(axis=1) / 2
    if np.ptp(counts):  # the noise of a mean of few trials lengthens it: trials would seem far off
        residuals = whiten(training.residuals())
        squares -= (residuals**2).sum() / (len(residuals) - len(counts)) / counts / 2
    evidence = np.diagonal(products)[:, None] - products - squares[:, None] + squares
    return np.where(population.exists[:, repeat, None], evidence, 0.0)


TRIAL_DISSIMILARITIES: Final[Mapping[str, Callable[[Trials, str], Array]]] = {
    "crossnobis": crossnobis_distances,
    "mahalanobis": mahalanobis_distances,
    "decoding": decoding_accuracies,
}
"""What follows from single trials and an estimator of their noise, or `NO_NOISE`."""
