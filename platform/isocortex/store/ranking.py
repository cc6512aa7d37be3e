"""Standings: means of normalised values, and ranks as intervals by a paired bootstrap.

Each score keeps its raw number for many resamples of stimuli; equal positions are equal draws for
all candidates of a benchmark version. So each resample yields a whole leaderboard, and the ranks of
one candidate over these leaderboards are its rank interval. Where two candidates rise and fall with
the same stimuli, their ranks are told apart although their own intervals overlap.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..scores import Ceiling
from .records import Standing, StoredBenchmark, StoredScore

Draws = npt.NDArray[np.float64]
ReadDraws = Callable[[StoredScore], Draws | None]
"""Reads `resampled_raw` (resample) of a score, or None where it was not kept."""

CONFIDENCE: Final = 0.95
"""The probability that the intervals of ranks and means hold."""


def standings(
    rows: Mapping[str, Mapping[str, StoredScore]],
    counted: Sequence[StoredBenchmark],
    read_draws: ReadDraws,
) -> dict[str, Standing]:
    """The standing of each candidate that has a value on all `counted` benchmarks.

    `rows` maps candidates to their scores by benchmark. Costs one sort of the candidates for each
    resample.
    """
    complete = {
        candidate: [scores[benchmark.name] for benchmark in counted]
        for candidate, scores in rows.items()
        if counted and all(has_value(scores.get(benchmark.name)) for benchmark in counted)
    }
    if not complete:
        return {}
    means = np.array([np.mean([score.value for score in row]) for row in complete.values()])
    rank = ranks(means[:, None])[:, 0]
    draws = [_mean_draws(row, counted, read_draws) for row in complete.values()]
    intervals = _intervals(means, draws)
    return {
        candidate: Standing(rank=int(place), mean=float(mean), **interval)
        for candidate, place, mean, interval in zip(complete, rank, means, intervals, strict=True)
    }


def ranks(values: Draws) -> npt.NDArray[np.int64]:
    """The rank of each candidate in each resample, 1 for the greatest; equals share the best.

    `values` and the result are (candidate, resample).
    """
    found = np.empty(values.shape, dtype=np.int64)
    for resample, column in enumerate(-values.T):
        found[:, resample] = 1 + np.searchsorted(np.sort(column), column)
    return found


def normalised(raw: Draws, ceiling: Ceiling, normalisation: str) -> Draws:
    """`isocortex.scores.normalise` for many raw numbers of one score."""
    if normalisation == "signed-square-ratio":
        return np.copysign(raw**2, raw) / ceiling.upper
    return raw / ceiling.upper


def has_value(score: StoredScore | None) -> bool:
    """Whether there is such a score, and a ceiling that gives it a normalised value."""
    return score is not None and score.value is not None


def _mean_draws(
    row: Sequence[StoredScore], counted: Sequence[StoredBenchmark], read_draws: ReadDraws
) -> Draws | None:
    """The mean value over the benchmarks in each resample, None if one of them kept no draws."""
    drawn = []
    for score, benchmark in zip(row, counted, strict=True):
        raw = read_draws(score)
        if raw is None or score.ceiling is None:
            return None
        drawn.append(normalised(raw, score.ceiling, benchmark.normalisation))
    length = min(len(raw) for raw in drawn)
    means: Draws = np.array([raw[:length] for raw in drawn]).mean(axis=0)
    return means


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
