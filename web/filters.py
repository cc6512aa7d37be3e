"""What lists and leaderboards are asked for, as query parameters."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, Field

from isocortex.errors import InputError, UnknownNameError
from isocortex.store import Criteria, Leaderboard, Selection, Store
from isocortex.store.records import Evidence

from .plausibility import STATEMENTS, statements

_LONGEST: Final = 255
_MOST: Final = 2_000
Cards = Mapping[str, Mapping[str, Any]]
MOST_PARAMETERS: Final = 10**15


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def _storable(value: str) -> str:
    if "\0" in value:
        raise ValueError("a name holds no NUL")
    return value


Text = Annotated[str, Field(max_length=_LONGEST), AfterValidator(_storable)]
Term = Annotated[
    Text | None,
    BeforeValidator(_none_if_empty),
    Field(description="A term of this axis; it stands for all terms below it as well."),
]
EvidenceWish = Annotated[
    Evidence | None,
    BeforeValidator(_none_if_empty),
    Field(
        description="Only models whose scores are of a `network` that this site ran, or only of "
        "`activations` that were handed in."
    ),
]
Size = Annotated[int | None, Field(ge=0, le=MOST_PARAMETERS)]
Property = Annotated[
    list[Text],
    Field(
        max_length=20,
        description="What must hold of the model as an account of a brain, such as `local`; with "
        f"`!` before it, must not. One of {', '.join(STATEMENTS)}.",
    ),
]


class ModelFilters(BaseModel):
    """Which models are asked for."""

    architecture: Term = None
    objective: Term = None
    learning_rule: Term = None
    diet: Term = None
    min_params: Size = Field(None, description="The fewest parameters.")
    max_params: Size = Field(None, description="The most parameters.")
    property: Property = []
    evidence: EvidenceWish = None
    search: Text = Field("", description="A part of name or summary.")

    def criteria(self, cards: Callable[[], Cards]) -> Criteria:
        """The same for the store; `cards` gives those of all models. Raises UnknownNameError."""
        return Criteria(
            architecture=self.architecture,
            objective=self.objective,
            learning_rule=self.learning_rule,
            diet=self.diet,
            min_parameters=self.min_params,
            max_parameters=self.max_params,
            search=self.search,
            names=self._plausible(cards),
            evidence=self.evidence,
        )

    def _plausible(self, cards: Callable[[], Cards]) -> frozenset[str] | None:
        """The names of the models that have the properties, None if none was asked for."""
        if not self.property:
            return None
        wanted = {}
        for each in self.property:
            name = each.removeprefix("!")
            if name not in STATEMENTS:
                raise UnknownNameError.among("property", name, STATEMENTS)
            wanted[name] = not each.startswith("!")
        return frozenset(
            name
            for name, card in cards().items()
            if all(statements(card)[key] == value for key, value in wanted.items())
        )


class LeaderboardFilters(ModelFilters):
    """Which models and benchmarks a leaderboard is made of, and how it is put together."""

    simulated: bool = Field(False, description="The leaderboard of simulated data instead.")
    benchmark: list[Text] = Field(
        [], max_length=_MOST, description="Only these benchmarks; all by default."
    )
    weight: list[Text] = Field(
        [],
        max_length=_MOST,
        description="What a benchmark, region or dataset weighs in the mean, as `cichy2014~2` or "
        "`cichy2014/IT/rsa~0`. Weights along a path multiply; 1 by default, 0 leaves out.",
    )
    as_of: AwareDatetime | None = Field(
        None, description="As it stood at this time, such as 2026-11-01T00:00:00Z."
    )
    frozen: Text | None = Field(
        None, description="A frozen leaderboard: its benchmarks' versions, weights and scores."
    )

    def board(self, store: Store, *, viewer: int | None = None) -> Leaderboard:
        """The leaderboard that was asked for. Raises UnknownNameError and InputError."""
        names = tuple(sorted(set(self.benchmark))) or None
        weights = tuple(map(_weight, self.weight))
        criteria = self.criteria(
            lambda: {one.name: one.card for one in store.models(viewer=viewer)}
        )
        if self.frozen is not None:
            return self._frozen_board(store, criteria, viewer)
        selection = Selection(
            simulated=self.simulated,
            benchmarks=names,
            criteria=criteria,
            weights=weights,
            last_score=None if self.as_of is None else last_score(store, self.as_of),
        )
        return store.leaderboard(selection, viewer=viewer)

    def _frozen_board(self, store: Store, criteria: Criteria, viewer: int | None) -> Leaderboard:
        if self.weight or self.benchmark or self.as_of:
            raise InputError("a frozen leaderboard has its own benchmarks, weights and time")
        one = store.frozen(self.frozen or "")
        selection = Selection(
            simulated=one.simulated,
            criteria=criteria,
            weights=tuple(one.weights.items()),
            last_score=one.last_score_id,
            versions=tuple(sorted(one.versions.values())),
        )
        return store.leaderboard(selection, viewer=viewer)


def last_score(store: Store, moment: datetime) -> int:
    """The id of the newest score of that time. Raises InputError for a time no clock shows."""
    try:
        return store.last_score(moment.astimezone(UTC))
    except OverflowError:
        raise InputError(f"as_of is {moment}; no database keeps such a time") from None


class LeaderboardQuery(LeaderboardFilters):
    """A page of a leaderboard."""

    sort: Text = Field(
        "-mean",
        description="mean, name, covered, parameters or a benchmark, with `-` the greatest first.",
    )
    limit: int = Field(50, ge=1, le=500, description="How many rows at most.")
    cursor: str = Field("", max_length=_MOST, description="`next` of the page before.")
    fields: str = Field(
        "", max_length=1000, description="Only these fields of each row, with commas between."
    )


class ModelQuery(ModelFilters):
    """A page of models."""

    sort: Text = Field("name", description="name or parameters, with `-` the greatest first.")
    limit: int = Field(100, ge=1, le=500, description="How many at most.")
    cursor: str = Field("", max_length=_MOST, description="`next` of the page before.")
    fields: str = Field(
        "", max_length=1000, description="Only these fields of each item, with commas between."
    )


class ScoreFilters(ModelFilters):
    """Which scores are asked for."""

    model: Text | None = Field(None, description="Only of this model.")
    benchmark: Text | None = Field(None, description="Only on this benchmark.")
    dataset: Text | None = Field(None, description="Only on benchmarks of this dataset.")
    sort: Text = Field(
        "-id",
        description="id (newer scores have greater ones), raw, value, candidate or benchmark, with "
        "`-` the greatest first and commas between. `score` is value, `name` is candidate.",
    )


class ScorePageQuery(ScoreFilters):
    """A page of scores."""

    limit: int = Field(100, ge=1, le=500, description="How many at most.")
    cursor: str = Field("", max_length=_MOST, description="`next` of the page before.")
    fields: str = Field(
        "", max_length=1000, description="Only these fields of each item, with commas between."
    )


def _weight(text: str) -> tuple[str, float]:
    path, _, factor = text.rpartition("~")
    try:
        return path, float(factor)
    except ValueError:
        raise InputError(f"a weight is {text!r}; write dataset~2 or benchmark~0.5") from None
