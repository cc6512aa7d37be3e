"""Kendall's τ under weights: how many pairs of pairs of stimuli two RDMs order alike.

The sum over all values p, q of w_p w_q sgn(x_p − x_q) sgn(y_p − y_q) would cost the square of their
number. Here they are cut into blocks of about √values by their order in x, and again in y. Values
that share neither block are compared through the total weights of x block × y block; those that
share one, through a small matrix of signs. That is O(resamples · values^1.5) as matrix products,
and exact: the sums are of integers, in float32 only where none can reach 2²⁴.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocortex.geometry import Array, Positions
from isocortex.statistics import Counts, pair_counts

from ._comparisons import Compare, TiedRanking, are_plain, quotient

Matrix = npt.NDArray[np.floating[Any]]


def tau_a(models: Array, subjects: Array) -> Compare:
    """Kendall's τ-a, (concordant − discordant)/all; ties count against it, copies do not."""
    return _tau(models, subjects, ties_count=True)


def tau_b(models: Array, subjects: Array) -> Compare:
    """Kendall's τ-b: concordant − discordant, over what each side orders at all."""
    return _tau(models, subjects, ties_count=False)


def _tau(models: Array, subjects: Array, *, ties_count: bool) -> Compare:
    rankings = [TiedRanking.of(values) for values in (*models, *subjects)]

    def compare(counts: Counts) -> Array:
        weights = pair_counts(counts)
        copies = (weights * weights).sum(axis=1, keepdims=True)
        runs = np.array([ranking.tied_powers(weights, 2) for ranking in rankings]).T
        ordered = weights.sum(axis=1, keepdims=True) ** 2 - (copies if ties_count else runs)
        ordered = np.broadcast_to(ordered, runs.shape)
        if are_plain(weights):
            untied = weights.sum() ** 2 - runs
            shared = _plain_concordance(models, subjects, *np.split(untied[0], [len(models)]))
            return quotient(shared[None], *np.split(ordered, [len(models)], axis=1))
        run_models, run_subjects = np.split(runs, [len(models)], axis=1)
        tied = run_models[:, :, None] + run_subjects[:, None] - copies[:, :, None]
        concordance = np.empty(tied.shape)
        by_pair = _by_pair(weights)
        for row, x in enumerate(models):
            for column, y in enumerate(subjects):
                if rankings[row].starts is not None:
                    tied[:, row, column] -= _tied_in_both(x, y, weights) - copies[:, 0]
                concordance[:, row, column] = _concordance(_Blocks.of(x, y), by_pair)
        concordance -= tied - copies[:, :, None]  # what is tied on one side looked concordant
        return quotient(concordance, *np.split(ordered, [len(models)], axis=1))

    return compare


def _plain_concordance(
    models: Array, subjects: Array, untied_models: Array, untied_subjects: Array
) -> Array:
    """The same sum for weights of 1, (model, subject), by scipy's τ-b: it counts while it sorts.

    τ-b is that sum, an even integer, over the root of what each side orders at all; so the sum is
    restored without rounding.
    """
    from scipy.stats import kendalltau

    tau = np.array([[kendalltau(x, y).statistic for y in subjects] for x in models])
    return np.asarray(np.rint(tau * np.sqrt(np.outer(untied_models, untied_subjects))))


def _by_pair(weights: Counts) -> Matrix:
    """The weights as (pair, resample), in float32 where no sum in a block can reach 2²⁴."""
    whole = bool((weights == np.rint(weights)).all())
    largest = max(weights.sum(axis=1).max(), weights.max() ** 2 * _block_size(weights.shape[1]))
    return np.ascontiguousarray(weights.T, dtype=np.float32 if whole and largest < 2**23 else float)


def _tied_in_both(x: Array, y: Array, weights: Counts) -> Array:
    """The weight of all (p, q) that are tied both in x and in y, p = q among them: (resample,)."""
    runs = np.unique(np.column_stack([x, y]), axis=0, return_inverse=True)[1].ravel()
    return TiedRanking.of(runs.astype(float)).tied_powers(weights, 2)


def _block_size(values: int) -> int:
    return int(max(8, round(1.25 * values**0.5)))  # the fastest of those tried at 4,186 and 44,850


@dataclass(frozen=True)
class _Blocks:
    """Two orders of the same values: of x with its ties broken by y, and of y with its by x.

    `order` (2, value) sorts the values, `position` (2, value) says where each came to stand. What
    is tied on one side thus counts as concordant, and is taken off again (`_tau`).
    """

    order: Positions
    position: Positions
    size: int

    @classmethod
    def of(cls, x: Array, y: Array) -> "_Blocks":
        """The blocks of values x and y, both (value,)."""
        order = np.array([np.lexsort((y, x)), np.lexsort((x, y))])
        return cls(order, order.argsort(axis=1), _block_size(len(x)))

    def members(self, side: int) -> Iterator[tuple[Positions, Positions]]:
        """Of each block of one side: its values in order, and their positions on the other."""
        for start in range(0, self.order.shape[1], self.size):
            values = self.order[side, start : start + self.size]
            yield values, self.position[1 - side, values]


def _concordance(blocks: _Blocks, weights: Matrix) -> Array:
    """Σ w_p w_q sgn(x_p − x_q) sgn(y_p − y_q), (resample,), of weights (value, resample)."""
    total = np.zeros(weights.shape[1])
    names = np.arange(-(-len(weights) // blocks.size))[:, None]
    earlier = np.zeros((len(names), weights.shape[1]), weights.dtype)
    for (in_x, y), (in_y, x) in zip(blocks.members(0), blocks.members(1), strict=True):
        total += _within(np.sign(y - y[:, None]), weights[in_x])
        other_block = (x // blocks.size) != (x // blocks.size)[:, None]
        total += _within(np.sign(x - x[:, None]) * other_block, weights[in_y])
        held = (names == y // blocks.size).astype(weights.dtype) @ weights[in_x]
        below = np.cumsum(earlier, axis=0)
        # Of the earlier x blocks: what lies in lower y blocks less what lies in higher ones.
        lead = 2 * below - earlier - below[-1]
        total += np.multiply(held, lead, dtype=np.float64).sum(axis=0)
        earlier += held
    return 2 * total


def _within(signs: npt.NDArray[np.intp], weights: Matrix) -> Array:
    """Σ over p before q of w_p w_q sign, (resample,), of weights (value, resample)."""
    products = np.triu(signs).astype(weights.dtype) @ weights
    products *= weights
    return np.asarray(products.sum(axis=0, dtype=np.float64))
