"""The affine-invariant distance of second-moment matrices, up to a scale and added noise.

For a model A and a brain B, second moments among contrasts of stimuli, it is the least over
a, s > 0 of ‖log λ(aA + sI, B)‖, λ the generalised eigenvalues (rsatoolbox's `neg_riem_dist`, after
Shahbazi et al. 2021, NeuroImage 239:118271). Of a and s only the ratio r = s/a has to be searched:
with μ = λ(A + rI, B) the best a takes the mean out of log μ, and Σ (log μ − mean)² is left.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from isocortex.geometry import Array

from ._second_moments import second_moments

_NEGLIGIBLE: Final = 1e-10
"""An eigenvalue below this share of the largest is no dimension of the brain."""
_LOG_RATIOS: Final = np.linspace(np.log(1e-12), np.log(1e12), 161)
"""Where the search may start and must stay: log r, relative to the model's largest eigenvalue."""
_LONGEST_STEP: Final = 2.0
_LAST_STEP: Final = 1e-3
"""A step this short is not made: the parabola tells what it would reach, to about its cube."""
_STEPS: Final = 100


def riemannian(models: Array, subjects: Array) -> tuple[Array, Array]:
    """The distances of models (model, pair) and subjects (subject, pair), and the dimensions used.

    Distances are (model, subject), dimensions (subject,): the rank of a brain's second moments.
    Where it is less than n − 1, as with fewer channels than stimuli, no distance exists among all
    stimuli; both sides are then restricted to the span of the brain. Parts with negative
    eigenvalues, which only dissimilarities that are no distances have, are left out. A brain of
    one dimension is at distance 0 of everything. Cost: 2 to 4 decompositions, n³ each, a pair.
    """
    moments = [_Moments.of(matrix) for matrix in second_moments(models)]
    brains = [_Moments.of(matrix) for matrix in second_moments(subjects)]
    distances = np.array([[_distance(model, brain) for brain in brains] for model in moments])
    return distances, np.array([len(brain.values) for brain in brains])


@dataclass(frozen=True)
class _Moments:
    """The positive part of a matrix (n, n) by eigenvalues (rank,) and eigenvectors (n, rank)."""

    values: Array = field(repr=False)
    vectors: Array = field(repr=False)

    @classmethod
    def of(cls, matrix: Array) -> "_Moments":
        values, vectors = np.linalg.eigh(matrix)
        kept = values > _NEGLIGIBLE * max(values[-1], 0.0)
        return cls(values[kept], vectors[:, kept])


def _distance(model: _Moments, brain: _Moments) -> float:
    """The distance of a model to a brain: Newton's method on log r."""
    if len(brain.values) < 2:
        return 0.0
    overlap = brain.vectors.T @ model.vectors
    root = overlap * np.sqrt(model.values / brain.values[:, None])
    signal, noise = root @ root.T, 1 / brain.values
    low, high = np.log(model.values[-1]) + _LOG_RATIOS[[0, -1]]
    at = _start(model, brain, overlap**2)
    here = _Local.of(signal, noise, at)
    for _ in range(_STEPS):
        step = float(np.clip(here.step, low - at, high - at))
        if abs(step) <= _LAST_STEP or abs(here.slope * step) <= 1e-12 * here.squared:
            break
        there = _Local.of(signal, noise, at + step)
        while there.squared > here.squared and abs(step) > _LAST_STEP:
            step /= 4
            there = _Local.of(signal, noise, at + step)
        here, at = there, at + step
    return float(np.sqrt(max(here.squared + here.slope * step / 2, 0.0)))


def _start(model: _Moments, brain: _Moments, overlap: Array) -> float:
    """The log r at which Σ (μ + 1/μ), with the best a, is least; a grid is near enough.

    It is 2 Σ cosh log μ, a constant and Σ log² μ to the third order, and takes only the traces of
    B⁻¹(A + rI) and (A + rI)⁻¹B, which the squared overlaps of eigenvectors (brain, model) give.
    """
    largest = model.values[-1]
    ratio = np.exp(_LOG_RATIOS) * largest
    direct = (1 / brain.values) @ overlap @ model.values + ratio * (1 / brain.values).sum()
    spanned = brain.values @ overlap
    beyond = (brain.values.sum() - spanned.sum()).clip(min=0)  # the model has no variance there
    inverse = (spanned / (model.values + ratio[:, None])).sum(axis=1) + beyond / ratio
    return float(np.log(ratio[(direct * inverse).argmin()]))


@dataclass(frozen=True)
class _Local:
    """The squared distance at one log r, its slope, and the step that Newton would take."""

    squared: float
    slope: float
    step: float

    @classmethod
    def of(cls, signal: Array, noise: Array, log_ratio: float) -> "_Local":
        """Of Σ log² μ − (Σ log μ)²/k, μ the eigenvalues of `signal` + r diag(`noise`)."""
        added = np.exp(log_ratio) * noise
        values, vectors = np.linalg.eigh(signal + np.diag(added))
        logs = np.log(values)
        logs -= logs.mean()
        turned = vectors.T @ (added[:, None] * vectors)
        own = np.diagonal(turned) / values
        slope = float(2 * logs @ own)
        # The second derivative of the trace of a function takes its divided differences.
        gaps = np.subtract.outer(values, values)
        products = np.outer(logs, values)
        close = np.abs(gaps) <= 1e-6 * values[:, None]
        bend = np.where(close, 1 - logs, (products - products.T) / np.where(close, 1, gaps))
        curvature = (2 * bend * turned**2 / np.outer(values, values)).sum()
        curvature += slope - 2 * len(own) * own.mean() ** 2
        downhill = -slope / curvature if curvature > 0 else -np.sign(slope)
        return cls(
            float(logs @ logs), slope, float(np.clip(downhill, -_LONGEST_STEP, _LONGEST_STEP))
        )
