"""What the store gives back: frozen dataclasses, never rows of the database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
import numpy.typing as npt

from ..scores import Ceiling

if TYPE_CHECKING:
    from .columns import Columns

SliceKind = Literal["layer", "subject", "fold"]
Evidence = Literal["network", "activations"]
"""What scores are of: a network that was run here, or activations that were handed in."""


class Components(TypedDict, total=False):
    """Terms of the ontology to filter by; a term stands for itself and all below it."""

    architecture: str
    objective: str
    learning_rule: str
    diet: str


@dataclass(frozen=True, kw_only=True)
class ScoreSlice:
    """One layer's, subject's or fold's part of a score, on the raw scale; None if undefined."""

    kind: SliceKind
    position: int
    name: str
    value: float | None


@dataclass(frozen=True, kw_only=True)
class StoredScore:
    """A score as it lies in the store.

    `raw`, `low`, `high` and `ceiling` are on the scorer's scale; `value`, `value_low` and
    `value_high` are relative to the upper ceiling, None where there is none. `detail` is the
    SHA-256 of its arrays (`Store.load_detail`). Of one candidate version and benchmark version
    only the score that was made last `is_current`.
    """

    id: int
    candidate: str
    candidate_fingerprint: str
    evidence: Evidence
    benchmark: str
    benchmark_fingerprint: str
    raw: float
    low: float
    high: float
    confidence: float
    ceiling: Ceiling | None
    value: float | None
    value_low: float | None
    value_high: float | None
    layer: str
    resampled: tuple[str, ...]
    counts: Mapping[str, int]
    detail: str
    is_current: bool
    seed: int | None
    attempt: int
    seconds: float | None
    scored_at: datetime


@dataclass(frozen=True, kw_only=True)
class ScorePage:
    """Some scores, newest first, and the id to give as `after` for those that follow."""

    scores: tuple[StoredScore, ...]
    next: int | None


@dataclass(frozen=True, kw_only=True)
class StoredCandidate:
    """One version of a candidate; `scores` counts its current scores."""

    name: str
    fingerprint: str
    card: Mapping[str, Any]
    evidence: Evidence
    weights_hash: str
    parameters: int
    seed: int | None
    layers: tuple[str, ...]
    created_at: datetime
    scores: int


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """A candidate: its versions, that which was scored last first, and that one's scores.

    `slices` holds the parts of each score by its id.
    """

    name: str
    versions: tuple[StoredCandidate, ...]
    scores: tuple[StoredScore, ...]
    slices: Mapping[int, tuple[ScoreSlice, ...]]


@dataclass(frozen=True, kw_only=True)
class StoredBenchmark:
    """The version of a benchmark that was used last; `candidates` counts its current scores."""

    name: str
    fingerprint: str
    dataset: str
    dataset_card: Mapping[str, Any]
    dataset_version: int
    content_hash: str
    simulated: bool
    scorer: str
    scorer_card: Mapping[str, Any]
    options: Mapping[str, Any]
    region: str
    protocol: Mapping[str, Any]
    normalisation: str
    created_at: datetime
    candidates: int


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """One attempt to score; `running` long after `started_at` means that it was killed."""

    candidate: str
    benchmark: str
    state: Literal["running", "done", "failed"]
    attempt: int
    started_at: datetime
    finished_at: datetime | None
    seconds: float | None
    error: str | None
    environment: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A candidate's place: its rank and the mean of its normalised values, as intervals.

    The intervals are None where a score keeps no resamples.
    """

    rank: int
    rank_low: int | None
    rank_high: int | None
    mean: float
    mean_low: float | None
    mean_high: float | None


@dataclass(frozen=True, kw_only=True)
class LeaderboardRow:
    """A candidate and its scores by benchmark; a benchmark that is missing was not scored.

    `standing` is None unless every benchmark that has a ceiling was scored: a mean over fewer is
    a mean over other questions. `covered` says how many of those were.
    """

    candidate: str
    fingerprint: str
    card: Mapping[str, Any]
    evidence: Evidence
    parameters: int
    scores: Mapping[str, StoredScore]
    covered: int
    standing: Standing | None


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """Candidates × benchmarks: those with a standing by rank, then the others by coverage.

    Only the version that was scored last of each candidate and benchmark takes part. Ranks are
    among the rows of this table. `counted` names the benchmarks that the mean is taken over, and
    `weights` says what each of them weighs in it. `positions` (row, benchmark) are those of the
    scores in `columns`, -1 where there is none.
    """

    simulated: bool
    benchmarks: tuple[StoredBenchmark, ...]
    counted: tuple[str, ...]
    weights: Mapping[str, float]
    rows: tuple[LeaderboardRow, ...]
    data_version: str
    columns: "Columns" = field(repr=False, compare=False)
    positions: npt.NDArray[np.intp] = field(repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """How much better `a` is than `b` on one benchmark, on the raw scale.

    `low` and `high` come from resamples that are equal draws for both. `joint_low`, `joint_high`
    and the two-sided `p` allow for all benchmarks that were asked for together (max-statistic).
    None without resamples.
    """

    a: str
    b: str
    benchmark: str
    difference: float
    low: float | None
    high: float | None
    joint_low: float | None
    joint_high: float | None
    p: float | None
    confidence: float


@dataclass(frozen=True, kw_only=True)
class FrozenBoard:
    """A leaderboard that stays: versions of benchmarks, their weights, scores up to a last one.

    `weights` and `versions` (fingerprints) are by the name of the benchmark.
    """

    name: str
    summary: str
    simulated: bool
    weights: Mapping[str, float]
    versions: Mapping[str, str]
    last_score_id: int
    created_at: datetime
