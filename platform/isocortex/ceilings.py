"""Ceilings: what the best possible model would reach, given the noise of the recordings."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import xarray as xr

from .geometry import Array, Brain, Dissimilarities, Positions, Side
from .recordings import Form, brain_of
from .responses import Choices
from .scores import Ceiling
from .statistics import columnwise_correlation, spearman_brown

HALF_SPLITS: Final = 10
"""How many random halvings of the repeats are averaged; Brain-Score draws as many."""

Similarity = Callable[[Side, Brain], xr.DataArray]


def subject_ceiling(similarity: Similarity, brain: Brain) -> Ceiling | None:
    """The ceiling of dissimilarities or choices from the agreement of subjects; None for one alone.

    Upper: the mean similarity of each subject to the mean of all; lower: to the mean of all others
    (Nili et al. 2014, PLoS Comput Biol 10:e1003553).
    """
    count = len(brain.subjects)
    if count < 2 or not isinstance(brain.sides[0], (Dissimilarities, Choices)):
        return None
    upper = similarity(_mean_side(brain.sides), brain)
    lower = []
    for subject in range(count):
        others = brain.sides[:subject] + brain.sides[subject + 1 :]
        one = Brain(brain.subjects[subject : subject + 1], brain.sides[subject : subject + 1])
        lower.append(float(similarity(_mean_side(others), one).item()))
    return Ceiling(float(np.mean(lower)), float(upper.mean()))


def mean_ceiling(each: Sequence[Ceiling | None]) -> Ceiling | None:
    """The mean of the ceilings of several folds, those that exist; None without any."""
    found = [ceiling for ceiling in each if ceiling is not None]
    if not found:
        return None
    lower = float(np.mean([ceiling.lower for ceiling in found]))
    return Ceiling(lower, float(np.mean([ceiling.upper for ceiling in found])))


def half_similarities(
    similarity: Similarity,
    region: xr.DataArray,
    folds: list[Positions],
    *,
    forms: tuple[Form, Form],
    seed: int,
) -> Array | None:
    """The similarity of the two halves of the repeats, (half split, subject), mean over folds.

    `forms` are those in which the scorer reads a model and a brain. None where a half would have
    no trial of some stimulus, or fewer than two where it is read as single trials.
    """
    halves = repeat_halves(region, seed=seed, trials=2 if forms[1] == "trials" else 1)
    if halves is None:
        return None
    agreement = []
    for first, second in halves:
        one, other = brain_of(first, forms[0]), brain_of(second, forms[1])
        per_subject = [
            [
                float(similarity(side.select(fold), Brain((name,), (twin.select(fold),))).item())
                for name, side, twin in zip(one.subjects, one.sides, other.sides, strict=True)
            ]
            for fold in folds
        ]
        agreement.append(np.mean(per_subject, axis=0))
    return np.array(agreement)


def half_correlations(region: xr.DataArray, *, seed: int) -> Array | None:
    """Pearson's r between halves of the repeats, (half split, neuroid); None without repeats."""
    halves = repeat_halves(region, seed=seed)
    if halves is None:
        return None
    return np.array(
        [
            columnwise_correlation(first.mean("repeat").values, second.mean("repeat").values)
            for first, second in halves
        ]
    )


def half_ceiling(agreement: Array | None, *, squared: bool = False) -> Ceiling | None:
    """The ceiling from the agreement of halves, (half split, subject or neuroid).

    Lower: the halves' own agreement r. Upper: the square root of its Spearman–Brown correction
    c = 2r/(1 + r), the highest correlation that the true signal can have with the mean over
    repeats; with `squared` c itself, as Brain-Score divides r² by it. Both are medians over
    neuroids, averaged over half splits, and floored at 0.
    """
    if agreement is None:
        return None
    reliability = spearman_brown(agreement.clip(min=0))
    upper = reliability if squared else np.sqrt(reliability)
    return Ceiling(
        float(np.median(agreement, axis=1).mean()), float(np.median(upper, axis=1).mean())
    )


def repeat_halves(
    region: xr.DataArray, *, seed: int, trials: int = 1
) -> list[tuple[xr.DataArray, xr.DataArray]] | None:
    """`HALF_SPLITS` random halvings of the repeats: the region twice, each with NaN for the other.

    Of each stimulus, the trials that exist are halved (of an odd number one half gets one more).
    None where some stimulus has too few of some neuroid to leave each half that many `trials`.
    """
    exists = np.isfinite(region.values)
    if (exists.sum(axis=1) < 2 * trials).any():
        return None
    generator = np.random.default_rng(seed)
    halves = []
    for _ in range(HALF_SPLITS):
        # One order per stimulus for all neuroids: simultaneous trials stay together.
        keys = generator.random(exists.shape[:2])[:, :, None]
        order = np.where(exists, keys, np.inf).argsort(axis=1).argsort(axis=1)
        first = exists & (order < (exists.sum(axis=1, keepdims=True) + 1) // 2)
        chosen = xr.DataArray(first, dims=region.dims)
        halves.append((region.where(chosen), region.where(~chosen)))
    return halves


def _mean_side(sides: Sequence[Side]) -> Side:
    """The mean of several subjects' dissimilarities, or of their shares of choices."""
    first = sides[0]
    if isinstance(first, Choices):
        shares = [side.shares for side in sides if isinstance(side, Choices)]
        return replace(first, shares=np.mean(shares, axis=0))
    matrices = [side.matrix for side in sides if isinstance(side, Dissimilarities)]
    return Dissimilarities(first.ids, np.mean(matrices, axis=0))
