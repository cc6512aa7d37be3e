"""Lists of scores in any order, and tables of them: selections of the columns of a view."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, overload

import numpy as np
import xarray as xr

from .columns import Column, Numbers, Positions
from .criteria import Criteria
from .leaderboards import positions_of, values_at
from .records import StoredScore
from .views import View

SORTED_BY: Final = ("id", "raw", "value", "candidate", "benchmark")
"""What scores can be sorted by; an id is given when a score is made."""


_AT_ONCE: Final = 2_000


@dataclass(frozen=True, kw_only=True)
class ScoreQuery:
    """Which scores are asked for; `order` holds names of `SORTED_BY`, each with "greatest first".

    The last of them is `id`.
    """

    candidate: str | None = None
    benchmark: str | None = None
    dataset: str | None = None
    criteria: Criteria = field(default_factory=Criteria)
    order: tuple[tuple[str, bool], ...] = (("id", True),)


class ScoreRows(Sequence[StoredScore]):
    """Scores in order; a record is made when it is asked for."""

    def __init__(self, view: View, positions: Positions) -> None:
        self._view = view
        self._positions = positions

    def __len__(self) -> int:
        """How many there are."""
        return len(self._positions)

    @overload
    def __getitem__(self, place: int) -> StoredScore: ...
    @overload
    def __getitem__(self, place: slice) -> "ScoreRows": ...
    def __getitem__(self, place: int | slice) -> "StoredScore | ScoreRows":
        """A score, or some of them."""
        if isinstance(place, slice):
            return ScoreRows(self._view, self._positions[place])
        return self._view.columns.score(int(self._positions[place]))

    def __iter__(self) -> Iterator[StoredScore]:
        """The scores one after the other."""
        for first in range(0, len(self), _AT_ONCE):
            yield from self._view.scores(self._positions[first : first + _AT_ONCE])

    def fields(self, first: int, count: int) -> Iterator[dict[str, Any]]:
        """The fields of so many records; cheaper than the records."""
        return self._view.columns.fields(self._positions[first : first + count])

    def sorted_by(self, place: int, names: Sequence[str]) -> tuple[Any, ...]:
        """What a score is sorted by, without making its record."""
        columns, position = self._view.columns, self._positions[place]
        found: list[Any] = []
        for name in names:
            value = columns.scores[name][position].item()
            if name in ("candidate", "benchmark"):
                value = getattr(columns, f"{name}s")[value].name
            found.append(None if value != value else value)
        return tuple(found)


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """One number of each candidate's score on each benchmark, NaN where there is none."""

    candidates: tuple[str, ...]
    benchmarks: tuple[str, ...]
    values: Numbers = field(repr=False)

    def labelled(self) -> xr.DataArray:
        """The same as `isocortex.agreements.agreement` takes it: (candidate, scorer)."""
        coords = {"candidate": list(self.candidates), "scorer": list(self.benchmarks)}
        return xr.DataArray(self.values, dims=("candidate", "scorer"), coords=coords)


def listed_scores(view: View, query: ScoreQuery) -> ScoreRows:
    """The scores that are asked for, in their order. Raises UnknownNameError for a term."""
    kept = np.ones(len(view.rows), bool)
    if query.candidate is not None:
        kept &= view.of_candidates([query.candidate])
    if query.benchmark is not None:
        kept &= view.of_benchmarks([query.benchmark])
    if query.dataset is not None:
        named = [one.name for one in view.benchmarks.values() if one.dataset == query.dataset]
        kept &= view.of_benchmarks(named)
    if query.criteria != Criteria():
        test = query.criteria.test()
        asked = [
            name
            for name, one in view.candidates.items()
            if test(one.card, one.parameters, one.evidence)
        ]
        kept &= view.of_candidates(asked)
    found = view.rows[kept]
    if query.order[0][0] != "id":
        keys = [_sortable(view, name, found, turned) for name, turned in reversed(query.order)]
        return ScoreRows(view, found[np.lexsort(keys)])
    return ScoreRows(view, found[::-1] if query.order[0][1] else found)


def score_table(view: View, benchmarks: Sequence[str]) -> ScoreTable:
    """The raw scores of all candidates on these benchmarks."""
    candidates, positions = positions_of(view, benchmarks, Criteria())
    return ScoreTable(candidates, tuple(benchmarks), values_at(view.columns, "raw", positions))


def _sortable(view: View, name: str, rows: Positions, turned: bool) -> Column:
    """Numbers that sort as this column does; what is missing comes last, either way."""
    columns = view.columns
    if name in ("candidate", "benchmark"):
        versions: Sequence[Any] = getattr(columns, f"{name}s")
        rank = _ranks([one.name for one in versions])[columns.scores[name][rows]]
        return -rank if turned else rank
    numbers = columns.scores[name][rows]
    return -numbers if turned else numbers  # NaN sorts last


def _ranks(names: Sequence[str]) -> Column:
    place: Mapping[str, int] = {name: number for number, name in enumerate(sorted(set(names)))}
    return np.array([place[name] for name in names], np.int64)
