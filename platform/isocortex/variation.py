"""How a score varies with what was sampled: its variance, its interval, and that of a difference.

A score is a mean over stimuli, or pairs of them, and over subjects or neuroids. Drawing one factor,
the other, and both at once tells the parts of its variance; leaving out stimuli tells how much of
it lies in pairs. All of these are linear in the score, so that the parts of a difference of two
scores are the differences of their parts.
"""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import xarray as xr
from scipy import stats

from .geometry import Array
from .statistics import dual_variance, pair_corrected_variance


@dataclass(frozen=True, eq=False)
class Variation:
    """A score under resampling. A column is a subject or a neuroid.

    `both` (resample,) is the score with stimuli and columns drawn at once, `stimuli` (resample,)
    with stimuli alone, `columns` (resample,) with columns alone, None where there is one column.
    `influence` (group, column) is what leaving out a group of stimuli takes from each column's
    score, scaled to a mean over stimuli; None for a score that does not compare stimuli in pairs.
    `sizes` are the numbers of stimuli and columns, `fold` is how many stimuli are scored together
    on average, 2 or more.
    """

    both: Array = field(repr=False)
    stimuli: Array = field(repr=False)
    columns: Array | None = field(repr=False)
    influence: Array | None = field(repr=False)
    sizes: tuple[int, int]
    fold: float

    def __sub__(self, other: "Variation") -> "Variation":
        """The variation of the difference of two scores on the same draws."""
        return Variation(
            self.both - other.both,
            self.stimuli - other.stimuli,
            _difference(self.columns, other.columns),
            _difference(self.influence, other.influence),
            self.sizes,
            self.fold,
        )

    @property
    def variance(self) -> float:
        """The variance of the score over other samples of stimuli and of columns."""
        alone, (_, columns) = self._of_stimuli, self.sizes
        if self.columns is None:
            return alone * self.fold / (self.fold - 1)
        other = float(self.columns.var())
        both = alone + other + self._of_crossing
        return dual_variance(both, (alone, self.fold), (other, columns))

    @property
    def degrees_of_freedom(self) -> float:
        """Those of the variance, from its parts over stimuli and columns (Satterthwaite 1946).

        Each fold of stimuli is centred by itself and loses one.
        """
        parts = [(self._of_stimuli, self.sizes[0] * (1 - 1 / self.fold))]
        if self.columns is not None:
            parts.append((float(self.columns.var()), self.sizes[1] - 1))
        squares = sum(part**2 / freedom for part, freedom in parts)
        return sum(part for part, _ in parts) ** 2 / squares if squares else parts[0][1]

    def draws(self, score: float) -> Array:
        """The score under resampling, with the corrected variance around `score`: (resample,).

        A resample holds fewer different stimuli than the sample, which shifts some measures (biased
        CKA most of all): the spread is what resampling tells, its centre is the score.
        """
        spread = self.both - self.both.mean()
        variance = float(spread.var())
        return np.asarray(score + spread * (self.variance / variance if variance else 0.0) ** 0.5)

    def interval(self, score: float, *, confidence: float) -> tuple[float, float]:
        """The percentile interval, wider by Student's t as the variance itself is estimated."""
        tail = (1 - confidence) / 2
        low, high = np.quantile(self.draws(0.0), [tail, 1 - tail]) * self.widening(confidence)
        return float(score + low), float(score + high)

    def widening(self, confidence: float) -> float:
        """How many times wider than a normal interval that of an estimated variance is."""
        tail = (1 - confidence) / 2
        return float(stats.t.ppf(tail, self.degrees_of_freedom) / stats.norm.ppf(tail))

    @property
    def _of_stimuli(self) -> float:
        """The variance that stimuli make where the columns are those that were recorded."""
        bootstrap = float(self.stimuli.var())
        if self.influence is None:
            return bootstrap
        return pair_corrected_variance(bootstrap, _square_sum(self.influence.mean(axis=1)))

    @property
    def _of_crossing(self) -> float:
        """The variance that stimuli make differently in each column."""
        assert self.columns is not None  # asked for two factors only; narrows the type
        either = float(self.stimuli.var()) + float(self.columns.var())
        bootstrap = max(float(self.both.var()) - either, 0.0)
        if self.influence is None:
            return bootstrap
        own = self.influence - self.influence.mean(axis=1, keepdims=True)
        return pair_corrected_variance(bootstrap, _square_sum(own) / self.sizes[1] ** 2)

    def as_variables(self) -> dict[str, tuple[str | tuple[str, str], Array]]:
        """The parts as variables of a score's detail; `from_detail` reads them."""
        found: dict[str, tuple[str | tuple[str, str], Array]] = {
            "resampled_both": ("resample", self.both),
            "resampled_stimuli": ("resample", self.stimuli),
            "sampled": ("sampled_factor", np.array([*self.sizes, self.fold])),
        }
        if self.columns is not None:
            found["resampled_columns"] = ("resample", self.columns)
        if self.influence is not None:
            found["influence"] = (("left_out", "subject"), self.influence)
        return found

    @classmethod
    def from_detail(cls, detail: xr.Dataset) -> Self | None:
        """The variation that a score's detail keeps, or None if it keeps none."""
        if "resampled_both" not in detail:
            return None
        stimuli, columns, fold = detail.sampled.values.tolist()
        return cls(
            detail.resampled_both.values,
            detail.resampled_stimuli.values,
            detail.resampled_columns.values if "resampled_columns" in detail else None,
            detail.influence.values if "influence" in detail else None,
            (int(stimuli), int(columns)),
            fold,
        )


def _difference(one: Array | None, other: Array | None) -> Array | None:
    return None if one is None or other is None else one - other


def _square_sum(values: Array) -> float:
    return float((values * values).sum())
