"""The leaderboard as the page shows it: columns, rows and cells with their texts and links."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from isocortex import ontology
from isocortex.errors import UnknownNameError
from isocortex.store import Leaderboard, LeaderboardRow, StoredBenchmark, StoredScore

from .drawing import Scale, Whisker, mean_whisker, score_whisker, value_scale
from .rendering import MISSING, number

ROWS_A_PAGE: Final = 50
AXIS_LABELS: Final[dict[ontology.Axis, str]] = {
    "objective": "Objective",
    "architecture": "Architecture",
    "learning_rule": "Learning rule",
    "diet": "Training data",
}


@dataclass(frozen=True)
class Column:
    """A column that can be sorted by; `href` sorts by it, or turns the order if it is sorted."""

    name: str
    label: str
    href: str
    sorted: str
    benchmark: StoredBenchmark | None = None


@dataclass(frozen=True)
class Group:
    """The columns of one dataset."""

    dataset: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Cell:
    """A score as text and whisker; `title` says all of it in words."""

    text: str
    title: str
    whisker: Whisker | None = None
    is_raw: bool = False


@dataclass(frozen=True)
class Row:
    """A model's row."""

    name: str
    rank: str
    rank_interval: str
    components: tuple[ontology.Term, ...]
    mean: Cell
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class BenchmarkRow:
    """A model's row on the page of one benchmark."""

    score: StoredScore
    cell: Cell
    components: tuple[ontology.Term, ...]


@dataclass(frozen=True)
class Table:
    """One page of the leaderboard."""

    groups: tuple[Group, ...]
    name_column: Column
    mean_column: Column
    rows: tuple[Row, ...]
    total: int
    page: int
    pages: int


def make_table(board: Leaderboard, *, sort: str, page: int, link: Callable[[str], str]) -> Table:
    """The page `page` of the leaderboard in the order `sort`; `link` makes a sort's address.

    `sort` is "mean", "name" or a benchmark's name, with a leading "-" for the other way round;
    anything else raises UnknownNameError.
    """
    sortable = ("mean", "name", *(benchmark.name for benchmark in board.benchmarks))
    if sort.removeprefix("-") not in sortable:
        raise UnknownNameError.among("column", sort.removeprefix("-"), sortable)
    scale = value_scale(score for row in board.rows for score in row.scores.values())
    columns = [
        _column(benchmark.name, benchmark.scorer, sort, link, benchmark)
        for benchmark in board.benchmarks
    ]
    ordered = _ordered(board.rows, sort)
    pages = max(1, -(-len(ordered) // ROWS_A_PAGE))
    page = min(page, pages)
    shown = ordered[(page - 1) * ROWS_A_PAGE : page * ROWS_A_PAGE]
    return Table(
        groups=_groups(columns),
        name_column=_column("name", "Model", sort, link),
        mean_column=_column("mean", "Mean", sort, link),
        rows=tuple(_row(row, board, scale) for row in shown),
        total=len(ordered),
        page=page,
        pages=pages,
    )


def _groups(columns: Sequence[Column]) -> tuple[Group, ...]:
    def dataset(column: Column) -> str:
        return column.benchmark.dataset if column.benchmark else ""

    return tuple(Group(name, tuple(found)) for name, found in groupby(columns, dataset))


def _column(
    name: str,
    label: str,
    sort: str,
    link: Callable[[str], str],
    benchmark: StoredBenchmark | None = None,
) -> Column:
    best_first = name != "name"
    state = "none"
    if sort.removeprefix("-") == name:
        turned = sort.startswith("-")
        state = "descending" if best_first != turned else "ascending"
    href = link(f"-{name}" if sort == name else name)
    return Column(name, label, href, state, benchmark)


def _ordered(rows: Sequence[LeaderboardRow], sort: str) -> list[LeaderboardRow]:
    """The rows in the order `sort`; those that lack what is sorted by stay last, either way."""
    key, turned = sort.removeprefix("-"), sort.startswith("-")
    if key == "name":
        return sorted(rows, key=lambda row: row.candidate, reverse=turned)
    numbers = {row.candidate: _sort_number(row, key) for row in rows}
    having = [row for row in rows if numbers[row.candidate] is not None]
    lacking = [row for row in rows if numbers[row.candidate] is None]
    return (
        sorted(having, key=lambda row: numbers[row.candidate] or 0.0, reverse=not turned) + lacking
    )


def _sort_number(row: LeaderboardRow, key: str) -> float | None:
    if key == "mean":
        return None if row.standing is None else row.standing.mean
    score = row.scores.get(key)
    if score is None:
        return None
    return score.raw if score.value is None else score.value


def _row(row: LeaderboardRow, board: Leaderboard, scale: Scale) -> Row:
    place = row.standing
    low, high = (place.rank_low, place.rank_high) if place else (None, None)
    return Row(
        name=row.candidate,
        rank=str(place.rank) if place else MISSING,
        rank_interval="" if low is None or low == high else f"{low}–{high}",
        components=components(row.card),
        mean=_mean_cell(row, board, scale),
        cells=tuple(
            score_cell(row.scores.get(benchmark.name), scale) for benchmark in board.benchmarks
        ),
    )


def benchmark_rows(board: Leaderboard, name: str) -> tuple[BenchmarkRow, ...]:
    """The rows of one benchmark's own page, best first."""
    scale = value_scale(row.scores[name] for row in board.rows)
    return tuple(
        BenchmarkRow(row.scores[name], score_cell(row.scores[name], scale), components(row.card))
        for row in _ordered(board.rows, name)
    )


def components(card: Mapping[str, Any]) -> tuple[ontology.Term, ...]:
    """The terms that a card names, in the order of `AXIS_LABELS`."""
    return tuple(_term(axis, card[axis]) for axis in AXIS_LABELS)


def _term(axis: ontology.Axis, name: str) -> ontology.Term:
    """The term of that name; one that has left the ontology since is its bare name."""
    try:
        return ontology.find_term(axis, name)
    except UnknownNameError:
        return ontology.Term(axis, name, None, name)


def _mean_cell(row: LeaderboardRow, board: Leaderboard, scale: Scale) -> Cell:
    place, counted = row.standing, len(board.counted)
    if place is None:
        return Cell(f"{row.covered} of {counted}", f"No mean: {row.covered} of {counted} scored")
    title = f"Mean over {counted} benchmarks: {number(place.mean, 3)}"
    if place.mean_low is not None:
        title += f", 95 % interval {number(place.mean_low, 3)} to {number(place.mean_high, 3)}"
    return Cell(number(place.mean), title, mean_whisker(place, scale))


def score_cell(score: StoredScore | None, scale: Scale) -> Cell:
    """A score's cell; a missing one is an en dash."""
    if score is None:
        return Cell(MISSING, "Not scored")
    interval = f"[{number(score.low, 3)}, {number(score.high, 3)}]"
    title = f"Raw {number(score.raw, 3)} {interval}, layer {score.layer}"
    whisker = score_whisker(score, scale)
    if score.value is None or score.ceiling is None:
        return Cell(number(score.raw), f"{title}; no ceiling", whisker, is_raw=True)
    ceiling = f"{number(score.ceiling.lower, 3)} to {number(score.ceiling.upper, 3)}"
    spread = f"{number(score.value_low, 3)} to {number(score.value_high, 3)}"
    value = (
        f"{number(score.value, 3)} of the ceiling, {100 * score.confidence:.0f} % interval {spread}"
    )
    return Cell(number(score.value), f"{value}. {title}; ceiling {ceiling}", whisker)
