"""What the leaderboard's page is asked for: state that lives in the address and can be shared.

A browser without JavaScript sends every field of the form, ticked boxes and weights one by one.
`BoardQuery.tidied` makes of them what differs from the usual, which `address` writes: what is left
out (`without`), what weighs other than 1 (`weight=cichy2014~2`), which columns are shown (`col`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Annotated, Final, Literal, Self, cast
from urllib.parse import urlencode

from fastapi import Query, Request
from pydantic import BaseModel, BeforeValidator, Field

from isocortex import ontology
from isocortex.errors import InputError, UnknownNameError
from isocortex.store import Leaderboard, LeaderboardRow, Store, StoredBenchmark
from isocortex.store.criteria import Criteria
from isocortex.store.leaderboards import Selection, is_below
from isocortex.store.records import Components, Evidence

from . import trees
from .plausibility import STATEMENTS, find_term, statements
from .viewing import Opened, Viewer

NO_COLUMNS: Final = "none"
"""The value of `col` when no column was ticked."""

_MOST_NODES: Final = 2000


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def _without_empty(value: object) -> object:
    return [each for each in value if each != ""] if isinstance(value, list) else value


Wish = Annotated[str | None, BeforeValidator(_none_if_empty)]
Wishes = Annotated[list[str], BeforeValidator(_without_empty), Field(max_length=_MOST_NODES)]
Day = Annotated[date | None, BeforeValidator(_none_if_empty)]
Shown = Annotated[Evidence | None, BeforeValidator(_none_if_empty)]
Data = Annotated[Literal["recorded", "simulated"] | None, BeforeValidator(_none_if_empty)]


class BoardQuery(BaseModel):
    """What the leaderboard's page is asked for; everything has a default that shows all."""

    data: Data = None
    objective: Wish = None
    architecture: Wish = None
    learning_rule: Wish = None
    diet: Wish = None
    evidence: Shown = None
    has: Wishes = []
    q: Wish = None
    only: Wishes = []
    without: Wishes = []
    weight: Wishes = []
    frozen: Wish = None
    as_of: Day = None
    level: Annotated[Literal["dataset", "benchmark"] | None, BeforeValidator(_none_if_empty)] = None
    open: Wishes = []
    col: Wishes = []
    sort: Annotated[str, BeforeValidator(lambda value: value or "mean")] = "mean"
    page: int = Field(1, ge=1, le=1_000_000)

    @property
    def components(self) -> Components:
        """The terms that were asked for."""
        chosen = self.model_dump(include=set(Components.__annotations__), exclude_none=True)
        return cast(Components, chosen)

    @property
    def weights(self) -> dict[str, float]:
        """The weights of nodes that weigh other than 1. Raises InputError."""
        return dict(_weight(*each.rpartition("~")[::2]) for each in self.weight)

    @property
    def moment(self) -> datetime | None:
        """The end of the day `as_of`, in UTC."""
        if self.as_of is None:
            return None
        return datetime.combine(self.as_of, time.max, UTC)

    def address(self, path: str = "/", **changes: object) -> str:
        """The address of this page with these changes; what is usual is left out."""
        asked = self.model_dump(exclude_defaults=True) | changes
        kept = {key: value for key, value in asked.items() if value not in (None, "", [])}
        return f"{path}?{urlencode(kept, doseq=True, safe='/:~')}" if kept else path

    def tidied(self, fields: Sequence[tuple[str, str]], known: Sequence[StoredBenchmark]) -> Self:
        """The same, with what the form's boxes and weights say in these `fields`.

        The boxes count only for the data they were shown for, which `tree` says.
        """
        changes: dict[str, object] = {}
        sent = dict(fields)
        shown_for, data = sent.get("tree"), sent.get("data") or sent.get("tree")
        if sent.get("frozen"):  # it has its own benchmarks, weights and time
            return self.model_copy(
                update={"only": [], "without": [], "weight": [], "as_of": None, "data": None}
            )
        if shown_for is not None:
            changes |= {"only": [], "without": [], "weight": []}
        if shown_for is not None and shown_for == data:
            ticked = {value for key, value in fields if key == "in"}
            of_kind = [one for one in known if one.simulated == (data == "simulated")]
            shown = trees.paths(trees.benchmark_tree(of_kind, (), {}))
            changes["without"] = list(trees.topmost(set(shown) - ticked))
            weights = [(key[2:], value) for key, value in fields if key.startswith("w.")]
            changes["weight"] = [
                f"{path}~{value}" for path, value in weights if value and _factor(value) != 1
            ]
        if "picked" in sent:
            picked = [value for key, value in fields if key == "col"]
            usual = sorted(picked) == sorted(sent["picked"].split())
            changes["col"] = [] if usual else picked or [NO_COLUMNS]
        return self.model_copy(update=changes)


def asked(
    request: Request, store: Opened, viewer: Viewer, query: Annotated[BoardQuery, Query()]
) -> BoardQuery:
    """What a request asks for, its form's fields included."""
    made = query
    if is_untidy(request):
        fields = request.query_params.multi_items()
        made = query.tidied(fields, store.benchmarks(viewer=viewer))
    for each in made.has:
        if each not in STATEMENTS:
            raise UnknownNameError.among("property", each, STATEMENTS)
    return made


def is_untidy(request: Request) -> bool:
    """Whether the address is one that a form made: a shorter one says the same."""
    fields = request.query_params.multi_items()
    return any(not value or key in ("tree", "picked") for key, value in fields)


def is_simulated(query: BoardQuery, known: Sequence[StoredBenchmark]) -> bool:
    """Whether simulated data are shown: if asked for, or if there are no others."""
    if query.data is not None:
        return query.data == "simulated"
    return bool(known) and all(one.simulated for one in known)


def read_board(store: Store, query: BoardQuery, viewer: int | None = None) -> Leaderboard:
    """The leaderboard that was asked for, as this account sees it.

    Raises UnknownNameError for what is not there.
    """
    if query.frozen is not None:
        return store.leaderboard(_frozen_selection(store, query), viewer=viewer)
    known = store.benchmarks(viewer=viewer)
    simulated = is_simulated(query, known)
    found = [one for one in known if one.simulated == simulated]
    left_out = left_out_nodes(query, found, known)
    chosen = trees.selected(found, left_out)
    weights = [(path, factor) for path, factor in query.weights.items() if factor > 0]
    selection = Selection(
        simulated=simulated,
        benchmarks=None if len(chosen) == len(found) else chosen,
        criteria=Criteria(**query.components, evidence=query.evidence),
        weights=tuple((path, factor) for path, factor in weights if _holds(path, chosen)),
        last_score=None if query.moment is None else store.last_score(query.moment),
    )
    return store.leaderboard(selection, viewer=viewer)


def _frozen_selection(store: Store, query: BoardQuery) -> Selection:
    """What a frozen leaderboard is made of; models may be chosen from it, nothing else."""
    if query.only or query.without or query.weight or query.as_of:
        raise InputError("a frozen leaderboard has its own benchmarks, weights and time")
    one = store.frozen(query.frozen or "")
    return Selection(
        simulated=one.simulated,
        criteria=Criteria(**query.components, evidence=query.evidence),
        weights=tuple(one.weights.items()),
        last_score=one.last_score_id,
        versions=tuple(sorted(one.versions.values())),
    )


def left_out_nodes(
    query: BoardQuery, found: Sequence[StoredBenchmark], known: Sequence[StoredBenchmark]
) -> tuple[str, ...]:
    """The topmost nodes that are left out, whether the query says so or names `only` others."""
    nodes = set(trees.paths(trees.benchmark_tree(known, (), {}))) | {one.dataset for one in known}
    for path in (*query.only, *query.without, *query.weights):
        if path not in nodes:
            raise UnknownNameError.among("scored dataset or benchmark", path, sorted(nodes))
    left_out = {*query.without, *(path for path, factor in query.weights.items() if factor == 0)}
    if query.only:
        wanted = [one.name for one in found if any(is_below(one.name, node) for node in query.only)]
        tree = trees.benchmark_tree(found, (), {})
        left_out |= {path for path in trees.paths(tree) if not _holds(path, wanted)}
    return trees.topmost(left_out)


def _holds(path: str, wanted: Sequence[str]) -> bool:
    return any(is_below(name, path) for name in wanted)


def _weight(path: str, value: str) -> tuple[str, float]:
    return path, _factor(value)


def _factor(value: str) -> float:
    try:
        factor = float(value)
    except ValueError:
        factor = -1.0
    if not 0 <= factor <= 1000:
        raise InputError(f"a weight is {value!r}; expected a number from 0 to 1000")
    return factor


def searched(board: Leaderboard, query: BoardQuery) -> Leaderboard:
    """The board with the rows that fit search and properties; ranks stay those among all."""
    places = [place for place, row in enumerate(board.rows) if matches(row, query)]
    rows = tuple(board.rows[place] for place in places)
    return replace(board, rows=rows, positions=board.positions[places])


def matches(row: LeaderboardRow, query: BoardQuery) -> bool:
    """Whether a row has all words of the search and all properties that were asked for."""
    if query.has:
        said = statements(row.card)
        if not all(said[name] for name in query.has):
            return False
    if not query.q:
        return True
    terms = [f"{row.card[axis]} {find_term(axis, row.card[axis]).label}" for axis in ontology.AXES]
    text = " ".join([row.candidate, row.card.get("summary", ""), *terms]).casefold()
    return all(word in text for word in query.q.casefold().split())


def axis_terms() -> Mapping[ontology.Axis, tuple[ontology.Term, ...]]:
    """The terms that can be chosen on each axis."""
    return {
        axis: tuple(term for term in ontology.terms(axis) if term.parent) for axis in ontology.AXES
    }
