"""Comparisons of the second-moment matrices that squared distances imply."""

import numpy as np

from isocortex.geometry import Array, centre

from ._rdm import square_matrices


def second_moments(dissimilarities: Array) -> Array:
    """−d/2 with the means of rows and columns taken out: (side, n, n), of (side, pair)."""
    return np.array([centre(-matrix / 2) for matrix in square_matrices(dissimilarities)])


def bures(models: Array, subjects: Array) -> Array:
    """The Bures similarity tr (A^½ B A^½)^½ / √(tr A · tr B), (model, subject), from 0 to 1.

    The part of a matrix with negative eigenvalues, which only dissimilarities that are no
    distances have, is left out of the roots. The nuclear norm of √A √B needs one decomposition of
    each side, and keeps the digits of eigenvalues near 0, of which fewer units than stimuli make
    many. It is 0 where the distances of one side add up to nothing or less.
    """
    first = [_root(matrix) for matrix in second_moments(models)]
    second = [_root(matrix) for matrix in second_moments(subjects)]
    return np.array([[_overlap(a, b) for b in second] for a in first])


def _root(matrix: Array) -> tuple[Array, float]:
    """F (n, rank) with F Fᵀ the positive part of a symmetric matrix, and the trace of the whole."""
    values, vectors = np.linalg.eigh(matrix)
    kept = values > 1e-13 * np.abs(values).max()
    return vectors[:, kept] * np.sqrt(values[kept]), float(np.trace(matrix))


def _overlap(first: tuple[Array, float], second: tuple[Array, float]) -> float:
    (root, trace), (other_root, other_trace) = first, second
    if trace <= 0 or other_trace <= 0:
        return 0.0
    nuclear_norm = np.linalg.svd(root.T @ other_root, compute_uv=False).sum()
    return float(nuclear_norm / np.sqrt(trace * other_trace))
