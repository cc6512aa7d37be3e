"""Comparisons that take account of how the noise of dissimilarities is shared between pairs.

Two dissimilarities with a stimulus in common share its noise. Under equal, independent noise of
all stimuli the inverse of their covariance, V⁻¹, gives the inner product
dᵀV⁻¹e ∝ Σᵢⱼ GᵢⱼFᵢⱼ, where G is the smallest matrix with the distances d, and F that with e:
Gᵢⱼ = −dᵢⱼ/2 − bᵢ − bⱼ with rows that sum to 0 (Diedrichsen et al. 2020, arXiv:2007.02789).
In a resample the copies of a stimulus are stimuli of their own, and the pairs among them are
missing; each copy has the same b, so that b needs no system of equations (`_offsets`).
"""

from collections.abc import Callable

import numpy as np

from isocortex.geometry import Array
from isocortex.statistics import Counts, pair_counts

from ._comparisons import Compare, centred, pairwise_products, quotient, totals
from ._rdm import square_matrices

_Inner = Callable[[Counts, Counts], tuple[Array, Array, Array]]
"""From counts of stimuli and of pairs to the products of models with subjects, and of each with
itself."""


def whitened_cosine(models: Array, subjects: Array) -> Compare:
    """The cosine under V⁻¹; of squared Euclidean distances it is linear CKA (biased)."""
    inner = _inner_products(models, subjects)

    def compare(counts: Counts) -> Array:
        return quotient(*inner(counts, pair_counts(counts)))

    return compare


def whitened_correlation(models: Array, subjects: Array) -> Compare:
    """The same of dissimilarities less their plain mean over the pairs that are kept."""
    model, brain = centred(models), centred(subjects)
    ones = np.ones((1, models.shape[1]))
    inner = _inner_products(np.vstack([model, ones]), np.vstack([brain, ones]))

    def compare(counts: Counts) -> Array:
        weights = pair_counts(counts)
        shared, own_models, own_brains = inner(counts, weights)
        total = totals(weights)
        mean_model, mean_brain = weights @ model.T / total, weights @ brain.T / total
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


def _inner_products(models: Array, subjects: Array) -> _Inner:
    products = pairwise_products(models, subjects)
    model_matrices, subject_matrices = square_matrices(models), square_matrices(subjects)

    def inner(counts: Counts, weights: Counts) -> tuple[Array, Array, Array]:
        """Model with subject (resample, model, subject), and each with itself."""
        rows_model = _row_sums(counts, model_matrices)
        rows_brain = _row_sums(counts, subject_matrices)
        weighted_model = counts[:, None] * rows_model
        offsets_brain = _offsets(counts, rows_brain)
        shared = (weights @ products.T).reshape(-1, len(models), len(subjects))
        shared -= weighted_model @ offsets_brain.transpose(0, 2, 1)
        own_model = weights @ (models**2).T - np.einsum(
            "rmi,rmi->rm", weighted_model, _offsets(counts, rows_model)
        )
        own_brain = weights @ (subjects**2).T - np.einsum(
            "ri,rsi,rsi->rs", counts, rows_brain, offsets_brain
        )
        return shared, own_model, own_brain

    return inner


def _row_sums(counts: Counts, matrices: Array) -> Array:
    """Σⱼ cⱼ dᵢⱼ of each stimulus i: (resample, side, stimulus)."""
    sums: Array = (counts @ matrices).transpose(1, 0, 2)
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
