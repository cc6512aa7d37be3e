"""Leaderboards: the scores that count, put into rows and given standings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ..errors import InputError, UnknownNameError
from .columns import Columns, Numbers, Positions
from .criteria import Criteria
from .ranking import Contest, ReadDraws, standings
from .records import (
    Leaderboard,
    LeaderboardRow,
    Standing,
    StoredBenchmark,
    StoredCandidate,
    StoredScore,
)
from .views import View

_GREATEST_WEIGHT: Final = 1e6


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a leaderboard is made of.

    `benchmarks` are those that are shown (None: all). `weights` are factors of benchmarks, or of
    whole regions (`dataset/region`) and datasets: a benchmark weighs the product of those along
    its path, 1 if there are none. What weighs 0 is shown and not counted. With `last_score`, only
    scores up to that id take part, and with `versions` these fingerprints of benchmarks.
    """

    simulated: bool = False
    benchmarks: tuple[str, ...] | None = None
    criteria: Criteria = field(default_factory=Criteria)
    weights: tuple[tuple[str, float], ...] = ()
    last_score: int | None = None
    versions: tuple[str, ...] | None = None


class RowScores(Mapping[str, StoredScore]):
    """A row's scores by benchmark; a record is made when it is asked for."""

    def __init__(self, columns: Columns, places: Mapping[str, int], row: Positions) -> None:
        self._columns = columns
        self._places = places
        self._row = row

    def __getitem__(self, name: str) -> StoredScore:
        """The score on this benchmark; KeyError if there is none."""
        position = int(self._row[self._places[name]])
        if position < 0:
            raise KeyError(name)
        return self._columns.score(position)

    def __iter__(self) -> Iterator[str]:
        """The benchmarks that have scored this candidate."""
        return (name for name, place in self._places.items() if self._row[place] >= 0)

    def __len__(self) -> int:
        """How many have."""
        return int((self._row >= 0).sum())


def build_leaderboard(view: View, selection: Selection, read_draws: ReadDraws) -> Leaderboard:
    """The leaderboard of this selection. Raises UnknownNameError and InputError."""
    benchmarks = selected_benchmarks(view, selection)
    names, positions = positions_of(view, [one.name for one in benchmarks], selection.criteria)
    weights = _weights(benchmarks, selection.weights)
    values = values_at(view.columns, "value", positions)
    counted = np.flatnonzero(np.isfinite(values).any(axis=0) & (weights > 0))
    contest = Contest(view.columns, positions[:, counted], weights[counted])
    found = standings(contest, [benchmarks[place].normalisation for place in counted], read_draws)
    covered = np.isfinite(values[:, counted]).sum(axis=1)
    places = {one.name: place for place, one in enumerate(benchmarks)}
    rows = [
        _row(view.candidates[name], int(covered[row]), found.get(row), scores)
        for row, name in enumerate(names)
        for scores in [RowScores(view.columns, places, positions[row])]
    ]
    order = sorted(range(len(rows)), key=lambda row: _order(rows[row]))
    return Leaderboard(
        simulated=selection.simulated,
        benchmarks=benchmarks,
        counted=tuple(benchmarks[place].name for place in counted),
        weights={benchmarks[place].name: float(weights[place]) for place in counted},
        rows=tuple(rows[row] for row in order),
        data_version=view.columns.data_version,
        columns=view.columns,
        positions=positions[np.array(order, np.intp)],
    )


def _row(
    version: StoredCandidate, covered: int, standing: Standing | None, scores: RowScores
) -> LeaderboardRow:
    return LeaderboardRow(
        candidate=version.name,
        fingerprint=version.fingerprint,
        card=version.card,
        evidence=version.evidence,
        parameters=version.parameters,
        scores=scores,
        covered=covered,
        standing=standing,
    )


def selected_benchmarks(view: View, selection: Selection) -> tuple[StoredBenchmark, ...]:
    """The benchmarks that are shown, by name. Raises UnknownNameError."""
    known = {
        name: one for name, one in view.benchmarks.items() if one.simulated == selection.simulated
    }
    for name in selection.benchmarks or ():
        if name not in known:
            raise UnknownNameError.among("scored benchmark", name, known)
    return tuple(
        one
        for name, one in known.items()
        if selection.benchmarks is None or name in selection.benchmarks
    )


def positions_of(
    view: View, benchmarks: Sequence[str], criteria: Criteria
) -> tuple[tuple[str, ...], Positions]:
    """The candidates with a score on one of these benchmarks, and where each score lies.

    The positions are (candidate, benchmark) among the scores of the view's columns, -1 where there
    is none.
    """
    columns, rows = view.columns, view.rows
    place = {name: number for number, name in enumerate(benchmarks)}
    test = criteria.test()
    asked = [
        name
        for name, one in view.candidates.items()
        if test(one.card, one.parameters, one.evidence)
    ]
    row = {name: number for number, name in enumerate(asked)}
    first = np.array([row.get(one.name, -1) for one in columns.candidates], np.intp)
    second = np.array([place.get(one.name, -1) for one in columns.benchmarks], np.intp)
    candidate = first[columns.scores["candidate"][rows]]
    benchmark = second[columns.scores["benchmark"][rows]]
    kept = (candidate >= 0) & (benchmark >= 0)
    positions = np.full((len(asked), len(benchmarks)), -1, np.intp)
    positions[candidate[kept], benchmark[kept]] = rows[kept]
    having = np.flatnonzero((positions >= 0).any(axis=1)) if len(asked) else np.zeros(0, np.intp)
    return tuple(asked[number] for number in having), positions[having]


def values_at(columns: Columns, name: str, positions: Positions) -> Numbers:
    """The numbers of these scores, NaN where there is none or it is null."""
    column = columns.scores[name]
    if not len(column):
        return np.full(positions.shape, np.nan)
    return np.where(positions >= 0, column[positions], np.nan)


def _weights(
    benchmarks: Sequence[StoredBenchmark], factors: Sequence[tuple[str, float]]
) -> Numbers:
    weights = np.ones(len(benchmarks))
    for path, factor in factors:
        if not 0 <= factor <= _GREATEST_WEIGHT:
            raise InputError(
                f"the weight of {path!r} is {factor}; expected a number from 0 to "
                f"{_GREATEST_WEIGHT:,.0f}"
            )
        below = [is_below(one.name, path) for one in benchmarks]
        if not any(below):
            known = [name for one in benchmarks for name in (one.dataset, one.name)]
            raise UnknownNameError.among("benchmark or dataset here", path, dict.fromkeys(known))
        weights[below] *= factor
    return weights


def is_below(name: str, path: str) -> bool:
    """Whether a benchmark is this one, or lies in this region, dataset or family of datasets.

    >>> is_below("faces/IT/rsa", "faces"), is_below("faces:2/IT/rsa", "faces")
    (True, True)
    """
    return name == path or name.startswith((f"{path}/", f"{path}:"))


def _order(row: LeaderboardRow) -> tuple[float, int, str]:
    """By rank; rows without one come last, those with more benchmarks first."""
    rank = float("inf") if row.standing is None else row.standing.rank
    return rank, -row.covered, row.candidate
