"""How alike two sets of dissimilarities are, for all resamples of the stimuli at once.

Each kernel takes dissimilarities of models (model, pair) and of subjects (subject, pair), pairs as
`upper_triangle` orders them, and returns a function from counts (resample, stimulus) to
similarities (resample, model, subject). A pair of stimuli then weighs cᵢ·cⱼ. What depends on one
side alone is found once for all of the other. A resample in which all pairs of one side are alike
has no correlation; it counts as 0.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from isocortex.geometry import Array, Positions
from isocortex.statistics import Counts, Ranking, pair_counts

Compare = Callable[[Counts], Array]


def cosine(models: Array, subjects: Array) -> Compare:
    """The cosine of the dissimilarities."""
    products = pairwise_products(models, subjects)

    def compare(counts: Counts) -> Array:
        weights = pair_counts(counts)
        shared = (weights @ products.T).reshape(-1, len(models), len(subjects))
        return quotient(shared, weights @ (models**2).T, weights @ (subjects**2).T)

    return compare


def pearson(models: Array, subjects: Array) -> Compare:
    """Pearson's r of the dissimilarities."""
    # Centring on the unweighted means first costs nothing and keeps the digits.
    model, brain = centred(models), centred(subjects)
    products = pairwise_products(model, brain)

    def compare(counts: Counts) -> Array:
        weights = pair_counts(counts)
        total = totals(weights)
        mean_model, mean_brain = weights @ model.T / total, weights @ brain.T / total
        covariance = (weights @ products.T / total).reshape(-1, len(model), len(brain))
        covariance -= mean_model[:, :, None] * mean_brain[:, None]
        return quotient(
            covariance,
            _variance(weights @ (model**2).T / total, mean_model),
            _variance(weights @ (brain**2).T / total, mean_brain),
        )

    return compare


def spearman(models: Array, subjects: Array) -> Compare:
    """Spearman's ρ: Pearson's r of average ranks."""
    return _rank_correlation(models, subjects, ties_count=False)


def rho_a(models: Array, subjects: Array) -> Compare:
    """ρ-a: Spearman's ρ under random breaking of ties, expected; copies of a pair are no ties."""
    return _rank_correlation(models, subjects, ties_count=True)


def totals(weights: Counts) -> Array:
    """The sum of each row of weights, to divide by: (resample, 1); 1 where there is nothing."""
    sums = weights.sum(axis=1, keepdims=True)
    return np.where(sums > 0, sums, 1.0)


def centred(dissimilarities: Array) -> Array:
    """Dissimilarities (side, pair) less the mean of each side."""
    differences: Array = dissimilarities - dissimilarities.mean(axis=1, keepdims=True)
    return differences


def pairwise_products(models: Array, subjects: Array) -> Array:
    """The product of each model with each subject: (model × subject, pair)."""
    products: Array = (models[:, None] * subjects).reshape(-1, models.shape[1])
    return products


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

    def centred_ranks(self, weights: Counts, out: Array) -> None:
        """Fill `out` with the average ranks less their weighted mean: (resample, value)."""
        ordered = np.take(weights, self.ranking.order, axis=1)
        half_total = weights.sum(axis=1, keepdims=True) / 2
        if self.starts is None:
            # The running sum less (w − 1)/2 and (N + 1)/2, in place: memory decides the speed here.
            ranks = np.cumsum(ordered, axis=1)
            ordered /= 2
            ranks -= ordered
            ranks -= half_total
        else:
            ranks = self.ranking.ranks(ordered) - (half_total + 0.5)
        np.take(ranks, self.position, axis=1, out=out, mode="clip")

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
        for ranking, filled in zip(rankings, ranks, strict=True):
            ranking.centred_ranks(weights, filled)
        model_ranks, brain_ranks = np.split(ranks, [len(models)])
        model_ranks *= weights
        shared = model_ranks.transpose(1, 0, 2) @ brain_ranks.transpose(1, 2, 0)
        own = _rank_squares(rankings, weights, ties_count=ties_count)
        return quotient(shared, *np.split(own, [len(models)], axis=1))

    return compare


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
