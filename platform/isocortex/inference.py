"""What may be concluded from resampled statistics: p-values, and their control over many tests."""

from math import prod
from typing import Final, Literal

import numpy as np
import xarray as xr
from scipy import stats

from .errors import InputError, UnknownNameError
from .geometry import Array

Alternative = Literal["two-sided", "greater", "less"]
Adjustment = Literal["holm", "fdr-bh", "fdr-by"]


def p_values(
    observed: xr.DataArray,
    null: xr.DataArray,
    *,
    draw: str = "permutation",
    alternative: Alternative = "greater",
) -> xr.DataArray:
    """How often chance alone does as well as was observed, from 1/(N + 1) to 1: dims of `observed`.

    Of N draws, k reach the observed: p = (k + 1)/(N + 1), as the observed is itself a draw (Phipson
    & Smyth 2010). Two-sided is twice the smaller side. Raises InputError where a number is NaN.
    """
    _check_null(observed, null, draw)
    draws = null.sizes[draw]
    upper = ((null >= _reached(observed, 1)).sum(draw) + 1) / (draws + 1)
    lower = ((null <= _reached(observed, -1)).sum(draw) + 1) / (draws + 1)
    if alternative == "greater":
        return upper
    if alternative == "less":
        return lower
    if alternative != "two-sided":
        raise UnknownNameError.among("alternative", alternative, ("two-sided", "greater", "less"))
    smaller: xr.DataArray = upper.where(upper < lower, lower)
    return (2 * smaller).clip(max=1)


def max_statistic_p_values(
    observed: xr.DataArray, null: xr.DataArray, *, draw: str = "permutation", steps: bool = True
) -> xr.DataArray:
    """p-values of greater statistics, adjusted so that all hold at once: dims of `observed`.

    Each is compared with the greatest null statistic of its draw, over all models, layers or
    regions: any false finding has the probability p (Nichols & Holmes 2002, Hum Brain Mapp 15:1).
    With `steps` those already found are left out of the maximum (Westfall & Young 1993, step-down
    max T), which finds no fewer. The statistics should have like spreads; for two sides give
    absolute ones. Raises InputError where a number is NaN.
    """
    _check_null(observed, null, draw)
    names = list(observed.dims)
    flat = null.transpose(draw, *names).values.reshape(null.sizes[draw], prod(observed.shape))
    values = observed.values.reshape(-1)
    order = np.argsort(-values, kind="stable")
    # From the least statistic up: the greatest among itself and those below it.
    greatest = np.maximum.accumulate(flat[:, order[::-1]], axis=1)[:, ::-1]
    if not steps:
        greatest = greatest[:, :1]
    reached = values[order] - _ROUNDING * np.abs(values[order])
    p = ((greatest >= reached).sum(axis=0) + 1) / (len(flat) + 1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.maximum.accumulate(p)
    return observed.copy(data=adjusted.reshape(observed.shape))


def adjusted_p_values(p: xr.DataArray, *, method: Adjustment = "holm") -> xr.DataArray:
    """p-values adjusted over all of `p`, in its dims.

    "holm" bounds the probability of any false finding, whatever the dependence (Holm 1979);
    "fdr-bh" the share of false ones among the findings where tests are independent or positively
    dependent (Benjamini & Hochberg 1995), "fdr-by" under any dependence (Benjamini & Yekutieli
    2001). Raises InputError for p outside 0 to 1 or NaN.
    """
    values = p.values.reshape(-1)
    if not ((values >= 0) & (values <= 1)).all():
        raise InputError("p-values must lie between 0 and 1; leave out tests that were not made")
    if method == "holm":
        adjusted = _holm(values)
    elif method in ("fdr-bh", "fdr-by"):
        adjusted = stats.false_discovery_control(values, method=method.removeprefix("fdr-"))
    else:
        raise UnknownNameError.among("adjustment", method, ("holm", "fdr-bh", "fdr-by"))
    return p.copy(data=adjusted.reshape(p.shape))


_ROUNDING: Final = 1e-12
"""By how much, relatively, a draw may fall short of the observed and count as equal to it."""


def _holm(values: Array) -> Array:
    order = np.argsort(values, kind="stable")
    stepped = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.maximum.accumulate(stepped).clip(max=1)
    return adjusted


def _reached(observed: xr.DataArray, side: int) -> xr.DataArray:
    return observed - side * _ROUNDING * np.abs(observed)


def _check_null(observed: xr.DataArray, null: xr.DataArray, draw: str) -> None:
    if set(null.dims) != {*observed.dims, draw}:
        raise InputError(
            f"the null has dims {null.dims}; expected {draw!r} and those of the observed, "
            f"{observed.dims}"
        )
    if null.sizes[draw] == 0 or any(
        null.sizes[dim] != observed.sizes[dim] for dim in observed.dims
    ):
        raise InputError(f"the null has sizes {dict(null.sizes)}, observed {dict(observed.sizes)}")
    if bool(observed.isnull().any()) or bool(null.isnull().any()):
        raise InputError("a statistic is NaN: leave out what could not be scored")
