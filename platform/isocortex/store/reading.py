"""What is read: queries that return frozen records, each within one transaction of its caller."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnExpressionArgument,
    Connection,
    Row,
    Select,
    case,
    exists,
    func,
    literal,
    select,
)

from ..scores import Ceiling
from .records import (
    ScoreSlice,
    StoredBenchmark,
    StoredCandidate,
    StoredRun,
    StoredScore,
)
from .schema import (
    Benchmark,
    BenchmarkVersion,
    Candidate,
    CandidateVersion,
    Dataset,
    DatasetVersion,
    Environment,
    Revision,
    Run,
    Score,
    Scorer,
    ScorerVersion,
)
from .schema import ScoreSlice as SliceRow
from .service import Ownership, Submission
from .sight import Sight

Conditions = Sequence[ColumnExpressionArgument[bool]]

_OWN: Final = [
    *("id", "raw", "low", "high", "confidence", "ceiling_lower", "ceiling_upper", "value"),
    *("value_low", "value_high", "layer", "resampled", "counts", "detail", "is_current"),
]
_HANDED_IN: Final = (Ownership.submission_id == Submission.id, Submission.kind == "activations")
_EVIDENCE: Final = case(
    (exists().where(Ownership.score_id == Score.id, *_HANDED_IN), "activations"), else_="network"
).label("evidence")
_EVIDENCE_OF_VERSION: Final = case(
    (
        CandidateVersion.id.in_(
            select(Score.candidate_version_id).where(Ownership.score_id == Score.id, *_HANDED_IN)
        ),
        "activations",
    ),
    else_="network",
).label("evidence")
_SCORE_COLUMNS: Final = (
    *(Score.__table__.c[name] for name in _OWN),
    Score.created_at.label("scored_at"),
    Run.seed,
    Run.attempt,
    Run.seconds,
    Candidate.name.label("candidate"),
    CandidateVersion.fingerprint.label("candidate_fingerprint"),
    _EVIDENCE,
    Benchmark.name.label("benchmark"),
    BenchmarkVersion.fingerprint.label("benchmark_fingerprint"),
)


def data_version(connection: Connection) -> str:
    """A string that changes with every committed score, and differs between databases."""
    row = connection.execute(select(Revision.identity, Revision.number)).one()
    return f"{row.identity[:12]}-{row.number}"


def identity(connection: Connection) -> str:
    """What this database is known by; its last 20 digits are told to nobody."""
    return connection.execute(select(Revision.identity)).scalar_one()


def of_versions(candidate_fingerprint: str, benchmark_fingerprint: str) -> Conditions:
    """The condition of being the current score of these two versions."""
    return [
        Score.is_current,
        CandidateVersion.fingerprint == candidate_fingerprint,
        BenchmarkVersion.fingerprint == benchmark_fingerprint,
    ]


def of_id(score_id: int) -> Conditions:
    """The condition of being this score, current or not."""
    return [Score.id == score_id]


def last_score(connection: Connection, *, until: datetime | None = None) -> int:
    """The id of the newest score, of all or of those made until then; 0 if there is none."""
    query = select(func.max(Score.id))
    if until is not None:
        query = query.where(Score.created_at <= until)
    return connection.scalar(query) or 0


def read_scores(
    connection: Connection, conditions: Conditions, *, limit: int | None = None
) -> tuple[StoredScore, ...]:
    """The scores under these conditions, newest first."""
    query = _joined(select(*_SCORE_COLUMNS)).where(*conditions)
    rows = connection.execute(query.order_by(Score.id.desc()).limit(limit))
    return tuple(_stored_score(row) for row in rows)


def read_slices(
    connection: Connection, score_ids: Iterable[int]
) -> Mapping[int, tuple[ScoreSlice, ...]]:
    """The layers, subjects and folds of each score, in order."""
    query = select(SliceRow).where(SliceRow.score_id.in_(list(score_ids)))
    parts = defaultdict(list)
    for row in connection.execute(query.order_by(SliceRow.kind, SliceRow.position)):
        part = ScoreSlice(kind=row.kind, position=row.position, name=row.name, value=row.value)
        parts[row.score_id].append(part)
    return {score_id: tuple(listed) for score_id, listed in parts.items()}


def read_versions(
    connection: Connection,
) -> tuple[dict[int, StoredCandidate], dict[int, StoredBenchmark]]:
    """All versions of candidates and of benchmarks by id, none of which counts its scores yet."""
    candidates = select(
        Candidate.name,
        *CandidateVersion.__table__.columns,
        _EVIDENCE_OF_VERSION,
        literal(0).label("scores"),
    ).join(CandidateVersion, CandidateVersion.candidate_id == Candidate.id)
    benchmarks = select(
        Benchmark.name,
        *BenchmarkVersion.__table__.columns,
        Dataset.name.label("dataset"),
        DatasetVersion.card.label("dataset_card"),
        DatasetVersion.card_version.label("dataset_version"),
        DatasetVersion.content_hash,
        DatasetVersion.simulated,
        Scorer.name.label("scorer"),
        ScorerVersion.card.label("scorer_card"),
        ScorerVersion.options,
        literal(0).label("candidates"),
    ).join(BenchmarkVersion, BenchmarkVersion.benchmark_id == Benchmark.id)
    benchmarks = (
        benchmarks.join(DatasetVersion, BenchmarkVersion.dataset_version_id == DatasetVersion.id)
        .join(Dataset, DatasetVersion.dataset_id == Dataset.id)
        .join(ScorerVersion, BenchmarkVersion.scorer_version_id == ScorerVersion.id)
        .join(Scorer, ScorerVersion.scorer_id == Scorer.id)
    )
    return (
        {row.id: _stored_candidate(row) for row in connection.execute(candidates)},
        {row.id: _stored_benchmark(row) for row in connection.execute(benchmarks)},
    )


def read_runs(connection: Connection, sight: Sight, *, limit: int) -> tuple[StoredRun, ...]:
    """The last runs of candidates that are seen, newest first, whatever became of them."""
    query = (
        _joined_to_run(
            select(
                *(column for column in Run.__table__.columns if not column.name.endswith("id")),
                Candidate.name.label("candidate"),
                Benchmark.name.label("benchmark"),
                Environment.facts.label("environment"),
            )
        )
        .join(Environment, Run.environment_id == Environment.id)
        .outerjoin(Score, Score.run_id == Run.id)
        .where(sight.of_scores())
        .order_by(Run.id.desc())
        .limit(limit)
    )
    rows = connection.execute(query)
    kept = StoredRun.__dataclass_fields__
    return tuple(StoredRun(**{name: getattr(row, name) for name in kept}) for row in rows)


def _joined(query: Select[Any]) -> Select[Any]:
    return _joined_to_run(query.join_from(Score, Run, Score.run_id == Run.id))


def _joined_to_run(query: Select[Any]) -> Select[Any]:
    return (
        query.join(CandidateVersion, Run.candidate_version_id == CandidateVersion.id)
        .join(Candidate, CandidateVersion.candidate_id == Candidate.id)
        .join(BenchmarkVersion, Run.benchmark_version_id == BenchmarkVersion.id)
        .join(Benchmark, BenchmarkVersion.benchmark_id == Benchmark.id)
        .join(DatasetVersion, BenchmarkVersion.dataset_version_id == DatasetVersion.id)
    )


def _stored_score(row: Row[Any]) -> StoredScore:
    values = dict(row._mapping)
    lower, upper = values.pop("ceiling_lower"), values.pop("ceiling_upper")
    ceiling = None if upper is None else Ceiling(lower=lower, upper=upper)
    values["resampled"] = tuple(values["resampled"])
    return StoredScore(**values, ceiling=ceiling)


def _stored_candidate(row: Row[Any]) -> StoredCandidate:
    return StoredCandidate(
        name=row.name,
        fingerprint=row.fingerprint,
        card=row.card,
        evidence=row.evidence,
        weights_hash=row.weights_hash,
        parameters=row.parameters,
        seed=row.seed,
        layers=tuple(row.layers),
        created_at=row.created_at,
        scores=row.scores,
    )


def _stored_benchmark(row: Row[Any]) -> StoredBenchmark:
    return StoredBenchmark(**{name: getattr(row, name) for name in _BENCHMARK_FIELDS})


_BENCHMARK_FIELDS: Final = tuple(StoredBenchmark.__dataclass_fields__)
