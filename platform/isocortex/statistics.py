"""Statistics that all scorers share: resampling as weights, weighted correlations, intervals.

A bootstrap resample of n stimuli is a row of counts. A pair of stimuli (i, j) then weighs cᵢ·cⱼ,
and a pair of a stimulus with itself is dropped (Schütt et al. 2023, eLife 12:e82566).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .geometry import Array

Counts = npt.NDArray[np.float64]
"""How often each stimulus is drawn in each resample: (resample, stimulus)."""


def bootstrap_counts(size: int, resamples: int, *, seed: int) -> Counts:
    """How often each of `size` things is drawn in each of `resamples` resamples, (resamples, size).

    Equal arguments give equal draws: this is what pairs the intervals of two candidates.
    """
    generator = np.random.default_rng(seed)
    shares = np.full(size, 1 / size)
    return generator.multinomial(size, shares, size=resamples).astype(np.float64)


def bootstrap_positions(size: int, resamples: int, *, seed: int) -> npt.NDArray[np.intp]:
    """The positions drawn from `size` things in each resample, (resamples, size)."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, size, size=(resamples, size), dtype=np.intp)


def jackknife_counts(size: int, *, most: int, seed: int) -> Counts:
    """`size` things less one of `most` groups of them, drawn at random, in each row: (group, size).

    Things that are no more than `most` are left out one by one, in their order.
    """
    groups = min(size, most)
    order = np.arange(size) if groups == size else np.random.default_rng(seed).permutation(size)
    counts = np.ones((groups, size))
    counts[np.arange(size) % groups, order] = 0
    return counts


def dual_variance(both: float, first: tuple[float, float], second: tuple[float, float]) -> float:
    """The variance of a mean over two factors that were sampled, such as stimuli and subjects.

    `both` is the bootstrap variance with both factors drawn at once; `first` and `second` are each
    the bootstrap variance with one factor drawn, and its size. Drawing both counts the interaction
    of the factors three times (Schütt et al. 2023, eLife 12:e82566, eq. 19, with its bounds: not
    less than either factor alone, not more than `both`).

    >>> dual_variance(6.0, (1.0, 2), (2.0, 2))  # 2·1 + 2·2 − 4·(6 − 1 − 2) < 2·2
    4.0
    """
    (one, m), (other, n) = first, second
    one, other = one * m / (m - 1), other * n / (n - 1)
    uncorrected = both - first[0] - second[0]
    variance = one + other - uncorrected * m * n / ((m - 1) * (n - 1))
    return min(max(variance, one, other), both)


def pair_corrected_variance(bootstrap: float, jackknife: float) -> float:
    """The variance of a mean over pairs of sampled things, from its two estimates.

    Of the variance that single things make, both estimates hold once. Of what only pairs make (the
    second part of Hoeffding's decomposition) the jackknife holds twice (Efron & Stein 1981, Ann
    Stat 9:586), the bootstrap three times: a pair's weight cᵢ·cⱼ has the variance 2·2 − 1. So twice
    the one less the other holds both once. It is not less than a third of `bootstrap`, which it is
    where all is in pairs.

    >>> single, pairs = 1.0, 0.5
    >>> pair_corrected_variance(single + 3 * pairs, single + 2 * pairs)
    1.5
    """
    return max(2 * jackknife - bootstrap, bootstrap / 3)


def interval(resampled: Array, *, confidence: float) -> tuple[float, float]:
    """The percentile interval of resampled values that holds the share `confidence` of them."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return float(low), float(high)


def pair_counts(counts: Counts) -> Counts:
    """The weights cᵢ·cⱼ of all pairs i < j, (resample, pair), as `upper_triangle` orders them."""
    stimuli = counts.shape[1]
    weights = np.empty((len(counts), stimuli * (stimuli - 1) // 2))
    start = 0
    for first in range(stimuli - 1):  # row by row of the triangle, without gathering indices
        end = start + stimuli - 1 - first
        np.multiply(counts[:, first, None], counts[:, first + 1 :], out=weights[:, start:end])
        start = end
    return weights


def upper_triangle(matrix: Array) -> Array:
    """The values above the diagonal of (n, n), row by row: (n(n−1)/2,)."""
    values: Array = matrix[np.triu_indices(len(matrix), k=1)]
    return values


def columnwise_correlation(predicted: Array, observed: Array) -> Array:
    """Pearson's r of each column of two (stimulus, neuroid) arrays; 0 where one is constant."""
    weights = np.ones((1, len(observed)))
    return np.asarray(weighted_columnwise_correlation(predicted, observed, weights)[0])


def weighted_columnwise_correlation(predicted: Array, observed: Array, weights: Counts) -> Array:
    """Pearson's r of each column under each row of weights: (resample, neuroid).

    A column that is constant under the weights has no linear relation to anything: its r is 0, as
    it is under weights that are all 0.
    """
    x = predicted - predicted.mean(axis=0)
    y = observed - observed.mean(axis=0)
    total = weights.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_x, mean_y = weights @ x / total, weights @ y / total
        covariance = weights @ (x * y) / total - mean_x * mean_y
        variance_x = weights @ (x * x) / total - mean_x**2
        variance_y = weights @ (y * y) / total - mean_y**2
        r = covariance / np.sqrt(variance_x * variance_y)
    flat_x, flat_y = variance_x <= _rounding(predicted, x), variance_y <= _rounding(observed, y)
    return np.where(flat_x | flat_y | (total == 0), 0.0, r)


def _rounding(values: Array, centred: Array) -> Array:
    """The variance (column,) up to which a column is constant: a share of what it has in all, or of
    its values, whose own rounding may be all that varies."""
    own, whole = (centred**2).mean(axis=0), (values**2).mean(axis=0)
    return np.asarray(np.maximum(1e-12 * own, 1e-24 * whole))


@dataclass(frozen=True)
class Ranking:
    """The order of some values, from which their ranks follow under any weights.

    `order` (value,) sorts them; `first` and `last` (value,) are the ends of each sorted value's run
    of equal ones, None where no two are equal.
    """

    order: npt.NDArray[np.intp]
    first: npt.NDArray[np.intp] | None
    last: npt.NDArray[np.intp] | None

    @classmethod
    def of(cls, values: Array) -> "Ranking":
        """The ranking of values (value,)."""
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        if (ordered[1:] > ordered[:-1]).all():
            return cls(order, None, None)
        first = np.searchsorted(ordered, ordered, side="left")
        return cls(order, first, np.searchsorted(ordered, ordered, side="right") - 1)

    def ranks(self, weights: Counts) -> Array:
        """Average ranks when each value occurs `weights` times; both (resample, sorted value).

        Equal to ranking the repeated values, at the cost of running sums. Their mean under the
        weights is half of one more than the sum of the weights.
        """
        running = np.cumsum(weights, axis=1)
        if self.first is None or self.last is None:
            ranks: Array = running - (weights - 1) / 2
            return ranks
        before = np.where(self.first > 0, running[:, self.first - 1], 0.0)
        return (before + running[:, self.last] + 1) / 2


def spearman_brown(correlation: Array) -> Array:
    """The reliability of the whole from the correlation of its halves: 2r/(1 + r)."""
    return 2 * correlation / (1 + correlation)
