"""A benchmark as its page explains it: in words, with its ceiling, its models and its stimuli."""

from collections.abc import Sequence
from typing import Any, Final

from isocortex import registry
from isocortex.errors import StoreError, UnknownNameError
from isocortex.matrices import Matrix, read_matrix
from isocortex.store import Store, StoredScore
from isocortex.submissions import stimulus_sheets

from .catalogue import KnownBenchmark
from .charts import Axis, Box, Chart, Mark, frame, histogram, span
from .rendering import number
from .tables import BenchmarkRow

_MOST_BARS: Final = 30
_MOST_SAMPLES: Final = 12


def benchmark_view(
    store: Store, benchmark: KnownBenchmark, rows: Sequence[BenchmarkRow]
) -> dict[str, Any]:
    """What the page of a benchmark shows beside its cards and table."""
    unread, last = False, None
    try:
        last = reliability(store, rows)
    except StoreError:  # a database without its folder of arrays
        unread = True
    charts = (bar_chart(rows), distribution(rows), last)
    return {
        "meaning": meaning(rows),
        "charts": tuple(chart for chart in charts if chart is not None),
        "unread": unread,
        "samples": samples(benchmark.dataset),
        "may_show": may_show(benchmark.dataset),
        "matrix": _matrix(benchmark),
    }


def meaning(rows: Sequence[BenchmarkRow]) -> tuple[str, ...]:
    """What the scores of a benchmark mean, in sentences for a newcomer."""
    ranked = [row.score for row in rows if row.score.value is not None]
    if not ranked:
        return ()
    best = ranked[0]
    assert best.value is not None
    ceiling = best.ceiling
    told = []
    if ceiling is not None:
        told.append(
            "Recordings are noisy, so not even a perfect model would agree with them entirely. As "
            "far as their agreement with themselves tells, the best possible model would reach "
            f"between {number(ceiling.lower)} and {number(ceiling.upper)} on the measure's own "
            "scale: the noise ceiling. Scores are given relative to its upper end."
        )
    told.append(
        f"The best model here, {best.candidate}, reaches {number(best.value)} of it, give or take "
        f"{number(best.value_low)} to {number(best.value_high)}: "
        f"{_share(best.value)} of what could be captured is."
    )
    untrained = [row.score for row in rows if row.components[2].name == "untrained"]
    values = [score.value for score in untrained if score.value is not None]
    if values:
        told.append(
            f"A network that never learned reaches up to {number(max(values))}: what it gets, it "
            "gets from its architecture alone. Only what lies above speaks for learning."
        )
    return tuple(told)


def bar_chart(rows: Sequence[BenchmarkRow]) -> Chart | None:
    """The best models as bars of raw scores with intervals, and the noise ceiling as a band."""
    scores = [row.score for row in rows][:_MOST_BARS]
    if len(scores) < 2:
        return None
    ceilings = [one.ceiling for one in scores if one.ceiling is not None]
    ends = [end for one in scores for end in (one.low, one.high)]
    tops = [end for one in ceilings for end in (one.lower, one.upper)]
    heights = span([*ends, *tops], zero=True)
    size = (max(320.0, 70.0 + 22 * len(scores)), 260.0)
    x, y = frame(("models, best first", 0, len(scores)), ("raw score", *heights), size)
    band: tuple[Box, ...] = ()
    told = ""
    if ceilings:
        low, high = min(one.lower for one in ceilings), max(one.upper for one in ceilings)
        title = f"noise ceiling {number(low)} to {number(high)}"
        band = (Box(x.start, y(high), x.end - x.start, y(low) - y(high), title, "band"),)
        told = "; the band is the noise ceiling"
    bars = tuple(_bar(place, one, (x, y)) for place, one in enumerate(scores))
    marks = tuple(
        Mark(x(place + 0.5), y(one.raw), one.candidate, 0, y(one.low), y(one.high))
        for place, one in enumerate(scores)
    )
    caption = f"Raw scores of {_best(len(scores), len(rows))} with 95 % intervals{told}"
    words = f"{caption}: from {_named(scores[0])} to {_named(scores[-1])}"
    return Chart(caption, words, *size, x, y, marks=marks, boxes=(*band, *bars))


def _best(shown: int, of: int) -> str:
    return f"the best {shown} of {of} models" if shown < of else f"all {of} models"


def _named(score: StoredScore) -> str:
    return f"{score.candidate} {number(score.raw)}"


def distribution(rows: Sequence[BenchmarkRow]) -> Chart | None:
    """How the values of all models are spread, with the ceiling's band."""
    scores = [row.score for row in rows if row.score.value is not None]
    values = [score.value for score in scores if score.value is not None]
    if len(values) < 5:
        return None
    lowest = min(one.ceiling.lower / one.ceiling.upper for one in scores if one.ceiling)
    bands = {"noise ceiling": (lowest, 1.0)}
    caption = f"Distribution of {len(values)} models; the band is the noise ceiling"
    return histogram(values, "of the ceiling", caption, bands=bands)


def reliability(store: Store, rows: Sequence[BenchmarkRow]) -> Chart | None:
    """How reliable the recorded neuroids are, where a score keeps it. Raises StoreError."""
    for row in rows[:1]:
        values = store.artifacts.load_array(row.score.detail, "neuroid_reliability")
        finite = [] if values is None else [float(each) for each in values if each == each]
        if len(finite) > 1:
            caption = f"Reliability of {len(finite)} neuroids: agreement of repeated trials"
            return histogram(finite, "reliability", caption, bands={})
    return None


def samples(dataset: str) -> tuple[tuple[int, str], ...]:
    """Position and id of some stimuli that may be handed out and whose list is made already."""
    if not may_show(dataset) or not stimulus_sheets.is_prepared(dataset):
        return ()
    sheet, _ = stimulus_sheets.prepared_sheet(dataset)
    images = [one for one in sheet.stimuli if one.width is not None and sheet.handed_out]
    step = max(1, len(images) // _MOST_SAMPLES)
    return tuple((one.position, one.id) for one in images[::step][:_MOST_SAMPLES])


def may_show(dataset: str) -> bool:
    """Whether the licence lets a server show the stimuli; in doubt it does not."""
    try:
        return stimulus_sheets.may_hand_out(registry.dataset_card(dataset))
    except UnknownNameError:  # of a dataset that is no entry any more
        return False


def _matrix(benchmark: KnownBenchmark) -> Matrix | None:
    try:
        return read_matrix(benchmark.dataset, benchmark.region)
    except UnknownNameError:  # of a dataset that is no entry any more
        return None


def _bar(place: int, score: StoredScore, axes: tuple[Axis, Axis]) -> Box:
    x, y = axes
    top, bottom = sorted((y(score.raw), y(0)))
    left, right = x(place + 0.12), x(place + 0.88)
    return Box(left, top, right - left, max(bottom - top, 0.5), _named(score))


def _share(value: float) -> str:
    return f"{100 * value:.0f} %" if value > 0 else "nothing"
