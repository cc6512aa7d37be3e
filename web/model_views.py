"""A model's scores as its page shows them: whisker, layer profile and subjects."""

from collections.abc import Sequence
from dataclasses import dataclass

from isocortex.store import ScoreSlice, StoredBenchmark, StoredModel, StoredScore

from .drawing import Profile, profile, value_scale
from .rendering import number
from .tables import Cell, score_cell


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


def score_views(
    model: StoredModel | None, benchmarks: Sequence[StoredBenchmark]
) -> tuple[ScoreView, ...]:
    """The sections of a model's page, by benchmark."""
    if model is None:
        return ()
    scale = value_scale(model.scores)
    by_name = {benchmark.name: benchmark for benchmark in benchmarks}
    return tuple(
        ScoreView(
            score=score,
            benchmark=by_name[score.benchmark],
            cell=score_cell(score, scale),
            figures=_figures(score, model.slices.get(score.id, ())),
        )
        for score in model.scores
    )


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
