"""Charts as the templates draw them: frames with ticks, and the marks that stand in them.

Every chart says in `words` what it shows, for those who do not see it. Lengths are in units of the
picture's view box; y counts downwards.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .colours import KINDS, heat, ink_on
from .rendering import number

SHAPES: Final = (
    *("M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0", "M-3.6-3.6h7.2v7.2h-7.2z", "M0-4.6L4.4 3.4H-4.4z"),
    *("M0-5L5 0L0 5L-5 0z", "M0 4.6L4.4-3.4H-4.4z", "M-5-1.4h3.6v-3.6h2.8v3.6h3.6v2.8h-3.6v3.6"),
    *("M-4.4-2.5L0-5l4.4 2.5v5L0 5l-4.4-2.5z", "M-5-3h10v6h-10z"),
)
"""Circle, square, triangle, diamond, and so on, as paths around 0: one for each kind."""


_LETTER: Final = 6.6
"""How wide a letter is at most, on average, in the type of the labels."""

_SLANT: Final = (0.79, 0.62)
"""Of a length, how far a slanted label goes to the right and up."""


@dataclass(frozen=True)
class Tick:
    """A number written beside an axis."""

    place: float
    text: str


@dataclass(frozen=True)
class Axis:
    """One side of a chart: the numbers from `low` to `high` lie between `start` and `end`."""

    label: str
    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Where a number stands; one beyond the ends stands at the end."""
        low, high, inside = (self._scaled(each) for each in (self.low, self.high, value))
        share = min(max((inside - low) / (high - low), 0.0), 1.0)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> tuple[Tick, ...]:
        """Round numbers along the axis."""
        return tuple(Tick(self(each), text) for each, text in self._rounded())

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, 1e-12)) if self.logarithmic else value

    def _rounded(self) -> Iterable[tuple[float, str]]:
        if self.logarithmic:
            powers = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            return ((10.0**power, _large(10.0**power)) for power in powers)
        step = _step(self.high - self.low)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return ((each * step, number(each * step, digits)) for each in range(first, last + 1))


@dataclass(frozen=True)
class Mark:
    """A point with the ends of its interval, where they are known; `kind` says colour and shape.

    The interval is drawn up and down, or if `flat` from left to right.
    """

    x: float
    y: float
    title: str
    kind: int = 0
    low: float | None = None
    high: float | None = None
    flat: bool = False

    @property
    def shape(self) -> str:
        """Its path around 0."""
        return SHAPES[self.kind % KINDS]


@dataclass(frozen=True)
class Line:
    """A line through points, `x,y x,y …`."""

    points: str
    title: str
    kind: int = 0
    dashed: bool = False


@dataclass(frozen=True)
class Box:
    """A rectangle; `colour` is a colour, or empty where its `role` in style.css gives it."""

    x: float
    y: float
    width: float
    height: float
    title: str
    role: str = "bar"
    colour: str = ""
    text: str = ""

    @property
    def ink(self) -> str:
        """The colour of a text on it."""
        return ink_on(self.colour) if self.colour else ""


@dataclass(frozen=True)
class Chart:
    """A chart with its marks; `legend` names the kinds that are drawn."""

    caption: str
    words: str
    width: float
    height: float
    x: Axis | None
    y: Axis | None
    marks: tuple[Mark, ...] = ()
    lines: tuple[Line, ...] = ()
    boxes: tuple[Box, ...] = ()
    labels: tuple[tuple[float, float, str, str], ...] = ()
    legend: tuple[tuple[int, str, str], ...] = ()


def span(
    values: Iterable[float], *, zero: bool = False, margin: float = 0.05
) -> tuple[float, float]:
    """A range that holds all values, and 0 if asked for, with a margin; never empty."""
    listed = [*values, *([0.0] if zero else [])] or [0.0, 1.0]
    low, high = min(listed), max(listed)
    reach = (high - low) * margin or abs(high) * 0.1 or 0.5
    return (low if zero and low == 0 else low - reach), high + reach


def log_span(values: Iterable[float]) -> tuple[float, float]:
    """The powers of ten around these values, of which those that are positive count."""
    listed = [value for value in values if value > 0] or [1.0]
    low, high = math.floor(math.log10(min(listed))), math.ceil(math.log10(max(listed)))
    return 10.0**low, 10.0 ** max(high, low + 1)


def frame(
    x: tuple[str, float, float],
    y: tuple[str, float, float],
    size: tuple[float, float],
    *,
    x_log: bool = False,
) -> tuple[Axis, Axis]:
    """The two axes of a chart of that size, with room for their numbers and labels.

    An axis is given by its label and the numbers at its ends.
    """
    width, height = size
    return Axis(*x, 52, width - 10, x_log), Axis(*y, height - 40, 10)


def line_through(
    points: Sequence[tuple[float, float]], x: Axis, y: Axis, title: str, kind: int = 0
) -> Line:
    """A line through points in the units of the axes."""
    return Line(" ".join(f"{x(one)},{y(other)}" for one, other in points), title, kind)


def legend_of(names: Iterable[str]) -> tuple[tuple[int, str, str], ...]:
    """Kind, shape and name of each, in order; after eight they begin again."""
    return tuple((place % KINDS, SHAPES[place % KINDS], name) for place, name in enumerate(names))


def histogram(
    values: Sequence[float], label: str, caption: str, *, bands: Mapping[str, tuple[float, float]]
) -> Chart:
    """How many of the values lie in each of some bins; `bands` are shaded ranges by their name."""
    low, high = span([*values, *(end for band in bands.values() for end in band)], margin=0.02)
    step = _step(high - low, parts=16)
    first, last = math.floor(low / step), math.ceil(high / step)
    counts = [0] * (last - first)
    for value in values:
        counts[min(max(int(value / step - first), 0), len(counts) - 1)] += 1
    x, y = frame(
        (label, first * step, last * step), ("how many", 0, max(counts) * 1.08), (420, 210)
    )
    boxes = [
        Box(x(one), 10, max(x(other) - x(one), 1.5), y(0) - 10, name, role="band")
        for name, (one, other) in bands.items()
    ]
    for place, count in enumerate(counts):
        left, right = x((first + place) * step), x((first + place + 1) * step)
        ends = f"{number((first + place) * step)} to {number((first + place + 1) * step)}"
        if count:
            title = f"{ends}: {count}"
            boxes.append(Box(left + 0.5, y(count), right - left - 1, y(0) - y(count), title))
    middle = sorted(values)[len(values) // 2]
    words = f"{caption}. {len(values)} values from {number(min(values))} to {number(max(values))}"
    told = "".join(f"; {name} {number(a)} to {number(b)}" for name, (a, b) in bands.items())
    return Chart(
        caption, f"{words}, median {number(middle)}{told}", 420, 210, x, y, boxes=tuple(boxes)
    )


def heat_map(
    rows: Mapping[str, Sequence[float | None]], columns: Sequence[str], caption: str, *, top: float
) -> Chart:
    """Numbers from 0 to `top` as colours, one row and one column each; None stays empty."""
    cell, side = 22.0, 46.0
    told_rows, head = short_names(rows), 10 + _SLANT[1] * _length(columns)
    left = 12 + _length(told_rows)
    boxes, labels = [], []
    for down, (name, values) in enumerate(rows.items()):
        y = head + down * cell
        labels.append((left - 6, y + 15, "end", told_rows[down]))
        for across, value in enumerate(values):
            if value is None:
                continue
            title = f"{name}, {columns[across]}: {number(value)}"
            place = (left + across * side, y, side - 1, cell - 1)
            boxes.append(Box(*place, title, "cell", heat(value / top), number(value)))
    labels += [
        (left + (across + 0.5) * side, head - 6, "turned", name)
        for across, name in enumerate(columns)
    ]
    told = [
        f"{name}: highest {number(value)} on {columns[place]}"
        for name, values in rows.items()
        for value, place in [max((v, p) for p, v in enumerate(values) if v is not None)]
    ]
    words = f"{caption}. {'; '.join(told)}"
    right = max(0.0, _SLANT[0] * _length(columns) - side / 2)
    size = (left + len(columns) * side + right, head + len(rows) * cell + 4)
    return Chart(caption, words, *size, None, None, boxes=tuple(boxes), labels=tuple(labels))


def short_names(names: Iterable[str], *, least: int = 24) -> tuple[str, ...]:
    """The names, of long ones as much as tells them apart; "…" stands for what is left out.

    >>> short_names(["/net/features.0/relu", "/net/features.1/relu", "out"], least=3)
    ('…features.0', '…features.1', 'out')
    """
    whole = tuple(names)
    if max(map(len, whole), default=0) <= least:
        return whole
    counts = Counter(part for name in whole for part in set(name.split("/")))
    shared = {part for part, count in counts.items() if count > len(whole) / 2}
    parts = [[part for part in name.split("/") if part not in shared] for name in whole]
    cut = tuple(
        name if len(kept) == len(name.split("/")) else f"…{'/'.join(kept)}"
        for name, kept in zip(whole, parts, strict=True)
    )
    return cut if len(set(cut)) == len(set(whole)) else whole


def _length(names: Iterable[str]) -> float:
    """How long the longest is when it is written beside a chart."""
    return _LETTER * max(map(len, names), default=0)


def _step(length: float, parts: int = 5) -> float:
    """A round number that divides a length into about so many parts."""
    power = 10.0 ** math.floor(math.log10(length / parts))
    return next(power * each for each in (1, 2, 5, 10) if length / (power * each) <= parts)


def _large(value: float) -> str:
    """A power of ten as people write it."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:,.0f}{unit}"
    return f"{value:g}"
