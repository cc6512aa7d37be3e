"""The tables. Arrays live in artifacts; no row holds more than 100 KB.

    candidate ── candidate_version ── component (one per axis)
                        │
               run ── score ── score_slice          dataset ── dataset_version
                        │                                            │
    benchmark ── benchmark_version ──────────────────────────────────┤
                                                    scorer ── scorer_version

A version never changes: another fingerprint is another row. `environment` says where a run ran, and
the one row of `revision` counts committed scores.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite forgets the time zone, so it is put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment in UTC, as it is written."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment as it was written, aware of its time zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    """What all tables share: names of constraints by rule, so that migrations can drop them."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        float: Double(),
        dict[str, Any]: JSON(),
        list[str]: JSON(),
    }

    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-1)


def now() -> datetime:
    """This moment in UTC."""
    return datetime.now(UTC)


FINGERPRINT = String(64)
NAME = String(255)


class Component(Table):
    """A term of the ontology, as it stood when a candidate last named it."""

    __tablename__ = "component"
    __table_args__ = (UniqueConstraint("axis", "name"),)

    axis: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(64))
    parent: Mapped[str | None] = mapped_column(String(64))
    label: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    properties: Mapped[dict[str, Any]]


class Candidate(Table):
    """A candidate's name."""

    __tablename__ = "candidate"

    name: Mapped[str] = mapped_column(NAME, unique=True)


class CandidateVersion(Table):
    """A candidate as it was when it was scored: weights, preprocessing, layers and card."""

    __tablename__ = "candidate_version"

    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"), index=True)
    fingerprint: Mapped[str] = mapped_column(FINGERPRINT, unique=True)
    card: Mapped[dict[str, Any]]
    weights_hash: Mapped[str] = mapped_column(FINGERPRINT)
    parameters: Mapped[int] = mapped_column(BigInteger)
    seed: Mapped[int | None] = mapped_column(BigInteger)
    layers: Mapped[list[str]]
    architecture_id: Mapped[int] = mapped_column(ForeignKey("component.id"))
    objective_id: Mapped[int] = mapped_column(ForeignKey("component.id"))
    learning_rule_id: Mapped[int] = mapped_column(ForeignKey("component.id"))
    diet_id: Mapped[int] = mapped_column(ForeignKey("component.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Dataset(Table):
    """A dataset's name."""

    __tablename__ = "dataset"

    name: Mapped[str] = mapped_column(NAME, unique=True)


class DatasetVersion(Table):
    """What a dataset held: the version its card counts and the hash of its content."""

    __tablename__ = "dataset_version"
    __table_args__ = (UniqueConstraint("dataset_id", "card_version", "content_hash"),)

    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    card_version: Mapped[int]
    content_hash: Mapped[str] = mapped_column(FINGERPRINT)
    card: Mapped[dict[str, Any]]
    simulated: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Scorer(Table):
    """A scorer's name."""

    __tablename__ = "scorer"

    name: Mapped[str] = mapped_column(NAME, unique=True)


class ScorerVersion(Table):
    """A scorer with the options it ran with."""

    __tablename__ = "scorer_version"

    scorer_id: Mapped[int] = mapped_column(ForeignKey("scorer.id"))
    fingerprint: Mapped[str] = mapped_column(FINGERPRINT, unique=True)
    options: Mapped[dict[str, Any]]
    card: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Benchmark(Table):
    """A benchmark's name, such as `cichy2014/IT/rsa`."""

    __tablename__ = "benchmark"

    name: Mapped[str] = mapped_column(NAME, unique=True)


class BenchmarkVersion(Table):
    """A benchmark as it was when candidates were scored: data, scorer, region and protocol."""

    __tablename__ = "benchmark_version"

    benchmark_id: Mapped[int] = mapped_column(ForeignKey("benchmark.id"), index=True)
    fingerprint: Mapped[str] = mapped_column(FINGERPRINT, unique=True)
    dataset_version_id: Mapped[int] = mapped_column(ForeignKey("dataset_version.id"))
    scorer_version_id: Mapped[int] = mapped_column(ForeignKey("scorer_version.id"))
    region: Mapped[str] = mapped_column(NAME)
    protocol: Mapped[dict[str, Any]]
    normalisation: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Environment(Table):
    """Where a run ran: package versions, Python, hardware and the state of the checkout."""

    __tablename__ = "environment"

    fingerprint: Mapped[str] = mapped_column(FINGERPRINT, unique=True)
    facts: Mapped[dict[str, Any]]


class Run(Table):
    """One attempt to score one candidate on one benchmark.

    A run that stays `running` was killed, or still runs; no score belongs to it.
    """

    __tablename__ = "run"
    __table_args__ = (
        UniqueConstraint("candidate_version_id", "benchmark_version_id", "attempt"),
        CheckConstraint("state in ('running', 'done', 'failed')", name="state"),
    )

    candidate_version_id: Mapped[int] = mapped_column(ForeignKey("candidate_version.id"))
    benchmark_version_id: Mapped[int] = mapped_column(ForeignKey("benchmark_version.id"))
    environment_id: Mapped[int] = mapped_column(ForeignKey("environment.id"))
    attempt: Mapped[int]
    seed: Mapped[int | None] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(8), default="running")
    started_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]
    seconds: Mapped[float | None]
    error: Mapped[str | None] = mapped_column(Text)


class Score(Table):
    """What a run found. Of one candidate version and benchmark version, one score is current."""

    __tablename__ = "score"
    __table_args__ = (
        Index(
            "one_current_score",
            "candidate_version_id",
            "benchmark_version_id",
            unique=True,
            sqlite_where=text("is_current"),
            postgresql_where=text("is_current"),
        ),
        Index(
            "scores_of_a_benchmark",
            "benchmark_version_id",
            "candidate_version_id",
            sqlite_where=text("is_current"),
            postgresql_where=text("is_current"),
        ),
    )

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), unique=True)
    candidate_version_id: Mapped[int] = mapped_column(ForeignKey("candidate_version.id"))
    benchmark_version_id: Mapped[int] = mapped_column(ForeignKey("benchmark_version.id"))
    is_current: Mapped[bool]
    raw: Mapped[float]
    low: Mapped[float]
    high: Mapped[float]
    confidence: Mapped[float]
    ceiling_lower: Mapped[float | None]
    ceiling_upper: Mapped[float | None]
    value: Mapped[float | None]
    value_low: Mapped[float | None]
    value_high: Mapped[float | None]
    layer: Mapped[str] = mapped_column(Text)
    resampled: Mapped[list[str]]
    counts: Mapped[dict[str, Any]]
    detail: Mapped[str] = mapped_column(FINGERPRINT)
    created_at: Mapped[datetime] = mapped_column(default=now)


class ScoreSlice(Table):
    """One layer's, subject's or fold's part of a score; `value` is null where it is undefined."""

    __tablename__ = "score_slice"
    __table_args__ = (
        UniqueConstraint("score_id", "kind", "position"),
        CheckConstraint("kind in ('layer', 'subject', 'fold')", name="kind"),
    )

    score_id: Mapped[int] = mapped_column(ForeignKey("score.id"))
    kind: Mapped[str] = mapped_column(String(8))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(Text)
    value: Mapped[float | None]


class Revision(Table):
    """How many scores were ever committed (`number`), and to which database (`identity`)."""

    __tablename__ = "revision"

    identity: Mapped[str] = mapped_column(String(32))
    number: Mapped[int] = mapped_column(BigInteger)
