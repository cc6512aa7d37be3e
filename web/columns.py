"""Which columns the leaderboard shows: benchmarks, or means of whole datasets if there are many.

A dataset that is open shows its benchmarks, one that is closed shows their weighted mean. Few
benchmarks are all open; of many, those are that the address names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np

from isocortex import ontology
from isocortex.errors import UnknownNameError
from isocortex.store import Leaderboard, StoredBenchmark
from isocortex.store.columns import Numbers
from isocortex.store.leaderboards import values_at

from .boards import NO_COLUMNS, BoardQuery
from .trees import family

FEW: Final = 8
"""So many benchmarks fit beside each other on a desk."""

MOST_DATASETS: Final = 10
"""So many datasets are shown unless others are chosen."""

AXIS_LABELS: Final[dict[ontology.Axis, str]] = {
    "objective": "Objective",
    "architecture": "Architecture",
    "learning_rule": "Learning rule",
    "diet": "Training data",
}


@dataclass(frozen=True)
class Column:
    """A column that can be sorted by; `href` sorts by it, or turns the order if it is sorted.

    `members` are its benchmarks: one, or those that it is the mean of.
    """

    name: str
    label: str
    href: str
    sorted: str
    members: tuple[StoredBenchmark, ...] = ()


@dataclass(frozen=True)
class Group:
    """The columns of one dataset: its benchmarks if it is `opened`, else its mean.

    `href` opens or closes it; None where there is nothing to open.
    """

    dataset: str
    columns: tuple[Column, ...]
    opened: bool
    count: int
    href: str | None


@dataclass(frozen=True)
class Columns:
    """All columns: fixed ones, axes that were asked for, and groups of scores."""

    name: Column
    mean: Column
    axes: tuple[Column, ...]
    groups: tuple[Group, ...]
    choices: tuple[tuple[str, str, bool], ...]
    usual: str
    left: int

    @property
    def scores(self) -> tuple[Column, ...]:
        """The columns of scores, from left to right."""
        return tuple(column for group in self.groups for column in group.columns)


def make_columns(board: Leaderboard, query: BoardQuery) -> Columns:
    """The columns for what was asked. Raises UnknownNameError for one that is not there."""
    by_family = {
        name: tuple(found)
        for name, found in groupby(sorted(board.benchmarks, key=_place), key=family)
    }
    usual = list(by_family)[:MOST_DATASETS]
    known = (*AXIS_LABELS, *by_family, NO_COLUMNS)
    for each in query.col:
        if each not in known:
            raise UnknownNameError.among("column", each, known)
    shown = query.col or usual
    level = query.level or ("benchmark" if len(board.benchmarks) <= FEW else "dataset")
    groups = tuple(
        _group(name, found, query, level) for name, found in by_family.items() if name in shown
    )
    labels = [*((str(axis), label) for axis, label in AXIS_LABELS.items())]
    labels += [(each, each) for each in by_family]
    return Columns(
        name=_column("name", "Model", query),
        mean=_column("mean", "Mean", query),
        axes=tuple(
            _column(axis, AXIS_LABELS[axis], query) for axis in AXIS_LABELS if axis in shown
        ),
        groups=groups,
        choices=tuple((name, label, name in shown) for name, label in labels),
        usual=" ".join(usual),
        left=len(by_family) - len(groups),
    )


def group_values(board: Leaderboard, members: Sequence[StoredBenchmark]) -> Numbers:
    """The weighted mean of each row's values on these benchmarks, NaN unless it has them all."""
    places = [place for place, one in _counted(board, members)]
    if not places:
        return np.full(len(board.rows), np.nan)
    weights = np.array([board.weights[one.name] for _, one in _counted(board, members)])
    values = values_at(board.columns, "value", board.positions[:, places])
    return np.asarray((values * weights).sum(axis=1) / weights.sum())


def group_coverage(board: Leaderboard, members: Sequence[StoredBenchmark]) -> tuple[Numbers, int]:
    """On how many of these benchmarks that count each row has a value, and how many there are."""
    places = [place for place, _ in _counted(board, members)]
    values = values_at(board.columns, "value", board.positions[:, places])
    return np.isfinite(values).sum(axis=1), len(places)


def own_values(board: Leaderboard, name: str) -> Numbers:
    """The value of each row on one benchmark, the raw score where it has no ceiling."""
    place = [one.name for one in board.benchmarks].index(name)
    positions = board.positions[:, place]
    values = values_at(board.columns, "value", positions)
    return np.where(np.isnan(values), values_at(board.columns, "raw", positions), values)


def _counted(
    board: Leaderboard, members: Sequence[StoredBenchmark]
) -> list[tuple[int, StoredBenchmark]]:
    names = {one.name for one in members} & set(board.counted)
    return [(place, one) for place, one in enumerate(board.benchmarks) if one.name in names]


def _group(name: str, found: tuple[StoredBenchmark, ...], query: BoardQuery, level: str) -> Group:
    usual = level == "benchmark"
    opened = (name in query.open) != usual or len(found) == 1
    toggled = [each for each in query.open if each != name]
    if name not in query.open:
        toggled.append(name)
    href = None if len(found) == 1 else query.address(open=toggled, page=None)
    if opened:
        columns = tuple(_column(one.name, one.scorer, query, (one,)) for one in found)
    else:
        columns = (_column(name, name, query, found),)
    return Group(name, columns, opened, len(found), href)


def _column(
    name: str, label: str, query: BoardQuery, members: tuple[StoredBenchmark, ...] = ()
) -> Column:
    best_first = name not in ("name", *AXIS_LABELS)
    state = "none"
    if query.sort.removeprefix("-") == name:
        turned = query.sort.startswith("-")
        state = "descending" if best_first != turned else "ascending"
    href = query.address(sort=f"-{name}" if query.sort == name else name, page=None)
    return Column(name, label, href, state, members)


def _place(benchmark: StoredBenchmark) -> tuple[str, str, str, str]:
    return family(benchmark), benchmark.dataset, benchmark.region, benchmark.scorer
