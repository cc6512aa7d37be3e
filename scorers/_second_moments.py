"""Comparisons of the second-moment matrices that squared distances imply."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from isocortex.geometry import Array, centre

from ._rdm import square_matrices

_ROUNDING: Final = 1e-14
"""What share of the trace an eigenvalue may be below 0 by rounding."""
_WELL_CONDITIONED: Final = 1e-8
"""Above this share of the largest eigenvalue, the root of one is sure to 1e-14/√1e-8."""


def second_moments(dissimilarities: Array) -> Array:
    """−d/2 with the means of rows and columns taken out: (side, n, n), of (side, pair)."""
    return np.array([centre(-matrix / 2) for matrix in square_matrices(dissimilarities)])


def bures(models: Array, subjects: Array) -> Array:
    """The Bures similarity tr (A^½ B A^½)^½ / √(tr A · tr B), (model, subject), from 0 to 1.

    The part of a matrix with negative eigenvalues, which only dissimilarities that are no
    distances have, is left out of the roots. It is 0 where the distances of one side add up to
    nothing or less. Cost: a decomposition of each model, and one without vectors for each pair.
    """
    first = [_Moments(matrix) for matrix in second_moments(models)]
    second = [_Moments(matrix) for matrix in second_moments(subjects)]
    return np.array([[_similarity(a, b) for b in second] for a in first])


@dataclass(frozen=True)
class _Moments:
    """A symmetric matrix (n, n) whose rows sum to 0, with what is found of it once."""

    matrix: Array = field(repr=False)

    @cached_property
    def root(self) -> Array:
        """F (n, rank) of the positive part; it keeps the digits of eigenvalues near 0."""
        values, vectors = np.linalg.eigh(self.matrix)
        kept = values > 1e-13 * np.abs(values).max()
        root: Array = vectors[:, kept] * np.sqrt(values[kept])
        return root

    @cached_property
    def is_positive(self) -> bool:
        """Whether no eigenvalue is below 0 by more than rounding: a root by Cholesky exists."""
        size, stimuli = np.trace(self.matrix), len(self.matrix)
        # The constant vector, whose eigenvalue is 0 always, gets the mean of the others.
        raised = self.matrix + size / stimuli**2 + _ROUNDING * size * np.eye(stimuli)
        try:
            np.linalg.cholesky(raised)
        except np.linalg.LinAlgError:
            return False
        return True


def _similarity(first: _Moments, second: _Moments) -> float:
    size = np.trace(first.matrix), np.trace(second.matrix)
    if min(size) <= 0:
        return 0.0
    return float(_nuclear_norm(first, second) / np.sqrt(size[0] * size[1]))


def _nuclear_norm(first: _Moments, second: _Moments) -> float:
    """The sum of the singular values of √A √B, by their squares where those keep the digits."""
    if second.is_positive:
        squares = np.linalg.eigvalsh(first.root.T @ second.matrix @ first.root)
        if squares[0] > _WELL_CONDITIONED * squares[-1]:
            return float(np.sqrt(squares).sum())
    return float(np.linalg.svd(first.root.T @ second.root, compute_uv=False).sum())
