"""What the API answers, as pydantic models with descriptions and examples.

Server and client share them: `isocortex.web` answers them, `isocortex.Client` gives them back.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from . import tables

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Axis = Literal["architecture", "objective", "learning_rule", "diet"]
Evidence = Annotated[
    Literal["network", "activations"],
    Field(
        description="What the scores are of: a `network` that this site ran, or `activations` that "
        "were handed in, of a network that nobody ran here."
    ),
]


class Answer(BaseModel):
    """What all answers share: they are made of the store's records."""

    model_config = ConfigDict(from_attributes=True)

    def table(self) -> "pd.DataFrame":
        """What it lists as a table of pandas, one row an item. Raises InputError without a list."""
        return tables.table_of(self)


class Ceiling(Answer):
    """What the best possible model would reach, given the noise of the recordings; raw scale."""

    lower: float = Field(description="One part of the data against the rest.", examples=[0.45])
    upper: float = Field(description="The data against themselves.", examples=[0.53])


class Score(Answer):
    """What one benchmark says of one model."""

    id: int = Field(examples=[17])
    candidate: str = Field(description="The model's name.", examples=["mobilenet_v1/imagenet"])
    candidate_fingerprint: str = Field(description="The SHA-256 of the model's version.")
    evidence: Evidence
    benchmark: str = Field(description="dataset/region/scorer", examples=["cichy2014/IT/rsa"])
    benchmark_fingerprint: str = Field(description="The SHA-256 of the benchmark's version.")
    raw: float = Field(description="On the scorer's own scale, signed.", examples=[0.19])
    low: float = Field(description="The lower end of the interval of `raw`.", examples=[0.14])
    high: float = Field(description="The upper end of the interval of `raw`.", examples=[0.25])
    confidence: float = Field(description="The probability of the interval.", examples=[0.95])
    ceiling: Ceiling | None = Field(description="Null where the recordings allow none.")
    value: float | None = Field(
        description="`raw` relative to the upper ceiling; null without one.", examples=[0.36]
    )
    value_low: float | None = Field(description="`low` on the scale of `value`.", examples=[0.26])
    value_high: float | None = Field(description="`high` on the scale of `value`.", examples=[0.47])
    layer: str = Field(description="The layer chosen on other stimuli.", examples=["stage3"])
    resampled: tuple[str, ...] = Field(description="What the interval resamples.")
    counts: Mapping[str, int] = Field(examples=[{"stimuli": 92, "subjects": 15}])
    seed: int | None = Field(examples=[0])
    attempt: int = Field(description="How often this pair of versions was scored.", examples=[1])
    seconds: float | None = Field(description="How long the run took.", examples=[3.2])
    scored_at: datetime


class Part(Answer):
    """One layer's, subject's or fold's part of a score."""

    kind: Literal["layer", "subject", "fold"]
    position: int
    name: str = Field(examples=["stage3"])
    value: float | None = Field(description="On the raw scale; null if undefined.")


class ScoreWithParts(Score):
    """A score with its layers, subjects and folds."""

    parts: list[Part]


class ModelSummary(Answer):
    """A model in a list."""

    name: str = Field(examples=["mobilenet_v1/imagenet"])
    summary: str
    architecture: str = Field(examples=["depthwise-separable"])
    objective: str = Field(examples=["categorise"])
    learning_rule: str = Field(examples=["backprop"])
    diet: str = Field(description="The training data.", examples=["imagenet-1k"])
    licence: str
    evidence: Evidence
    parameters: int | None = Field(description="Null if it was never scored.", examples=[213_728])
    fingerprint: str | None = Field(description="Of the version scored last; null if none was.")
    scores: int = Field(description="How many benchmarks have scored it.", examples=[9])


class ModelVersion(Answer):
    """A version of a model that has scores."""

    fingerprint: str
    evidence: Evidence
    weights_hash: str = Field(description="The SHA-256 of all parameters and buffers.")
    parameters: int = Field(examples=[213_728])
    seed: int | None
    layers: tuple[str, ...]
    created_at: datetime
    scores: int


class Model(Answer):
    """A model with its card, versions and scores."""

    name: str = Field(examples=["mobilenet_v1/imagenet"])
    card: Mapping[str, Any] = Field(description="All its facts, with files and their checksums.")
    versions: list[ModelVersion] = Field(description="The version scored last comes first.")
    scores: list[ScoreWithParts] = Field(description="Of the first of `versions`.")


class Benchmark(Answer):
    """A dataset's region × a scorer."""

    name: str = Field(examples=["cichy2014/IT/rsa"])
    dataset: str = Field(examples=["cichy2014"])
    region: str = Field(examples=["IT"])
    scorer: str = Field(examples=["rsa"])
    simulated: bool = Field(description="Whether its data were made by a program.")
    fingerprint: str | None = Field(description="Of the version used last; null if none was.")
    normalisation: str | None = Field(description="How raw and ceiling give the value.")
    protocol: Mapping[str, Any] | None = Field(description="Splits, resamples and seeds.")
    candidates: int = Field(description="How many models it has scored.", examples=[12])


class Card(Answer):
    """The card of a dataset or a scorer, and the benchmarks that use it."""

    name: str
    card: Mapping[str, Any]
    benchmarks: list[str] = Field(examples=[["cichy2014/IT/rsa"]])


class Term(Answer):
    """A term of one axis of the ontology."""

    name: str = Field(examples=["hebbian"])
    parent: str | None = Field(examples=["any-rule"])
    label: str = Field(examples=["Hebbian plasticity"])
    reference: str = Field(examples=["Hebb 1949"])
    properties: Mapping[str, bool] = Field(examples=[{"local": True}])
    models: int = Field(description="How many models name it, or a term below it.", examples=[9])


class Standing(Answer):
    """A place among the rows of a leaderboard; intervals are null where no resamples are kept."""

    rank: int = Field(examples=[2])
    rank_low: int | None = Field(examples=[1])
    rank_high: int | None = Field(examples=[3])
    mean: float = Field(description="Of the values on all counted benchmarks.", examples=[0.41])
    mean_low: float | None = Field(examples=[0.37])
    mean_high: float | None = Field(examples=[0.45])


class Cell(Answer):
    """A score in a leaderboard; `/scores/{id}` has all of it."""

    id: int = Field(description="The score's id.", examples=[17])
    raw: float = Field(description="On the scorer's own scale, signed.", examples=[0.19])
    low: float = Field(examples=[0.14])
    high: float = Field(examples=[0.25])
    value: float | None = Field(description="Relative to the upper ceiling.", examples=[0.36])
    value_low: float | None = Field(examples=[0.26])
    value_high: float | None = Field(examples=[0.47])


class LeaderboardRow(Answer):
    """A model and its scores by benchmark; what is missing was not scored."""

    candidate: str = Field(description="The model's name.", examples=["mobilenet_v1/imagenet"])
    fingerprint: str
    architecture: str
    objective: str
    learning_rule: str
    diet: str
    evidence: Evidence
    parameters: int = Field(examples=[213_728])
    covered: int = Field(description="How many counted benchmarks have scored it.")
    standing: Standing | None = Field(description="Null unless all counted benchmarks have.")
    scores: Mapping[str, Cell]


class Leaderboard(Answer):
    """Models × benchmarks: those with a standing by rank, then the others by coverage."""

    simulated: bool
    benchmarks: list[str]
    counted: list[str] = Field(description="The benchmarks that the mean is taken over.")
    weights: Mapping[str, float] = Field(description="What each of these weighs in the mean.")
    total: int = Field(description="How many rows there are on all pages.")
    data_version: str = Field(description="Changes with every committed score.")
    rows: list[LeaderboardRow]
    next: str | None = Field(description="The `cursor` of the following page.")

    def table(self) -> "pd.DataFrame":
        """A row for each model: rank, mean with interval, components, and value by benchmark."""
        return tables.board_table(self)

    def array(self) -> "xr.DataArray":
        """(candidate, benchmark, statistic) of xarray, NaN where a model was not scored."""
        return tables.board_array(self)


class PairedDifference(Answer):
    """How much better `a` is than `b` on one benchmark, raw scale, by equal resamples of both."""

    a: str = Field(examples=["mobilenet_v1/imagenet"])
    b: str = Field(examples=["mobilenet_v1/untrained#0"])
    benchmark: str = Field(examples=["cichy2014/IT/rsa"])
    difference: float = Field(examples=[0.12])
    low: float | None = Field(examples=[0.07])
    high: float | None = Field(examples=[0.18])
    confidence: float = Field(examples=[0.95])


class ComparedPair(PairedDifference):
    """A difference with intervals that hold for all pairs and benchmarks asked for at once."""

    joint_low: float | None = Field(examples=[0.05])
    joint_high: float | None = Field(examples=[0.2])
    p: float | None = Field(description="Two-sided, for all pairs at once.", examples=[0.004])


class Comparison(Answer):
    """Each model against those after it, on each benchmark."""

    models: list[str]
    benchmarks: list[str]
    pairs: list[ComparedPair]


class Correlation(Answer):
    """Whether two benchmarks rank models alike: Spearman's ρ over models that both have scored."""

    a: str = Field(examples=["cichy2014/IT/rsa"])
    b: str = Field(examples=["cichy2014/IT/ridge"])
    models: int = Field(description="How many both have scored.", examples=[21])
    rho: float | None = Field(description="Null below 4 models, or without variance.")
    low: float | None = Field(description="By resampling the models.")
    high: float | None = Field(description="By resampling the models.")
    confidence: float = Field(examples=[0.95])


class CorrelationList(Answer):
    """Each benchmark against those after it."""

    items: list[Correlation]


class BenchmarkVersion(Answer):
    """A version of a benchmark: its data, scorer, region and protocol at one time."""

    fingerprint: str
    dataset_version: int = Field(examples=[1])
    content_hash: str = Field(description="The SHA-256 of what the dataset held.")
    normalisation: str = Field(examples=["ratio"])
    options: Mapping[str, Any] = Field(description="The options of the scorer.")
    protocol: Mapping[str, Any]
    created_at: datetime
    candidates: int = Field(description="How many models it has scored.", examples=[12])


class BenchmarkVersionList(Answer):
    """All versions of a benchmark, that used last first."""

    items: list[BenchmarkVersion]


class BenchmarkNode(Answer):
    """A dataset, a region of it, or a benchmark (which has no children)."""

    path: str = Field(description="What `weight` calls it.", examples=["cichy2014/IT"])
    label: str = Field(examples=["IT"])
    benchmarks: list[str] = Field(description="All benchmarks below.")
    children: list["BenchmarkNode"]


class BenchmarkTree(Answer):
    """All benchmarks with scores: dataset, region, scorer."""

    items: list[BenchmarkNode]


class FrozenRequest(BaseModel):
    """A leaderboard that is to stay as it is now."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$",
        description="What it will be known by.",
        examples=["2026.11"],
    )
    summary: str = Field(max_length=2000, examples=["All benchmarks of vision, November 2026."])
    simulated: bool = False
    benchmarks: list[str] | None = Field(
        None, max_length=2000, description="All that have scores by default."
    )
    weights: Mapping[str, Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]] = Field(
        {}, description="Factors by benchmark, region or dataset.", examples=[{"cichy2014": 2.0}]
    )


class Frozen(Answer):
    """A leaderboard that stays: `GET /leaderboard?frozen=<name>` shows it."""

    name: str = Field(examples=["2026.11"])
    summary: str
    simulated: bool
    weights: Mapping[str, float] = Field(description="What each benchmark weighs.")
    versions: Mapping[str, str] = Field(description="The fingerprint of each benchmark's version.")
    last_score_id: int = Field(description="Scores with later ids take no part.")
    created_at: datetime


class FrozenList(Answer):
    """All frozen leaderboards, newest first."""

    items: list[Frozen]


class Health(Answer):
    """Whether the service can read its store."""

    status: Literal["ok"]
    version: str = Field(description="Of isocortex.", examples=["0.1.0"])
    schema_revision: str = Field(examples=["0001"])
    data_version: str


class ModelPage(Answer):
    """Models by name; `next` is the `cursor` of the following page."""

    items: list[ModelSummary]
    next: str | None


class ScorePage(Answer):
    """Scores, newest first by default; `next` is the `cursor` of the following page."""

    items: list[Score]
    next: str | None


class BenchmarkList(Answer):
    """All benchmarks by name."""

    items: list[Benchmark]


class CardList(Answer):
    """All datasets or scorers by name."""

    items: list[Card]


class TermList(Answer):
    """One axis of the ontology, parents before children."""

    axis: Axis
    items: list[Term]
