"""How much of what was recorded is signal, and what a model would score without the noise.

Trials are (stimulus, repeat, neuroid), NaN where one is missing. Their noise is the variance of the
repeats of a stimulus, the signal what the variance of the means over repeats has beyond it.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import stats

from .errors import InputError, MismatchError
from .geometry import Array
from .statistics import Counts, bootstrap_counts, jackknife_counts

_MOST_LEFT_OUT: Final = 200
"""In how many groups stimuli are left out at most, to see how skewed an estimate is."""

DIMS: Final = ("stimulus", "repeat", "neuroid")


def signal_reliability(trials: xr.DataArray) -> xr.DataArray:
    """The share of signal in the variance of the means over repeats, at most 1: (neuroid,).

    1 − 1/F with F the ratio of the mean squares between and within stimuli: the unbiased signal
    variance over the variance of the means, the square of CC_max of Schoppe et al. (2016, Front
    Comput Neurosci 10:10). It is negative where repeats agree less than by chance, NaN where a
    neuroid is constant. Raises InputError where a neuroid has no stimulus with two trials.
    """
    moments = _Moments.of_trials(trials)
    once = _once(trials)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (moments.signal(once) / moments.variance(once))[0]
    return _labelled(np.where(moments.is_constant, np.nan, share), trials)


def signal_ceiling(trials: xr.DataArray) -> xr.DataArray:
    """The expected Pearson's r of the true signal with the means over repeats: (neuroid,).

    It is ρ = √`signal_reliability`, less the bias ρ(1 − ρ²)/2(n − 1) of r over n stimuli (Hotelling
    1953), under normal signal and noise; 0 where there is no signal. Unlike halves of trials it
    uses all repeats at once and draws nothing. Raises InputError as `signal_reliability` does.
    """
    reliability = signal_reliability(trials).fillna(0).clip(min=0)
    root = reliability**0.5
    ceiling: xr.DataArray = root - root * (1 - reliability) / (2 * (trials.sizes["stimulus"] - 1))
    return ceiling


def noise_corrected_correlation(
    prediction: xr.DataArray,
    trials: xr.DataArray,
    *,
    draws: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> xr.Dataset:
    """Pearson's r of a prediction with the responses without their noise, of each neuroid.

    r/√(the reliabilities of both sides) (Spearman 1904; CC_norm of Schoppe et al. 2016).
    `prediction` is (stimulus, neuroid), or trials with repeats of their own, such as of another
    animal. The result holds (neuroid,): `r`; `corrected`, which may exceed 1, NaN where a side has
    no signal; `low` and `high`, its interval (BCa; Efron 1987, J Am Stat Assoc 82:171) over stimuli
    drawn with all their trials (drawing trials as well would count their noise twice; Davison &
    Hinkley 1997, section 3.8). A draw without signal counts as infinite, with the sign of r. Raises
    MismatchError for other stimuli or neuroids, InputError as `signal_reliability` does.
    """
    sides = _moments_of(prediction, trials), _Moments.of_trials(trials)
    once = _once(trials)
    counts = bootstrap_counts(trials.sizes["stimulus"], draws, seed=seed)
    left_out = jackknife_counts(trials.sizes["stimulus"], most=_MOST_LEFT_OUT, seed=seed)
    r, corrected = _r(*sides, once)[0], _corrected(*sides, once)[0]
    low, high = _accelerated_interval(
        corrected, _corrected(*sides, counts), _corrected(*sides, left_out), confidence
    )
    unknown = sides[0].is_constant | sides[1].is_constant
    found = {
        "r": np.where(unknown, 0.0, r),
        "corrected": np.where(unknown | np.isinf(corrected), np.nan, corrected),
        "low": np.where(unknown, -np.inf, low),
        "high": np.where(unknown, np.inf, high),
    }
    labelled = {name: _labelled(values, trials) for name, values in found.items()}
    return xr.Dataset(labelled, attrs={"confidence": confidence})


def explained_signal_variance(prediction: xr.DataArray, trials: xr.DataArray) -> xr.DataArray:
    """r² of a prediction (stimulus, neuroid) with the responses without noise: (neuroid,).

    From the numerator and the denominator of r² is taken what noise adds to them on average (r̂²_ER
    of Pospisil & Bair 2021, PLoS Comput Biol 17:e1009212), so that it is about unbiased, unlike
    r²/reliability, and may leave 0 to 1. NaN where a side has no signal. The noise should not
    depend on the mean: take roots of spike counts first. Raises as `noise_corrected_correlation`.
    """
    model, moments = _moments_of(prediction, trials), _Moments.of_trials(trials)
    once, freedom = _once(trials), trials.sizes["stimulus"] - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        shared = _covariance(model, moments, once) ** 2 / model.variance(once)
        # Of the noise, a share of one degree of freedom of n − 1 falls on the prediction by chance.
        share = (shared - moments.noise(once) / freedom) / moments.signal(once)
    known = (moments.signal(once) > 0) & ~model.is_constant & ~moments.is_constant
    return _labelled(np.where(known, share, np.nan)[0], trials)


@dataclass(frozen=True)
class _Moments:
    """What the trials of each stimulus say of each neuroid: all (stimulus, neuroid).

    `means` are over repeats, centred over stimuli; `within` sums the squares of trials about them,
    with their `freedom`; `share` of a trial's noise is left in the mean.
    """

    means: Array
    within: Array
    freedom: Array
    share: Array
    is_constant: npt.NDArray[np.bool_]

    @classmethod
    def of_trials(cls, trials: xr.DataArray) -> Self:
        values = _in_form(trials, DIMS)
        if np.isinf(values).any():
            raise InputError("a trial is infinite; NaN marks a missing one")
        exists = ~np.isnan(values)
        repeats = exists.sum(axis=1)
        if (repeats == 0).any():
            raise InputError("a neuroid has no trial of some stimulus; leave either out")
        if (repeats < 2).all(axis=0).any():
            raise InputError("a neuroid has no stimulus with two trials: its noise is not known")
        means = np.nanmean(values, axis=1)
        within = np.where(exists, values - means[:, None], 0.0)
        return cls(
            means - means.mean(axis=0),
            (within**2).sum(axis=1),
            repeats - 1.0,
            1.0 / repeats,
            _constant(means),
        )

    @classmethod
    def of_means(cls, prediction: xr.DataArray) -> Self:
        values = _in_form(prediction, ("stimulus", "neuroid"))
        if not np.isfinite(values).all():
            raise InputError("a prediction is not finite")
        nothing = np.zeros_like(values)
        return cls(values - values.mean(axis=0), nothing, nothing + 1, nothing, _constant(values))

    def variance(self, counts: Counts) -> Array:
        """The unbiased variance of the means over stimuli: (draw, neuroid)."""
        return _covariance(self, self, counts)

    def noise(self, counts: Counts) -> Array:
        """The variance of the noise in the means: (draw, neuroid)."""
        variance = (counts @ self.within) / (counts @ self.freedom)
        left: Array = variance * (counts @ self.share) / counts.sum(axis=1, keepdims=True)
        return left

    def signal(self, counts: Counts) -> Array:
        """The unbiased variance of the means without their noise: (draw, neuroid)."""
        return self.variance(counts) - self.noise(counts)


def _covariance(one: _Moments, other: _Moments, counts: Counts) -> Array:
    total = counts.sum(axis=1, keepdims=True)
    products = counts @ (one.means * other.means) / total
    products -= (counts @ one.means) * (counts @ other.means) / total**2
    covariance: Array = products * total / (total - 1)
    return covariance


def _r(one: _Moments, other: _Moments, counts: Counts) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.sqrt(one.variance(counts) * other.variance(counts))
        r: Array = _covariance(one, other, counts) / scale
    return r


def _corrected(one: _Moments, other: _Moments, counts: Counts) -> Array:
    """The corrected correlation, (draw, neuroid); infinite where a side has no signal."""
    with np.errstate(divide="ignore", invalid="ignore"):
        signals = one.signal(counts), other.signal(counts)
        covariance = _covariance(one, other, counts)
        corrected = covariance / np.sqrt(signals[0] * signals[1])
    both = (signals[0] > 0) & (signals[1] > 0)
    return np.where(both, corrected, np.copysign(np.inf, covariance))


def _accelerated_interval(
    estimate: Array, drawn: Array, left_out: Array, confidence: float
) -> list[Array]:
    """Efron's BCa interval, (neuroid,) each: quantiles of the draws (draw, neuroid) whose levels
    allow for the estimate's bias and, by what is `left_out` (group, neuroid), for its skewness."""
    draws, ordered = len(drawn), np.sort(drawn, axis=0)
    below = (drawn < estimate).mean(axis=0).clip(0.5 / draws, 1 - 0.5 / draws)
    bias = stats.norm.ppf(below)
    with np.errstate(invalid="ignore", divide="ignore"):
        departures = left_out.mean(axis=0) - left_out
        skewness = (departures**3).sum(axis=0) / (departures**2).sum(axis=0) ** 1.5
    acceleration = np.nan_to_num(skewness, nan=0.0) / 6
    bounds = []
    for level in ((1 - confidence) / 2, (1 + confidence) / 2):
        shifted = bias + stats.norm.ppf(level)
        share = stats.norm.cdf(bias + shifted / (1 - acceleration * shifted))
        place = (share * draws).astype(int).clip(0, draws - 1)
        bounds.append(ordered[place, np.arange(len(place))])
    return bounds


def _moments_of(prediction: xr.DataArray, trials: xr.DataArray) -> _Moments:
    for dim in ("stimulus", "neuroid"):
        ours, theirs = (
            side[dim].values if dim in side.dims else None for side in (prediction, trials)
        )
        if ours is None or theirs is None or not np.array_equal(ours, theirs):
            raise MismatchError(f"prediction and trials differ in their dim {dim!r}, or lack it")
    of = _Moments.of_trials if "repeat" in prediction.dims else _Moments.of_means
    return of(prediction)


def _in_form(responses: xr.DataArray, dims: tuple[str, ...]) -> Array:
    if set(responses.dims) != set(dims):
        raise InputError(f"dims are {responses.dims}, expected {dims}")
    if responses.sizes["stimulus"] < 3:
        raise InputError(f"{responses.sizes['stimulus']} stimuli are too few; 3 are needed")
    values: Array = responses.transpose(*dims).values.astype(np.float64)
    return values


def _constant(means: Array) -> npt.NDArray[np.bool_]:
    # The rounding of a mean is some 1e-16 of it; what varies by less than 1e-12 is taken for it.
    return np.asarray(np.ptp(means, axis=0) <= 1e-12 * np.abs(means).max(axis=0))


def _once(trials: xr.DataArray) -> Counts:
    return np.ones((1, trials.sizes["stimulus"]))


def _labelled(values: Array, trials: xr.DataArray) -> xr.DataArray:
    return xr.DataArray(values, dims="neuroid", coords={"neuroid": trials.neuroid.values})
