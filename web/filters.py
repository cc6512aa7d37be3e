"""What a leaderboard is asked for, as query parameters of API and pages alike."""

from typing import Annotated, cast

from pydantic import BaseModel, BeforeValidator, Field

from isocortex.store import Leaderboard, Store
from isocortex.store.records import Components


def none_if_empty(value: object) -> object:
    """An empty field of a form is no wish."""
    return None if value == "" else value


Term = Annotated[
    str | None,
    BeforeValidator(none_if_empty),
    Field(description="A term of this axis; it stands for all terms below it as well."),
]


class LeaderboardFilters(BaseModel):
    """Which models and benchmarks a leaderboard is made of."""

    architecture: Term = None
    objective: Term = None
    learning_rule: Term = None
    diet: Term = None
    benchmark: list[str] = Field([], description="Only these benchmarks; all by default.")

    @property
    def components(self) -> Components:
        """The terms that were asked for."""
        chosen = self.model_dump(include=set(Components.__annotations__), exclude_none=True)
        return cast(Components, chosen)

    def board(self, store: Store, *, simulated: bool) -> Leaderboard:
        """The leaderboard that was asked for. Raises UnknownNameError."""
        names = self.benchmark or None
        return store.leaderboard(simulated=simulated, benchmarks=names, **self.components)


class LeaderboardQuery(LeaderboardFilters):
    """A page of a leaderboard."""

    simulated: bool = Field(False, description="The leaderboard of simulated data instead.")
    limit: int = Field(50, ge=1, le=500, description="How many rows at most.")
    offset: int = Field(0, ge=0, description="How many rows to leave out first.")


class ScoreQuery(BaseModel):
    """A page of scores."""

    model: str | None = Field(None, description="Only of this model.")
    benchmark: str | None = Field(None, description="Only on this benchmark.")
    limit: int = Field(100, ge=1, le=500, description="How many at most.")
    cursor: int | None = Field(None, ge=1, description="`next` of the page before.")
