"""Where the marks of the small pictures stand; the templates draw them as SVG.

A whisker shows a score as a point, its interval as a line and the ceiling as a band that ends at
the best any model could do. Lengths are in units of the picture's view box.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from isocortex.store import Leaderboard, ScoreSlice, Standing, StoredScore
from isocortex.store.leaderboards import values_at

WIDTH: Final = 100.0
"""How wide a whisker is."""


@dataclass(frozen=True)
class Scale:
    """The numbers from `start` to `end`, spread over the width of a whisker."""

    start: float
    end: float

    def __call__(self, number: float) -> float:
        """Where a number stands; one beyond the ends stands at the end."""
        inside = min(max(number, self.start), self.end)
        return round(WIDTH * (inside - self.start) / (self.end - self.start), 2)


@dataclass(frozen=True)
class Whisker:
    """Where point, interval, zero and the ceiling's band stand; None for what there is not."""

    point: float
    low: float | None
    high: float | None
    zero: float
    ceiling_low: float | None
    ceiling_high: float | None


def value_scale(scores: Iterable[StoredScore]) -> Scale:
    """A scale for the values of all these scores, from at most 0 to at least the ceiling, 1.

    It ends at -0.5 and 1.25, so that one odd score does not squeeze all others.
    """
    ends = [(one.value_low, one.value_high) for one in scores]
    lows = [low for low, _ in ends if low is not None]
    highs = [high for _, high in ends if high is not None]
    return Scale(max(-0.5, min([0.0, *lows])), min(1.25, max([1.0, *highs])))


def board_scale(board: Leaderboard, places: Sequence[int]) -> Scale:
    """The same for the scores of the rows of a leaderboard at these places."""
    positions = board.positions[list(places)]
    lows = values_at(board.columns, "value_low", positions)
    highs = values_at(board.columns, "value_high", positions)
    low = min([0.0, *lows[np.isfinite(lows)]])
    high = max([1.0, *highs[np.isfinite(highs)]])
    return Scale(max(-0.5, float(low)), min(1.25, float(high)))


def score_whisker(score: StoredScore, scale: Scale) -> Whisker:
    """The whisker of a score's value; of its raw number, without a ceiling, if it has no value."""
    if score.value is None or score.ceiling is None:
        raw = Scale(min(0.0, score.low), max(1.0, score.high))
        return Whisker(raw(score.raw), raw(score.low), raw(score.high), raw(0), None, None)
    return Whisker(
        point=scale(score.value),
        low=None if score.value_low is None else scale(score.value_low),
        high=None if score.value_high is None else scale(score.value_high),
        zero=scale(0),
        ceiling_low=scale(score.ceiling.lower / score.ceiling.upper),
        ceiling_high=scale(1),
    )


def mean_whisker(standing: Standing, scale: Scale) -> Whisker:
    """The whisker of a mean over benchmarks; it ends at 1."""
    low, high = standing.mean_low, standing.mean_high
    return Whisker(
        point=scale(standing.mean),
        low=None if low is None else scale(low),
        high=None if high is None else scale(high),
        zero=scale(0),
        ceiling_low=scale(1),
        ceiling_high=scale(1),
    )


@dataclass(frozen=True)
class Bar:
    """One layer's or subject's bar; `top` and `height` are measured downwards."""

    name: str
    value: float | None
    left: float
    top: float
    height: float
    chosen: bool


@dataclass(frozen=True)
class Profile:
    """Bars side by side, each `bar_width` wide, over a zero line, below a ceiling's line."""

    bars: tuple[Bar, ...]
    bar_width: float
    zero: float
    ceiling: float | None
    width: float
    height: float


def profile(
    slices: Sequence[ScoreSlice], score: StoredScore, *, width: float = 300, height: float = 96
) -> Profile | None:
    """The raw scores of layers or subjects as bars, on one scale with the ceiling."""
    values = [part.value for part in slices if part.value is not None]
    if not values:
        return None
    ceiling = None if score.ceiling is None else score.ceiling.upper
    highest = max([*values, ceiling or 0.0, 1e-9]) * 1.05
    lowest = min([0.0, *values])

    def down(number: float) -> float:
        return round(height * (highest - number) / (highest - lowest), 2)

    step = width / len(slices)
    bars: list[Bar] = []
    for part in slices:
        top, bottom = sorted((down(part.value or 0.0), down(0.0)))
        chosen = part.kind == "layer" and part.name == score.layer
        left = round(step * (len(bars) + 0.1), 2)
        bars.append(Bar(part.name, part.value, left, top, max(bottom - top, 0.5), chosen))
    line = None if ceiling is None else down(ceiling)
    return Profile(tuple(bars), round(step * 0.8, 2), down(0.0), line, width, height)
