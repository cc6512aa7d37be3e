"""What goes with a high score: components, accuracy, plausibility, size, depth, training time."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from isocortex.errors import UnknownNameError
from isocortex.store import Leaderboard, LeaderboardRow, StoredCandidate
from isocortex.store.records import Evidence

from .charts import Axis, Chart, Line, Mark, frame, log_span, span
from .colours import heat
from .columns import own_values
from .kinds import Kinds, kinds_of
from .learning import training_seconds
from .plausibility import STATEMENTS, plausibility
from .rendering import number

MEAN: Final = "mean"
_SIZE: Final = (440.0, 300.0)
_ACCURACY: Final = re.compile(r"^(?P<what>.*?)\s*(?P<share>\d+(\.\d+)?)\s*%")


@dataclass(frozen=True)
class Point:
    """A model with its score and what may go with it; None where that is not known."""

    name: str
    card: Mapping[str, Any]
    score: float
    low: float | None
    high: float | None
    parameters: int
    layers: int | None
    seconds: float | None
    accuracy: tuple[str, float] | None
    evidence: Evidence

    @property
    def rule(self) -> str:
        """Its learning rule."""
        return str(self.card["learning_rule"])


@dataclass(frozen=True)
class Facet:
    """The models of one learning rule in a cell: their mean score, and the best of them."""

    rule: str
    count: int
    mean: float
    best: str
    colour: str


@dataclass(frozen=True)
class Facets:
    """Architectures by objectives; each cell has its learning rules, best first."""

    objectives: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[Facet, ...], ...]], ...]
    top: float


def points_of(board: Leaderboard, of: str, models: Iterable[StoredCandidate]) -> tuple[Point, ...]:
    """The models of a board that have the mean, or a score on the benchmark `of`, best first.

    Raises UnknownNameError for another benchmark.
    """
    layers = {one.name: len(one.layers) for one in models}
    known = [one.name for one in board.benchmarks]
    if of != MEAN and of not in known:
        raise UnknownNameError.among("scored benchmark here", of, known)
    found = []
    for row, (score, low, high) in zip(board.rows, _scores(board, of), strict=True):
        if score is not None:
            found.append(_point(row, (score, low, high), layers.get(row.candidate)))
    return tuple(sorted(found, key=lambda point: -point.score))


def facets_of(points: Sequence[Point]) -> Facets:
    """Which learning rules score how much, by architecture and objective."""
    cells: dict[tuple[str, str, str], list[Point]] = defaultdict(list)
    for point in points:
        key = (str(point.card["architecture"]), str(point.card["objective"]), point.rule)
        cells[key].append(point)
    objectives = sorted({objective for _, objective, _ in cells})
    top = max([point.score for point in points], default=1.0)
    rows = tuple(
        (
            architecture,
            tuple(_facets(cells, (architecture, objective), top) for objective in objectives),
        )
        for architecture in sorted({architecture for architecture, _, _ in cells})
    )
    return Facets(tuple(objectives), rows, top)


def explore_charts(points: Sequence[Point], label: str) -> tuple[Chart, ...]:
    """The score against accuracy, plausibility, size, depth and training time, where known."""
    kinds = kinds_of(point.rule for point in points)
    made = [*_accuracy_charts(points, label, kinds), _plausibility_chart(points, label, kinds)]
    size = [(point, float(point.parameters)) for point in points if point.parameters > 0]
    depth = [(point, float(point.layers)) for point in points if point.layers]
    time = [(point, point.seconds) for point in points if point.seconds]
    made += [
        _log_chart(size, (label, "parameters"), kinds),
        _log_chart(depth, (label, "layers that were read"), kinds),
        _log_chart(time, (label, "seconds of training"), kinds),
    ]
    return tuple(chart for chart in made if chart is not None)


def pareto(points: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Those points that no other beats in both numbers, by the first.

    >>> pareto([(1, 3), (2, 2), (1, 1), (3, 0)])
    ((1, 3), (2, 2), (3, 0))
    """
    front: list[tuple[float, float]] = []
    for x, y in sorted(set(points), reverse=True):
        if not front or y > front[-1][1]:
            front.append((x, y))
    return tuple(reversed(front))


def _scores(
    board: Leaderboard, of: str
) -> Iterable[tuple[float | None, float | None, float | None]]:
    if of == MEAN:
        for row in board.rows:
            place = row.standing
            yield (place.mean, place.mean_low, place.mean_high) if place else (None, None, None)
        return
    for value, row in zip(own_values(board, of), board.rows, strict=True):
        score = row.scores.get(of)
        if score is None:
            yield None, None, None
        elif score.value is None:
            yield float(value), score.low, score.high
        else:
            yield float(value), score.value_low, score.value_high


def _point(
    row: LeaderboardRow, score: tuple[float, float | None, float | None], layers: int | None
) -> Point:
    told = _ACCURACY.match(str(row.card.get("accuracy", "")))
    return Point(
        row.candidate,
        row.card,
        *score,
        parameters=row.parameters,
        layers=layers,
        seconds=training_seconds(row.candidate),
        evidence=row.evidence,
        accuracy=(told["what"].strip() or "accuracy", float(told["share"])) if told else None,
    )


def _facets(
    cells: Mapping[tuple[str, str, str], Sequence[Point]], cell: tuple[str, str], top: float
) -> tuple[Facet, ...]:
    found = []
    for (architecture, objective, rule), points in cells.items():
        if (architecture, objective) == cell:
            mean = sum(point.score for point in points) / len(points)
            best = max(points, key=lambda point: point.score)
            found.append(Facet(rule, len(points), mean, best.name, heat(mean / max(top, 1e-9))))
    return tuple(sorted(found, key=lambda facet: -facet.mean))


def _accuracy_charts(points: Sequence[Point], label: str, kinds: Kinds) -> list[Chart]:
    """One chart for each kind of accuracy that cards tell: they can't be held together."""
    by_what: dict[str, list[tuple[Point, float]]] = defaultdict(list)
    for point in points:
        if point.accuracy is not None:
            by_what[point.accuracy[0]].append((point, point.accuracy[1]))
    charts = []
    for what, found in sorted(by_what.items(), key=lambda each: -len(each[1])):
        if len(found) > 1:
            x, y = _frame((f"{what}, %", *span(share for _, share in found)), label, found)
            charts.append(_chart(found, (x, y), (label, what), kinds, front=True))
    return charts


def _plausibility_chart(points: Sequence[Point], label: str, kinds: Kinds) -> Chart | None:
    found = [(point, float(plausibility(point.card))) for point in points]
    if len(found) < 2:
        return None
    what = f"statements that speak for it, of {len(STATEMENTS)}"
    x, y = _frame((what, -0.4, len(STATEMENTS) + 0.4), label, found)
    return _chart(found, (x, y), (label, what), kinds, front=True)


def _log_chart(
    found: Sequence[tuple[Point, float]], labels: tuple[str, str], kinds: Kinds
) -> Chart | None:
    if len(found) < 2:
        return None
    ends = log_span(value for _, value in found)
    x, y = _frame((labels[1], *ends), labels[0], found, x_log=True)
    return _chart(found, (x, y), labels, kinds)


def _frame(
    x: tuple[str, float, float],
    label: str,
    found: Sequence[tuple[Point, float]],
    *,
    x_log: bool = False,
) -> tuple[Axis, Axis]:
    points = [point for point, _ in found]
    reached = [end for one in points for end in (one.score, one.low, one.high) if end is not None]
    ends = span(reached, zero=True)
    return frame(x, (label, *ends), _SIZE, x_log=x_log)


def _chart(
    found: Sequence[tuple[Point, float]],
    axes: tuple[Axis, Axis],
    labels: tuple[str, str],
    kinds: Kinds,
    *,
    front: bool = False,
) -> Chart:
    x, y = axes
    marks = tuple(
        Mark(
            x(value),
            y(point.score),
            f"{point.name}: {number(point.score)}, {labels[1]} {value:,.4g}",
            kinds.of(point.rule),
            None if point.low is None else y(point.low),
            None if point.high is None else y(point.high),
        )
        for point, value in found
    )
    best = pareto((value, point.score) for point, value in found) if front else ()
    lines = (_front(best, x, y),) if len(best) > 1 else ()
    caption = f"{labels[0]} against {labels[1]}"
    told = f"{caption}, {len(found)} models, the best {found[0][0].name}"
    if lines:
        caption += "; along the dashed line nothing is better in both"
        names = [point.name for point, value in found if (value, point.score) in best]
        told += f". None is better in both than {', '.join(names)}"
    return Chart(caption, told, *_SIZE, x, y, marks=marks, lines=lines, legend=_used(kinds, marks))


def _front(best: Sequence[tuple[float, float]], x: Axis, y: Axis) -> Line:
    points = " ".join(f"{x(one)},{y(other)}" for one, other in best)
    return Line(points, "the best of both", 7, dashed=True)


def _used(kinds: Kinds, marks: Sequence[Mark]) -> tuple[tuple[int, str, str], ...]:
    used = {mark.kind for mark in marks}
    return tuple(each for each in kinds.legend if each[0] in used)
