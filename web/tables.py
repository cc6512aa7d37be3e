"""The leaderboard as the page shows it: rows in tiers, and cells with their texts and whiskers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from isocortex import ontology
from isocortex.errors import UnknownNameError
from isocortex.store import Leaderboard, LeaderboardRow, StoredScore
from isocortex.store.columns import Numbers
from isocortex.store.records import Evidence

from .boards import BoardQuery, matches
from .columns import (
    AXIS_LABELS,
    Column,
    Columns,
    group_coverage,
    group_values,
    make_columns,
    own_values,
)
from .drawing import Scale, Whisker, board_scale, mean_whisker, score_whisker
from .plausibility import find_term
from .rendering import MISSING, number

ROWS_A_PAGE: Final = 50


@dataclass(frozen=True)
class Cell:
    """A score as text and whisker; `title` says all of it in words."""

    text: str
    title: str
    whisker: Whisker | None = None
    is_raw: bool = False


@dataclass(frozen=True)
class Row:
    """A model's row; `components` are its terms, in the order of `AXIS_LABELS`."""

    name: str
    rank: str
    rank_interval: str
    tier: int | None
    components: Mapping[ontology.Axis, ontology.Term]
    evidence: Evidence
    mean: Cell
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Tier:
    """Rows that follow each other and can't be told apart from the first of them.

    `number` is None where rows are in no order of rank; `continued` if the first is on a page
    before.
    """

    number: int | None
    rows: tuple[Row, ...]
    size: int


@dataclass(frozen=True)
class BenchmarkRow:
    """A model's row on the page of one benchmark."""

    score: StoredScore
    cell: Cell
    components: tuple[ontology.Term, ...]


@dataclass(frozen=True)
class Table:
    """One page of the leaderboard; `total` rows of all `models` fit the search."""

    columns: Columns
    tiers: tuple[Tier, ...]
    total: int
    models: int
    page: int
    pages: int


def make_table(board: Leaderboard, query: BoardQuery) -> Table:
    """The page of the leaderboard that was asked for.

    Raises UnknownNameError for a column that is not there.
    """
    columns = make_columns(board, query)
    found = [place for place, row in enumerate(board.rows) if matches(row, query)]
    ordered = _ordered(board, found, query.sort, columns)
    pages = max(1, -(-len(ordered) // ROWS_A_PAGE))
    page = min(query.page, pages)
    shown = ordered[(page - 1) * ROWS_A_PAGE : page * ROWS_A_PAGE]
    tiers = tiers_of(board.rows)
    drawn = _cells(board, shown, columns, board_scale(board, shown))
    rows = [
        _row(board, board.rows[place], tiers, cells)
        for place, cells in zip(shown, drawn, strict=True)
    ]
    in_order = query.sort == "mean" and len(found) == len(board.rows)
    return Table(
        columns=columns,
        tiers=_in_tiers(rows, tiers) if in_order else (Tier(None, tuple(rows), len(rows)),),
        total=len(ordered),
        models=len(board.rows),
        page=page,
        pages=pages,
    )


def tiers_of(rows: Sequence[LeaderboardRow]) -> dict[str, int]:
    """The tier of each candidate with a rank interval, from 1: rows must come by rank.

    A tier holds those whose plausible ranks overlap with those of its first candidate.
    """
    tiers: dict[str, int] = {}
    number, reach = 0, 0
    for row in rows:
        place = row.standing
        if place is None or place.rank_low is None or place.rank_high is None:
            continue
        if not tiers or place.rank_low > reach:
            number, reach = number + 1, place.rank_high
        tiers[row.candidate] = number
    return tiers


def benchmark_rows(board: Leaderboard, name: str) -> tuple[BenchmarkRow, ...]:
    """All rows of a board of that one benchmark, best first, or by raw score without a ceiling."""
    every = range(len(board.rows))
    rows = [board.rows[place] for place in _by_numbers(every, own_values(board, name))]
    scale = board_scale(board, every)
    return tuple(
        BenchmarkRow(row.scores[name], score_cell(row.scores[name], scale), components(row.card))
        for row in rows
    )


def components(card: Mapping[str, Any]) -> tuple[ontology.Term, ...]:
    """The terms that a card names, in the order of `AXIS_LABELS`."""
    return tuple(find_term(axis, card[axis]) for axis in AXIS_LABELS)


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


def _ordered(board: Leaderboard, places: Sequence[int], sort: str, columns: Columns) -> list[int]:
    """The places in the order `sort`; those that lack what is sorted by stay last, either way."""
    name, turned = sort.removeprefix("-"), sort.startswith("-")
    if name == "name":
        return sorted(places, key=lambda place: board.rows[place].candidate, reverse=turned)
    if name in AXIS_LABELS:
        return sorted(places, key=lambda place: str(board.rows[place].card[name]), reverse=turned)
    if name == "mean":
        standings = [row.standing for row in board.rows]
        means = [np.nan if each is None else each.mean for each in standings]
        return _by_numbers(places, np.array(means), turned=turned)
    by_name = {column.name: column for column in columns.scores}
    if name in by_name:
        return _by_numbers(places, _numbers(board, by_name[name]), turned=turned)
    if name in {one.name for one in board.benchmarks}:  # of a column that is hidden now
        return _by_numbers(places, own_values(board, name), turned=turned)
    raise UnknownNameError.among("column", name, ("mean", "name", *AXIS_LABELS, *by_name))


def _by_numbers(places: Iterable[int], numbers: Numbers, *, turned: bool = False) -> list[int]:
    sign = 1 if turned else -1
    having = [place for place in places if not np.isnan(numbers[place])]
    lacking = [place for place in places if np.isnan(numbers[place])]
    return sorted(having, key=lambda place: sign * numbers[place]) + lacking


def _numbers(board: Leaderboard, column: Column) -> Numbers:
    if len(column.members) == 1:
        return own_values(board, column.members[0].name)
    return group_values(board, column.members)


def _cells(
    board: Leaderboard, places: Sequence[int], columns: Columns, scale: Scale
) -> list[tuple[Cell, ...]]:
    """The cells of the rows at these places, one for each column of scores."""
    listed = []
    for column in columns.scores:
        if len(column.members) == 1:
            name = column.members[0].name
            cells = [score_cell(board.rows[place].scores.get(name), scale) for place in places]
        else:
            cells = _group_cells(board, places, column, scale)
        listed.append(cells)
    return list(zip(*listed, strict=True)) if listed else [() for _ in places]


def _group_cells(
    board: Leaderboard, places: Sequence[int], column: Column, scale: Scale
) -> list[Cell]:
    values = group_values(board, column.members)
    having, of = group_coverage(board, column.members)
    cells = []
    for place in places:
        if np.isnan(values[place]):
            text = f"{having[place]} of {of}"
            cells.append(Cell(text if having[place] else MISSING, f"{text} scored"))
            continue
        value = float(values[place])
        title = f"Mean over {of} benchmarks of {column.label}: {number(value, 3)}"
        mark = Whisker(scale(value), None, None, scale(0), scale(1), scale(1))
        cells.append(Cell(number(value), title, mark))
    return cells


def _row(
    board: Leaderboard, row: LeaderboardRow, tiers: Mapping[str, int], cells: tuple[Cell, ...]
) -> Row:
    place = row.standing
    interval = ""
    if place is not None and place.rank_low is not None and place.rank_low != place.rank_high:
        interval = f"{place.rank_low}–{place.rank_high}"
    return Row(
        name=row.candidate,
        rank=MISSING if place is None else str(place.rank),
        rank_interval=interval,
        tier=tiers.get(row.candidate),
        components=dict(zip(AXIS_LABELS, components(row.card), strict=True)),
        evidence=row.evidence,
        mean=_mean_cell(row, board),
        cells=cells,
    )


def _mean_cell(row: LeaderboardRow, board: Leaderboard) -> Cell:
    place, counted = row.standing, len(board.counted)
    if place is None:
        return Cell(f"{row.covered} of {counted}", f"No mean: {row.covered} of {counted} scored")
    title = f"Mean over {counted} benchmarks: {number(place.mean, 3)}"
    if place.mean_low is not None:
        title += f", 95 % interval {number(place.mean_low, 3)} to {number(place.mean_high, 3)}"
    return Cell(number(place.mean), title, mean_whisker(place, Scale(0.0, 1.0)))


def _in_tiers(rows: Sequence[Row], tiers: Mapping[str, int]) -> tuple[Tier, ...]:
    """The rows of a page by tier; those without one come last."""
    sizes = list(tiers.values())
    numbers = dict.fromkeys(row.tier for row in rows)
    found = {number: tuple(row for row in rows if row.tier == number) for number in numbers}
    return tuple(
        Tier(number, listed, sizes.count(number) if number else len(listed))
        for number, listed in found.items()
    )
