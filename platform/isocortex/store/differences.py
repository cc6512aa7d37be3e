"""Differences of two candidates, paired by equal draws, and all of them held at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import stats

from ..variation import Variation
from .records import PairedDifference, StoredScore

Draws = npt.NDArray[np.float64]
ReadDetail = Callable[[StoredScore], xr.Dataset]


@dataclass(frozen=True)
class _Resampled:
    """A difference, its `departures` (resample,) under resampling, its interval, its standard error
    `scale`, and the degrees of `freedom` of that."""

    difference: float
    departures: Draws
    interval: tuple[float, float]
    scale: float
    freedom: float = np.inf


def paired_differences(
    pairs: Sequence[tuple[StoredScore, StoredScore]], read_detail: ReadDetail
) -> tuple[PairedDifference, ...]:
    """How much better the first of each pair is than the second, one pair a benchmark.

    `low` and `high` hold by themselves. `joint_low` and `joint_high` hold at once for all pairs:
    they are as wide as the greatest departure of a resample over the benchmarks, in standard
    errors; `p` is adjusted likewise. None where a score keeps no resamples, or they do not vary;
    such pairs take no part in the maximum.
    """
    found = [_resampled(a, b, read_detail) for a, b in pairs]
    varied = {place: each for place, each in enumerate(found) if each and each.scale > 0}
    greatest = _greatest_departures([pairs[place][0].benchmark for place in varied], varied)
    return tuple(
        PairedDifference(
            a=a.candidate,
            b=b.candidate,
            benchmark=a.benchmark,
            difference=a.raw - b.raw,
            confidence=a.confidence,
            **_interval(each),
            **_joint(each, greatest, a.confidence),
        )
        for (a, b), each in zip(pairs, found, strict=True)
    )


def _resampled(a: StoredScore, b: StoredScore, read_detail: ReadDetail) -> _Resampled | None:
    """The difference of two scores of one benchmark under equal draws, None if none were kept.

    Its variance is corrected by itself; scores of before parts were kept inherit each one's.
    """
    details = read_detail(a), read_detail(b)
    difference, confidence = a.raw - b.raw, a.confidence
    one, other = (Variation.from_detail(each) for each in details)
    if one is not None and other is not None:
        varied = one - other
        scale, freedom = varied.variance**0.5, varied.degrees_of_freedom
        interval = varied.interval(difference, confidence=confidence)
        return _Resampled(difference, varied.draws(0.0), interval, scale, freedom)
    if not all("resampled_raw" in each for each in details):
        return None
    draws = details[0].resampled_raw.values - details[1].resampled_raw.values
    draws = draws[np.isfinite(draws)]
    if not len(draws):
        return None
    low, high = np.percentile(draws, [50 * (1 - confidence), 50 * (1 + confidence)])
    departures = draws - draws.mean()
    return _Resampled(difference, departures, (float(low), float(high)), float(departures.std()))


def _greatest_departures(benchmarks: Sequence[str], varied: Mapping[int, _Resampled]) -> Draws:
    """The greatest departure over the benchmarks in each resample, in standard errors."""
    if not varied:
        return np.zeros(1)
    datasets = [name.partition("/")[0] for name in benchmarks]
    length = min(len(each.departures) for each in varied.values())
    departures = []
    for dataset, each in zip(datasets, varied.values(), strict=True):
        # One seed draws the stimuli of every dataset; those of another are another draw.
        order = np.random.default_rng(datasets.index(dataset)).permutation(length)
        departures.append(each.departures[order] / each.departures.std())
    return np.asarray(np.abs(departures).max(axis=0))


def _interval(found: _Resampled | None) -> dict[str, float | None]:
    low, high = (None, None) if found is None else found.interval
    return {"low": low, "high": high}


_ROUNDING: Final = 1e-9
"""From one distribution to the other and back is not exact."""


def _joint(found: _Resampled | None, greatest: Draws, confidence: float) -> dict[str, float | None]:
    if found is None or found.scale == 0:
        return dict.fromkeys(("joint_low", "joint_high", "p"))
    # Departures are normal; a difference, in its estimated error, is Student's t, and the further
    # out the greatest of many lies, the more so: either is put where as many lie beyond.
    normal = float(np.quantile(greatest, confidence))
    reach = float(stats.t.isf(stats.norm.sf(normal), found.freedom)) * found.scale
    beyond = stats.t.sf(abs(found.difference) / found.scale, found.freedom)
    reached = int((greatest >= stats.norm.isf(beyond) - _ROUNDING).sum())
    return {
        "joint_low": found.difference - reach,
        "joint_high": found.difference + reach,
        "p": (reached + 1) / (len(greatest) + 1),
    }
