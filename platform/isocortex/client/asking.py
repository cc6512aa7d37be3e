"""What lists and leaderboards may be asked for, as keyword arguments."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypedDict

TableSuffix = Literal["csv", "json", "ndjson", "parquet"]
BoardSuffix = Literal["csv", "json", "ndjson", "parquet", "nc", "bib"]


class ModelsAsked(TypedDict, total=False):
    """Which models: a term stands for those below it, `property` for what must hold of them."""

    architecture: str
    objective: str
    learning_rule: str
    diet: str
    min_params: int
    max_params: int
    property: Sequence[str]
    evidence: Literal["network", "activations"]
    search: str


class PageAsked(TypedDict, total=False):
    """Which page, and in which order; with `-`, the greatest first."""

    sort: str
    limit: int
    cursor: str | None


class ModelPageAsked(ModelsAsked, PageAsked, total=False):
    """A page of models."""


class BoardAsked(ModelsAsked, total=False):
    """Which leaderboard; `weight` is `["cichy2014~2"]`, `frozen` the name of one that stays."""

    simulated: bool
    benchmark: Sequence[str]
    weight: Sequence[str]
    as_of: datetime
    frozen: str


class BoardPageAsked(BoardAsked, PageAsked, total=False):
    """A page of a leaderboard."""


class ScoresAsked(ModelsAsked, total=False):
    """Which scores."""

    model: str
    benchmark: str
    dataset: str
    sort: str


class ScorePageAsked(ScoresAsked, total=False):
    """A page of scores."""

    limit: int
    cursor: str | None
