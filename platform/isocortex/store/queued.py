"""What the store gives back of jobs, their events and those who work on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..scores import Score
from .facts import BenchmarkFacts, CandidateFacts
from .submitted import StoredSubmission
from .transitions import State


@dataclass(frozen=True, kw_only=True)
class StoredJob:
    """One submission (by its key) on one benchmark, and the truth about it.

    `attempt` counts how often a worker took it, `tries` how often it was lost by no fault of the
    model. `progress` holds `stage` (loading, waiting, extracting or scoring) and, of the stage,
    `done` and `total`. A queued job with a `score_id` is to be scored anew. `seconds` are those of
    the benchmark alone, `peak_bytes` the most memory that its worker held.
    """

    id: int
    submission: str
    account_id: int
    model: str
    benchmark: str
    state: State
    priority: int
    attempt: int
    tries: int
    worker: str | None
    progress: Mapping[str, Any]
    error: str | None
    score_id: int | None
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    peak_bytes: int | None


@dataclass(frozen=True)
class Lease:
    """The right to work on a job: who holds an `attempt` that has passed can't change anything.

    `anew` is whether a score that the store holds already must not do.
    """

    job_id: int
    attempt: int
    benchmark: str
    anew: bool = False


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a worker took at once: jobs of one submission, so that the model is loaded once."""

    submission: StoredSubmission
    leases: tuple[Lease, ...]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a worker found for one job; `peak_bytes` is the most memory that the worker held.

    `spent` is what else it took, such as `cpu_seconds`, and stays as the job's progress.
    `environment` is where it was found (`environment_facts`), if not in this process.
    """

    candidate: CandidateFacts
    benchmark: BenchmarkFacts
    score: Score
    seconds: float
    peak_bytes: int | None = None
    seed: int | None = None
    spent: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class StoredEvent:
    """What happened to a submission, or to one of its jobs; ids grow."""

    id: int
    submission: str
    job_id: int | None
    attempt: int | None
    at: datetime
    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Position:
    """A queued job's place among the submissions that wait (1 is next), and the jobs ahead of it.

    `starts_in` are seconds, estimated; None if no worker is alive or nothing was done before.
    """

    place: int
    ahead: int
    starts_in: float | None
    workers: int


@dataclass(frozen=True, kw_only=True)
class StoredWorker:
    """A process that takes jobs, as it last said of itself."""

    name: str
    executor: str
    facts: Mapping[str, Any]
    beat: int
    started_at: datetime
    stopped_at: datetime | None
