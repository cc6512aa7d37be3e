"""Comparisons that take account of how the noise of dissimilarities is shared between pairs.

Two dissimilarities with a stimulus in common share its noise. Under equal, independent noise of
all stimuli the inverse of their covariance, V⁻¹, gives the inner product
dᵀV⁻¹e ∝ Σᵢⱼ GᵢⱼFᵢⱼ, where G is the smallest matrix with the distances d, and F that with e:
Gᵢⱼ = −dᵢⱼ/2 − bᵢ − bⱼ with rows that sum to 0 (Diedrichsen et al. 2020, arXiv:2007.02789).
In a resample the copies of a stimulus are stimuli of their own, and the pairs among them are
missing; each copy has the same b, so that b needs no system of equations (`_offsets`).
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from isocortex.geometry import Array
from isocortex.statistics import Counts, pair_counts

from ._comparisons import Compare, Moments, are_plain, centred_with_ones, moments, quotient
from ._rdm import square_matrices

_Sums = Callable[[Counts], tuple[Moments, Moments]]
"""From counts of stimuli to sums of products as they are, and under V⁻¹."""


def whitened_cosine(models: Array, subjects: Array) -> Compare:
    """The cosine under V⁻¹; of squared Euclidean distances it is linear CKA (biased)."""
    sums = _sums(models, subjects)
    return lambda counts: quotient(*sums(counts)[1])


def whitened_correlation(models: Array, subjects: Array) -> Compare:
    """The same of dissimilarities less their plain mean over the pairs that are kept."""
    sums = _sums(centred_with_ones(models), centred_with_ones(subjects))

    def compare(counts: Counts) -> Array:
        (plain, _, _), (shared, own_models, own_brains) = sums(counts)
        total = np.where(plain[:, -1:, -1] > 0, plain[:, -1:, -1], 1.0)
        mean_model, mean_brain = plain[:, :-1, -1] / total, plain[:, -1, :-1] / total
        one_model, one_brain, one = shared[:, :-1, -1], shared[:, -1, :-1], shared[:, -1, -1]
        less_means = (
            shared[:, :-1, :-1]
            - mean_model[:, :, None] * one_brain[:, None]
            - one_model[:, :, None] * mean_brain[:, None]
            + mean_model[:, :, None] * mean_brain[:, None] * one[:, None, None]
        )
        return quotient(
            less_means,
            _less_mean(own_models[:, :-1], mean_model, one_model, one[:, None]),
            _less_mean(own_brains[:, :-1], mean_brain, one_brain, one[:, None]),
        )

    return compare


def _less_mean(own: Array, mean: Array, with_one: Array, one: Array) -> Array:
    """The squared norm after the mean is taken out; 0 where only rounding is left."""
    squared = own - 2 * mean * with_one + mean**2 * one
    return np.where(squared > 1e-13 * own, squared, 0.0)


def _sums(models: Array, subjects: Array) -> _Sums:
    plain = moments(models, subjects)
    rows_of_models, rows_of_subjects = _row_sums(models), _row_sums(subjects)

    def sums(counts: Counts) -> tuple[Moments, Moments]:
        rows_model, rows_brain = rows_of_models(counts), rows_of_subjects(counts)
        weighted_model = counts[:, None] * rows_model
        offsets_brain = _offsets(counts, rows_brain)
        shared, own_models, own_brains = plain(pair_counts(counts))
        whitened = (
            shared - weighted_model @ offsets_brain.transpose(0, 2, 1),
            own_models - np.einsum("rmi,rmi->rm", weighted_model, _offsets(counts, rows_model)),
            own_brains - np.einsum("ri,rsi,rsi->rs", counts, rows_brain, offsets_brain),
        )
        return (shared, own_models, own_brains), whitened

    return sums


def _row_sums(vectors: Array) -> Callable[[Counts], Array]:
    """A function to Σⱼ cⱼ dᵢⱼ of each stimulus i, (resample, side, stimulus), of (side, pair)."""
    matrices = cache(lambda: square_matrices(vectors))

    def sums(counts: Counts) -> Array:
        if are_plain(counts):
            return _sums_of_pairs(vectors, counts.shape[1])[None]
        rows: Array = (counts @ matrices()).transpose(1, 0, 2)
        return rows

    return sums


def _sums_of_pairs(vectors: Array, stimuli: int) -> Array:
    """The sum of the pairs of each stimulus, (side, stimulus): no matrices for a single look."""
    sums = np.zeros((len(vectors), stimuli))
    start = 0
    for first in range(stimuli - 1):
        pairs = vectors[:, start : start + stimuli - 1 - first]
        sums[:, first] += pairs.sum(axis=1)
        sums[:, first + 1 :] += pairs
        start += pairs.shape[1]
    return sums


def _offsets(counts: Counts, rows: Array) -> Array:
    """The b, up to the factor −1/2 of all, that makes the rows over the kept pairs sum to 0.

    bᵢ(N − 2cᵢ + 2) + Σⱼ cⱼbⱼ = Σⱼ cⱼdᵢⱼ: a diagonal matrix and one of rank one.
    """
    diagonal = (counts.sum(axis=1, keepdims=True) - 2 * counts + 2)[:, None]
    singular = (diagonal == 0).any(axis=(1, 2))
    safe = np.where(diagonal == 0, 1.0, diagonal)
    shares = counts[:, None] / safe
    total = (shares * rows).sum(axis=2, keepdims=True) / (1 + shares.sum(axis=2, keepdims=True))
    offsets: Array = (rows - total) / safe
    for row in np.flatnonzero(singular):  # one stimulus makes up half of the resample and more
        system = np.diag(diagonal[row, 0]) + counts[row]
        offsets[row] = np.linalg.solve(system, rows[row].T).T
    return offsets
