"""Benchmark against benchmark: do the models that do well on one do well on the other?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import stats

from isocortex.store import Leaderboard

from .charts import Chart, Mark, frame, span
from .columns import own_values
from .kinds import Kinds, kinds_of
from .rendering import number

FEWEST: Final = 5
"""Of fewer models no correlation is told."""

_RESAMPLES: Final = 1000
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Correlation:
    """A correlation of models' scores with its 95 % interval by resampling models."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """Two benchmarks with the models that both have scored; `correlations` of too few are none."""

    x: str
    y: str
    models: tuple[tuple[str, float, float], ...]
    chart: Chart | None
    correlations: tuple[Correlation, ...]


def agreement(board: Leaderboard, x: str, y: str) -> Agreement:
    """How the scores of a board's models on one benchmark go with those on another."""
    one, other = own_values(board, x), own_values(board, y)
    places = np.flatnonzero(np.isfinite(one) & np.isfinite(other))
    models = tuple(
        (board.rows[place].candidate, float(one[place]), float(other[place])) for place in places
    )
    chart = _scatter(board, (x, y), places, (one, other)) if len(places) else None
    found = correlations(one[places], other[places]) if len(places) >= FEWEST else ()
    return Agreement(x, y, models, chart, found)


def correlations(one: Numbers, other: Numbers) -> tuple[Correlation, ...]:
    """Pearson's and Spearman's correlation of two scores (model,), with percentile intervals.

    A resample in which either does not vary is left out.
    """
    rows = np.random.default_rng(0).integers(len(one), size=(_RESAMPLES, len(one)))
    named = {"Pearson's r": (one, other), "Spearman's ρ": (_ranks(one), _ranks(other))}
    found = []
    for name, (first, second) in named.items():
        value = _pearson(first[None], second[None])[0]
        if name.startswith("Spearman"):
            drawn = _pearson(_ranks(one[rows]), _ranks(other[rows]))
        else:
            drawn = _pearson(one[rows], other[rows])
        drawn = drawn[np.isfinite(drawn)]
        if np.isfinite(value) and len(drawn):
            low, high = np.percentile(drawn, [2.5, 97.5])
            found.append(Correlation(name, float(value), float(low), float(high)))
    return tuple(found)


def _pearson(one: Numbers, other: Numbers) -> Numbers:
    """The correlation along the last axis, NaN where a side does not vary."""
    first = one - one.mean(axis=-1, keepdims=True)
    second = other - other.mean(axis=-1, keepdims=True)
    norm = np.sqrt((first**2).sum(axis=-1) * (second**2).sum(axis=-1))
    product = (first * second).sum(axis=-1)
    return np.where(norm > 0, product / np.where(norm > 0, norm, 1.0), np.nan)


def _ranks(values: Numbers) -> Numbers:
    """Average ranks along the last axis."""
    return np.asarray(stats.rankdata(values, axis=-1), np.float64)


def _scatter(
    board: Leaderboard,
    names: tuple[str, str],
    places: Sequence[int] | npt.NDArray[np.intp],
    values: tuple[Numbers, Numbers],
) -> Chart:
    kinds: Kinds = kinds_of([str(board.rows[place].card["learning_rule"]) for place in places])
    one, other = values
    ends = (span(one[places], zero=True), span(other[places], zero=True))
    x, y = frame((names[0], *ends[0]), (names[1], *ends[1]), (460, 400))
    marks = tuple(
        Mark(
            x(float(one[place])),
            y(float(other[place])),
            f"{board.rows[place].candidate}: {number(float(one[place]))}, "
            f"{number(float(other[place]))}",
            kinds.of(str(board.rows[place].card["learning_rule"])),
        )
        for place in places
    )
    caption = f"{len(marks)} models on {names[0]} and {names[1]}, by learning rule"
    return Chart(caption, caption, 460, 400, x, y, marks=marks, legend=kinds.legend)
