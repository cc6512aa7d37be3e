"""How alike two sets of dissimilarities are, for all resamples of the stimuli at once.

Each kernel takes dissimilarities of models (model, pair) and of subjects (subject, pair), pairs as
`upper_triangle` orders them, and returns a function from counts (resample, stimulus) to
similarities (resample, model, subject). A pair of stimuli then weighs cᵢ·cⱼ. What depends on one
side alone is found once for all of the other. A resample in which all pairs of one side are alike
has no correlation; it counts as 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from isocortex.geometry import Array, Positions
from isocortex.statistics import Counts, Ranking, pair_counts

Compare = Callable[[Counts], Array]

Moments = tuple[Array, Array, Array]
"""Weighted sums of the products of models with subjects (resample, model, subject), and of the
squares of each: (resample, model), (resample, subject)."""

Weights = Counts | npt.NDArray[np.int32]


def cosine(models: Array, subjects: Array) -> Compare:
    """The cosine of the dissimilarities."""
    sums = moments(models, subjects)
    return lambda counts: quotient(*sums(pair_counts(counts)))


def pearson(models: Array, subjects: Array) -> Compare:
    """Pearson's r of the dissimilarities."""
    # Centring on the unweighted means first costs nothing and keeps the digits.
    sums = moments(centred_with_ones(models), centred_with_ones(subjects))

    def compare(counts: Counts) -> Array:
        shared, own_models, own_subjects = sums(pair_counts(counts))
        total = np.where(shared[:, -1:, -1] > 0, shared[:, -1:, -1], 1.0)
        mean_models, mean_subjects = shared[:, :-1, -1] / total, shared[:, -1, :-1] / total
        covariance = shared[:, :-1, :-1] / total[:, :, None]
        covariance -= mean_models[:, :, None] * mean_subjects[:, None]
        return quotient(
            covariance,
            _variance(own_models[:, :-1] / total, mean_models),
            _variance(own_subjects[:, :-1] / total, mean_subjects),
        )

    return compare


def spearman(models: Array, subjects: Array) -> Compare:
    """Spearman's ρ: Pearson's r of average ranks."""
    return _rank_correlation(models, subjects, ties_count=False)


def rho_a(models: Array, subjects: Array) -> Compare:
    """ρ-a: Spearman's ρ under random breaking of ties, expected; copies of a pair are no ties."""
    return _rank_correlation(models, subjects, ties_count=True)


def centred_with_ones(sides: Array) -> Array:
    """Sides (side, pair) less the mean of each, and one of ones: products with it are sums."""
    extended = np.ones((len(sides) + 1, sides.shape[1]))
    np.subtract(sides, sides.mean(axis=1, keepdims=True), out=extended[:-1])
    return extended


def moments(models: Array, subjects: Array) -> Callable[[Counts], Moments]:
    """A function from weights (resample, pair) to the weighted sums of products of the sides.

    Many resamples are one matrix product with the products of all sides, of which nothing is
    shared between resamples; one resample without weights needs none of them.
    """

    @cache
    def products() -> Array:
        shared = (models[:, None] * subjects).reshape(-1, models.shape[1])
        return np.vstack([shared, models**2, subjects**2])

    def sums(weights: Counts) -> Moments:
        if are_plain(weights):
            own = [np.einsum("sp,sp->s", sides, sides)[None] for sides in (models, subjects)]
            return (models @ subjects.T)[None], own[0], own[1]
        shape = (len(weights), len(models), len(subjects))
        shared, own_models, own_subjects = np.split(
            weights @ products().T, np.cumsum([shape[1] * shape[2], shape[1]]), axis=1
        )
        return shared.reshape(shape), own_models, own_subjects

    return sums


def are_plain(weights: Counts) -> bool:
    """Whether the weights are of the sample as it is: one row of ones."""
    return len(weights) == 1 and bool((weights == 1).all())


def quotient(shared: Array, own_models: Array, own_subjects: Array) -> Array:
    """shared/√(own · own), (resample, model, subject); 0 where a side has nothing of its own."""
    norm = own_models[:, :, None] * own_subjects[:, None]
    positive = (own_models > 0)[:, :, None] & (own_subjects > 0)[:, None]
    return np.where(positive, shared / np.sqrt(np.where(positive, norm, 1.0)), 0.0)


def _variance(mean_square: Array, mean: Array) -> Array:
    """The variance, 0 where it is no more than the rounding of its terms."""
    variance = mean_square - mean**2
    return np.where(variance > 1e-14 * mean_square, variance, 0.0)


@dataclass(frozen=True)
class TiedRanking:
    """Which of some values are equal, in their order: the ranks that they share under weights.

    `position` (value,) says where each value stands in the order; `starts` where each run of equal
    values begins, None where no two are equal.
    """

    ranking: Ranking
    position: Positions
    starts: Positions | None

    @classmethod
    def of(cls, values: Array) -> "TiedRanking":
        """The ranking of values (value,)."""
        ranking = Ranking.of(values)
        position = np.empty_like(ranking.order)
        position[ranking.order] = np.arange(len(values))
        starts = None if ranking.first is None else np.unique(ranking.first)
        return cls(ranking, position, starts)

    def doubled_ranks(self, weights: Weights, out: Array) -> None:
        """Fill `out` with twice the average ranks less their weighted mean: (resample, value)."""
        ordered = np.take(weights, self.ranking.order, axis=1)
        total = weights.sum(axis=1, keepdims=True)
        if self.starts is None:
            # The running sum less (w − 1)/2 and (N + 1)/2, in place: memory decides the speed here.
            ranks = np.cumsum(ordered, axis=1, dtype=ordered.dtype)
            ranks *= 2
            ranks -= ordered
            ranks -= total.astype(ordered.dtype)
        else:
            ranks = 2 * self.ranking.ranks(ordered.astype(np.float64)) - (total + 1)
        out[...] = np.take(ranks, self.position, axis=1, mode="clip")

    def tied_powers(self, weights: Counts, power: int) -> Array:
        """The sum over runs of equal values of their total weight to a power: (resample,)."""
        runs = weights
        if self.starts is not None:
            ordered = np.take(weights, self.ranking.order, axis=1)
            runs = np.add.reduceat(ordered, self.starts, axis=1)
        powers: Array = (runs**power).sum(axis=1)
        return powers


def _rank_correlation(models: Array, subjects: Array, *, ties_count: bool) -> Compare:
    rankings = [TiedRanking.of(values) for values in (*models, *subjects)]

    def compare(counts: Counts) -> Array:
        weights = pair_counts(counts)
        ranks = np.empty((len(rankings), *weights.shape))
        summed = _whole(weights)
        for ranking, filled in zip(rankings, ranks, strict=True):
            ranking.doubled_ranks(summed, filled)
        model_ranks, brain_ranks = np.split(ranks, [len(models)])
        fewer = min(model_ranks, brain_ranks, key=len)
        fewer *= weights
        shared = model_ranks.transpose(1, 0, 2) @ brain_ranks.transpose(1, 2, 0) / 4
        own = _rank_squares(rankings, weights, ties_count=ties_count)
        return quotient(shared, *np.split(own, [len(models)], axis=1))

    return compare


def _whole(weights: Counts) -> Weights:
    """The weights as integers where they are whole: a running sum of them is 7 × faster."""
    small = weights.sum(axis=1).max(initial=0) < 1 << 30  # their doubles are summed
    return weights.astype(np.int32) if small and (weights == np.rint(weights)).all() else weights


def _rank_squares(rankings: list[TiedRanking], weights: Counts, *, ties_count: bool) -> Array:
    """The weighted sum of squared centred ranks, (resample, side), from the runs of ties alone.

    It is (N³ − Σ t³)/12 for runs of total weight t: of equal values, or, where ties count against
    a side, of the copies of one pair.
    """
    cubes = (weights * weights * weights).sum(axis=1)
    total = weights.sum(axis=1)
    ties = [
        cubes if ties_count or ranking.starts is None else ranking.tied_powers(weights, 3)
        for ranking in rankings
    ]
    squares: Array = (total**3 - np.array(ties)).T / 12
    return squares
