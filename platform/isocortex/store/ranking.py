"""Standings: means of normalised values, and ranks as intervals by a paired bootstrap.

Each score keeps its raw number for many resamples of stimuli; equal positions are equal draws for
all candidates of a benchmark version. So each resample yields a whole leaderboard, and the ranks of
one candidate over these leaderboards are its rank interval. Where two candidates rise and fall with
the same stimuli, their ranks are told apart although their own intervals overlap.

The resamples of a large leaderboard fit no memory. Its draws are normal, as wide as the scores' own
intervals, and independent from candidate to candidate; the errors of one dataset, which share
stimuli, are taken to add up. Its intervals are therefore wider than paired ones, never narrower
than what the scores themselves say.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import special

from ..scores import Ceiling
from .columns import Columns, Numbers, Positions
from .records import Standing, StoredScore

Draws = npt.NDArray[np.float64]
ReadDraws = Callable[[StoredScore], Draws | None]
"""Reads `resampled_raw` (resample) of a score, or None where it was not kept."""

CONFIDENCE: Final = 0.95
"""The probability that the intervals of ranks and means hold."""

MOST_PAIRED: Final = 20_000
"""A leaderboard of more scores is resampled without its scores' own draws."""

_NORMAL_DRAWS: Final = 400


@dataclass(frozen=True, eq=False)
class Contest:
    """The counted scores: `positions` (candidate, benchmark) among `columns`, and the weights."""

    columns: Columns = field(repr=False)
    positions: Positions = field(repr=False)
    weights: Numbers

    def complete(self) -> Positions:
        """The rows with a value on every benchmark; none if there are no benchmarks."""
        if not self.positions.size:
            return np.zeros(0, np.intp)
        return np.flatnonzero(np.isfinite(self.numbers("value")).all(axis=1))

    def numbers(self, name: str, rows: Positions | slice = slice(None)) -> Numbers:
        """One number of each score, NaN where there is none: (candidate, benchmark)."""
        positions = self.positions[rows]
        return np.where(positions >= 0, self.columns.scores[name][positions], np.nan)

    def mean(self, values: Numbers) -> Numbers:
        """The weighted mean over benchmarks, which are the last axis."""
        return np.asarray((values * self.weights).sum(axis=-1) / self.weights.sum())


def standings(
    contest: Contest, normalisations: Sequence[str], read_draws: ReadDraws
) -> dict[int, Standing]:
    """The standing of each row that has a value on all counted benchmarks.

    `normalisations` are those of the benchmarks. Costs one sort of the candidates for each
    resample.
    """
    rows = contest.complete()
    if not len(rows):
        return {}
    means = contest.mean(contest.numbers("value", rows))
    rank = ranks(means[:, None])[:, 0]
    if len(rows) * len(normalisations) > MOST_PAIRED:
        intervals = _intervals(means, list(_normal_draws(contest, rows, means)))
    else:
        drawn = [_mean_draws(contest, row, normalisations, read_draws) for row in rows]
        intervals = _intervals(means, drawn)
    return {
        int(row): Standing(rank=int(place), mean=float(mean), **interval)
        for row, place, mean, interval in zip(rows, rank, means, intervals, strict=True)
    }


def ranks(values: Draws) -> npt.NDArray[np.int64]:
    """The rank of each candidate in each resample, 1 for the greatest; equals share the best.

    `values` and the result are (candidate, resample).
    """
    falling = -values.T  # (resample, candidate): sorting runs along memory
    order = np.argsort(falling, axis=1)
    in_order = np.take_along_axis(falling, order, axis=1)
    places = np.arange(falling.shape[1])[None].repeat(len(falling), axis=0)
    places[:, 1:][in_order[:, 1:] == in_order[:, :-1]] = 0
    first = np.maximum.accumulate(places, axis=1)
    found = np.empty_like(order)
    np.put_along_axis(found, order, first + 1, axis=1)
    return np.asarray(found.T, np.int64)


def normalised(raw: Draws, ceiling: Ceiling, normalisation: str) -> Draws:
    """`isocortex.scores.normalise` for many raw numbers of one score."""
    if normalisation == "signed-square-ratio":
        return np.copysign(raw**2, raw) / ceiling.upper
    return raw / ceiling.upper


def _mean_draws(
    contest: Contest, row: int, normalisations: Sequence[str], read_draws: ReadDraws
) -> Draws | None:
    """The mean value over the benchmarks in each resample, None if one of them kept no draws."""
    drawn = []
    for position, normalisation in zip(contest.positions[row], normalisations, strict=True):
        score = contest.columns.score(int(position))
        raw = read_draws(score)
        if raw is None or score.ceiling is None:
            return None
        drawn.append(normalised(raw, score.ceiling, normalisation))
    length = min(len(raw) for raw in drawn)
    return contest.mean(np.array([raw[:length] for raw in drawn]).T)


def _normal_draws(contest: Contest, rows: Positions, means: Numbers) -> Draws:
    """Means as if drawn anew with their standard errors: (candidate, resample)."""
    confidence = contest.numbers("confidence", rows)
    width = contest.numbers("value_high", rows) - contest.numbers("value_low", rows)
    errors = width / (2 * special.ndtri((1 + confidence) / 2)) * contest.weights
    names = [contest.columns.benchmarks[place].dataset for place in _benchmarks(contest, rows)]
    datasets = list(dict.fromkeys(names))
    of_dataset = np.array([[name == dataset for dataset in datasets] for name in names], float)
    error = np.sqrt(((errors @ of_dataset) ** 2).sum(axis=1)) / contest.weights.sum()
    return np.asarray(means[:, None] + error[:, None] * _spread(len(rows)))


@lru_cache(4)
def _spread(candidates: int) -> Draws:
    return np.random.default_rng(0).standard_normal((candidates, _NORMAL_DRAWS))


def _benchmarks(contest: Contest, rows: Positions) -> list[int]:
    """The position of each counted benchmark's version."""
    found = contest.columns.scores["benchmark"][contest.positions[rows[0]]]
    return [int(place) for place in found]


def _intervals(means: Draws, draws: Sequence[Draws | None]) -> list[dict[str, Any]]:
    """The intervals of rank and mean; a candidate without draws stands still for the others."""
    nothing = dict.fromkeys(("rank_low", "rank_high", "mean_low", "mean_high"))
    length = min((len(row) for row in draws if row is not None), default=0)
    if length == 0:
        return [nothing for _ in draws]
    still = np.broadcast_to(means[:, None], (len(means), length))
    values = np.array(
        [still[place] if row is None else row[:length] for place, row in enumerate(draws)]
    )
    values = values[:, np.isfinite(values).all(axis=0)]
    if values.shape[1] == 0:
        return [nothing for _ in draws]
    tails = [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)]
    mean_low, mean_high = np.percentile(values, tails, axis=1)
    places = ranks(values)
    rank_low = np.percentile(places, tails[0], axis=1, method="lower")
    rank_high = np.percentile(places, tails[1], axis=1, method="higher")
    return [
        nothing
        if row is None
        else {
            "rank_low": int(rank_low[place]),
            "rank_high": int(rank_high[place]),
            "mean_low": float(mean_low[place]),
            "mean_high": float(mean_high[place]),
        }
        for place, row in enumerate(draws)
    ]
