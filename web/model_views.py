"""A model's scores as its page shows them: by benchmark, layer, depth and neuroid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from isocortex.errors import StoreError, UnknownNameError
from isocortex.scores import ALL_LAYERS, normalise
from isocortex.store import ScoreSlice, Store, StoredBenchmark, StoredModel, StoredScore

from .charts import Chart, frame, heat_map, histogram, legend_of, line_through, span
from .drawing import Profile, profile, value_scale
from .learning import learning_charts, retrained
from .matrix_views import COLOUR_BAR, SideBySide, first_kept, side_by_side
from .plausibility import STATEMENTS, statements
from .rendering import number
from .siblings import siblings
from .tables import Cell, score_cell

_MOST_HISTOGRAMS: Final = 12
_MOST_LINES: Final = 8


@dataclass(frozen=True)
class Figure:
    """A profile with its caption, and the same in words for those who do not see it."""

    caption: str
    words: str
    ceiling: float | None
    profile: Profile


@dataclass(frozen=True)
class ScoreView:
    """One benchmark's section of a model's page."""

    score: StoredScore
    benchmark: StoredBenchmark
    cell: Cell
    figures: tuple[Figure, ...]


def model_view(
    store: Store, card: Mapping[str, Any], model: StoredModel | None, *, viewer: int | None, on: str
) -> dict[str, Any]:
    """What the page of a model shows beside its card; its matrix is of the benchmark `on`."""
    name = str(card["name"])
    benchmarks = {one.name: one for one in store.benchmarks(viewer=viewer, model=name)}
    board = store.leaderboard(viewer=viewer)
    said = statements(card)
    views = score_views(model, benchmarks)
    scores = () if model is None else model.scores
    histograms, unread = neuroid_charts(store, scores)
    compared = similarities(scores, benchmarks)
    matrices = own_matrices(store, compared, on)
    return {
        "views": views,
        "charts": () if model is None else layer_charts(model, benchmarks),
        "histograms": histograms,
        "unread": unread or (matrices is not None and matrices.unread),
        "matrices": matrices,
        "colour_bar": COLOUR_BAR,
        "on": tuple(one.name for one, _ in compared),
        "siblings": () if model is None else siblings(board, card, model.scores),
        "learning": learning_charts(name),
        "retrained": retrained(name),
        "handed_in": store.submissions.kinds_of_scores(
            [each.score.id for each in views], model=name, viewer=viewer
        ),
        "said": {label: said[key] for key, label in STATEMENTS.items()},
    }


def similarities(
    scores: Sequence[StoredScore], benchmarks: Mapping[str, StoredBenchmark]
) -> tuple[tuple[StoredBenchmark, tuple[StoredScore]], ...]:
    """The benchmarks of similarity that a model was scored on with its scores, the best first."""
    found = [
        (benchmarks[one.benchmark], (one,))
        for one in sorted(scores, key=lambda one: (one.value is None, -(one.value or 0.0)))
    ]
    return tuple(each for each in found if each[0].scorer_card["family"] == "similarity")


def own_matrices(
    store: Store, compared: Sequence[tuple[StoredBenchmark, tuple[StoredScore]]], on: str
) -> SideBySide | None:
    """A model's matrix beside the brain's, of the benchmark `on` or the first that has one.

    Raises UnknownNameError for a benchmark that is not among those `compared`.
    """
    offered = {one.name: (one, scores) for one, scores in compared}
    if not on:
        return first_kept(store, compared)
    if on not in offered:
        raise UnknownNameError.among("benchmark of similarity with this model", on, offered)
    return side_by_side(store, *offered[on])


def score_views(
    model: StoredModel | None, benchmarks: Mapping[str, StoredBenchmark]
) -> tuple[ScoreView, ...]:
    """The sections of a model's page, by benchmark."""
    if model is None:
        return ()
    scale = value_scale(model.scores)
    return tuple(
        ScoreView(
            score=score,
            benchmark=benchmarks[score.benchmark],
            cell=score_cell(score, scale),
            figures=_figures(score, model.slices.get(score.id, ())),
        )
        for score in model.scores
    )


def layer_values(
    score: StoredScore, slices: Sequence[ScoreSlice], benchmark: StoredBenchmark
) -> dict[str, float | None]:
    """The value of each layer relative to the score's ceiling; empty where there is no ceiling."""
    if score.ceiling is None:
        return {}
    return {
        part.name: None
        if part.value is None
        else normalise(part.value, score.ceiling, benchmark.normalisation)
        for part in slices
        if part.kind == "layer"
    }


def layer_charts(
    model: StoredModel, benchmarks: Mapping[str, StoredBenchmark]
) -> tuple[Chart, ...]:
    """The heat map of layers by benchmarks, and their profile over depth.

    Scores of all layers together are in neither.
    """
    layers = model.versions[0].layers
    found = {
        score.benchmark: values
        for score in model.scores
        if score.layer != ALL_LAYERS
        and (
            values := layer_values(
                score, model.slices.get(score.id, ()), benchmarks[score.benchmark]
            )
        )
    }
    listed = [value for values in found.values() for value in values.values() if value is not None]
    if len(layers) < 2 or not listed:
        return ()
    top = max(max(listed), 0.05)
    rows = {layer: [values.get(layer) for values in found.values()] for layer in layers}
    caption = (
        "Score of each layer on each benchmark, relative to the noise ceiling; from input at the "
        f"top to output. Dark blue is 0, yellow {number(top)}"
    )
    return (heat_map(rows, list(found), caption, top=top), _depth_chart(layers, found))


def _depth_chart(layers: Sequence[str], found: Mapping[str, Mapping[str, float | None]]) -> Chart:
    shown = dict(list(found.items())[:_MOST_LINES])
    listed = [value for each in shown.values() for value in each.values() if value is not None]
    depths = {layer: place / (len(layers) - 1) for place, layer in enumerate(layers)}
    ends = span(listed, zero=True)
    x, y = frame(("depth, from input 0 to output 1", 0, 1), ("of the ceiling", *ends), (440, 280))
    lines = tuple(
        line_through(
            [(depths[layer], value) for layer, value in values.items() if value is not None],
            *(x, y, name, place),
        )
        for place, (name, values) in enumerate(shown.items())
    )
    best = {
        name: max(values, key=lambda layer: values[layer] or float("-inf"))
        for name, values in shown.items()
    }
    told = "; ".join(f"{name} is highest at {layer}" for name, layer in best.items())
    more = f" (of the first {_MOST_LINES} benchmarks)" if len(found) > _MOST_LINES else ""
    caption = f"Profile over depth{more}"
    return Chart(
        caption, f"{caption}: {told}", 440, 280, x, y, lines=lines, legend=legend_of(shown)
    )


def neuroid_charts(store: Store, scores: Sequence[StoredScore]) -> tuple[tuple[Chart, ...], bool]:
    """How the scores of single neuroids are spread, where scores keep them.

    And whether some can't be read, as of a database without its folder of arrays.
    """
    charts, unread = [], False
    for score in [one for one in scores if "neuroids" in one.counts][:_MOST_HISTOGRAMS]:
        try:
            values = store.artifacts.load_array(score.detail, "neuroid_score")
        except StoreError:
            unread = True
            continue
        finite = [] if values is None else [float(each) for each in values if each == each]
        if len(finite) > 1:
            caption = f"{score.benchmark}: scores of {len(finite)} single neuroids, raw"
            charts.append(histogram(finite, "raw score", caption, bands={}))
    return tuple(charts), unread


def _figures(score: StoredScore, slices: Sequence[ScoreSlice]) -> tuple[Figure, ...]:
    captions = {"layer": "Layers, from input to output", "subject": "Subjects"}
    figures = []
    for kind, caption in captions.items():
        parts = [part for part in slices if part.kind == kind]
        drawn = profile(parts, score)
        if drawn is not None and len(parts) > 1:  # one bar shows nothing
            words = ", ".join(f"{part.name} {number(part.value, 3)}" for part in parts)
            ceiling = None if score.ceiling is None else score.ceiling.upper
            figures.append(Figure(caption, words, ceiling, drawn))
    return tuple(figures)
