"""Models beside each other: paired differences by benchmark, profiles by layer, and RDMs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from isocortex.errors import InputError, UnknownNameError
from isocortex.store import (
    Leaderboard,
    PairedDifference,
    Store,
    StoredBenchmark,
    StoredModel,
    StoredScore,
)

from .charts import Axis, Chart, Line, Mark, frame, legend_of, line_through, span
from .matrix_views import SideBySide, first_kept, side_by_side
from .model_views import layer_values
from .rendering import number

MOST_MODELS: Final = 6
MOST_BENCHMARKS: Final = 12
_MOST_PROFILES: Final = 6


@dataclass(frozen=True)
class Comparison:
    """Up to six models on the benchmarks that all of them have.

    `differences` are those of the first model from each other, by benchmark; `others` those
    between the others. `left_out` counts shared benchmarks beyond the first twelve. `matrices` are
    of one of all `shared`.
    """

    models: tuple[str, ...]
    benchmarks: tuple[str, ...]
    left_out: int
    differences: Mapping[str, tuple[PairedDifference, ...]]
    others: tuple[PairedDifference, ...]
    charts: tuple[Chart, ...]
    shared: tuple[str, ...]
    matrices: SideBySide | None


def compare(
    store: Store, board: Leaderboard, names: Sequence[str], *, viewer: int | None, on: str = ""
) -> Comparison:
    """The comparison of these models, of which the first is what the others are held against.

    The matrices are of the benchmark `on`, or of the first that has any. Raises InputError for
    fewer than two models or more than six, UnknownNameError for what has no score.
    """
    scores = _shared_scores(board, names)
    chosen = list(scores)[:MOST_BENCHMARKS]
    found = store.comparison(names, chosen, viewer=viewer) if chosen else ()
    first = {
        name: tuple(each for each in found if each.benchmark == name and each.a == names[0])
        for name in chosen
    }
    models = {name: store.model(name, viewer=viewer) for name in names}
    charts = (forest(first, names), *_profiles(models, board, chosen)) if chosen else ()
    return Comparison(
        models=tuple(names),
        benchmarks=tuple(chosen),
        left_out=len(scores) - len(chosen),
        differences=first,
        others=tuple(each for each in found if each.a != names[0]),
        charts=charts,
        shared=tuple(scores),
        matrices=_matrices(store, board, scores, on),
    )


def _shared_scores(
    board: Leaderboard, names: Sequence[str]
) -> Mapping[str, tuple[StoredScore, ...]]:
    """The scores of these models, in their order, on each benchmark that all of them have."""
    if not 2 <= len(names) <= MOST_MODELS:
        raise InputError(f"{len(names)} models are named; expected 2 to {MOST_MODELS}")
    rows = {row.candidate: row.scores for row in board.rows}
    for name in names:
        if name not in rows:
            raise UnknownNameError.among("model with scores here", name, rows)
    every = [one.name for one in board.benchmarks]
    shared = [name for name in every if all(name in rows[model] for model in names)]
    return {name: tuple(rows[model][name] for model in names) for name in shared}


def _matrices(
    store: Store, board: Leaderboard, scores: Mapping[str, tuple[StoredScore, ...]], on: str
) -> SideBySide | None:
    """The matrices on one benchmark. Raises UnknownNameError for one that is not shared."""
    if on and on not in scores:
        raise UnknownNameError.among("benchmark that these models share", on, scores)
    benchmarks = {one.name: one for one in board.benchmarks}
    if on:
        return side_by_side(store, benchmarks[on], scores[on])
    return first_kept(store, ((benchmarks[name], found) for name, found in scores.items()))


def forest(differences: Mapping[str, Sequence[PairedDifference]], names: Sequence[str]) -> Chart:
    """The differences of the first model from the others, one line each, with joint intervals."""
    kinds = {name: place for place, name in enumerate(names[1:])}
    listed = [each for found in differences.values() for each in found]
    ends = [
        end
        for each in listed
        for end in (each.difference, each.joint_low, each.joint_high)
        if end is not None
    ]
    row = 14.0 * len(kinds) + 30  # a benchmark stands above its lines, so that phones show both
    width, height = 480.0, row * len(differences) + 50
    x = Axis(f"better is {names[0]}, raw score →", *span(ends, zero=True), 12, width - 12)
    marks, labels = [], []
    for place, (benchmark, found) in enumerate(differences.items()):
        labels.append((4.0, 18 + row * place, "start", benchmark))
        for each in found:
            y = 34 + row * place + 14 * kinds[each.b]
            marks.append(_difference_mark(each, x, y, kinds[each.b]))
    zero = Line(f"{x(0)},0 {x(0)},{height - 36}", "no difference", 7, dashed=True)
    caption = f"How much better {names[0]} is, with intervals that hold for all at once (95 %)"
    words = f"{caption}. " + "; ".join(difference_words(each) for each in listed)
    return Chart(
        caption,
        words,
        *(width, height, x, None),
        marks=tuple(marks),
        lines=(zero,),
        labels=tuple(labels),
        legend=legend_of(f"than {name}" for name in names[1:]),
    )


def difference_words(each: PairedDifference) -> str:
    """A difference in words, with its joint interval."""
    told = f"{each.benchmark}: {number(each.difference, 3)} better than {each.b}"
    if each.joint_low is None:
        return told
    return f"{told}, {number(each.joint_low, 3)} to {number(each.joint_high, 3)}"


def _difference_mark(each: PairedDifference, x: Axis, y: float, kind: int) -> Mark:
    low = None if each.joint_low is None else x(each.joint_low)
    high = None if each.joint_high is None else x(each.joint_high)
    return Mark(x(each.difference), y, difference_words(each), kind, low, high, flat=True)


def _profiles(
    models: Mapping[str, StoredModel], board: Leaderboard, benchmarks: Sequence[str]
) -> list[Chart]:
    """The profiles of the models over depth, one chart a benchmark."""
    names = list(models)
    by_name = {one.name: one for one in board.benchmarks}
    charts = []
    for benchmark in benchmarks[:_MOST_PROFILES]:
        curves = {name: _curve(model, benchmark, by_name) for name, model in models.items()}
        drawn = {name: curve for name, curve in curves.items() if len(curve) > 1}
        if drawn:
            charts.append(_profile_chart(benchmark, drawn, names))
    return charts


def _curve(
    model: StoredModel, benchmark: str, benchmarks: Mapping[str, StoredBenchmark]
) -> list[tuple[float, float]]:
    """Relative depth and value of each layer of a model on one benchmark."""
    score = next((one for one in model.scores if one.benchmark == benchmark), None)
    if score is None:
        return []
    values = layer_values(score, model.slices.get(score.id, ()), benchmarks[benchmark])
    last = max(len(values) - 1, 1)
    return [
        (place / last, value) for place, value in enumerate(values.values()) if value is not None
    ]


def _profile_chart(
    benchmark: str, curves: Mapping[str, Sequence[tuple[float, float]]], names: Sequence[str]
) -> Chart:
    ends = span([value for curve in curves.values() for _, value in curve], zero=True)
    x, y = frame(("depth, from input to output", 0, 1), ("of the ceiling", *ends), (380, 240))
    lines = tuple(
        line_through(curve, x, y, name, names.index(name)) for name, curve in curves.items()
    )
    caption = f"{benchmark}, layer by layer"
    best = "; ".join(
        f"{name} is highest, {number(max(value for _, value in curve))}, at depth "
        f"{number(max(curve, key=lambda point: point[1])[0], 1)}"
        for name, curve in curves.items()
    )
    legend = tuple(each for each in legend_of(names) if each[2] in curves)
    return Chart(caption, f"{caption}: {best}", 380, 240, x, y, lines=lines, legend=legend)
