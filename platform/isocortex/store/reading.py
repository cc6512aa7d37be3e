"""What is read: queries that return frozen records, each within one transaction of its caller.

Only current scores are read, and, unless a version is asked for by its fingerprint, only those of
the version of each candidate and benchmark that was scored last: versions never mix.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnExpressionArgument, Connection, Row, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, aliased

from .. import ontology
from ..scores import Ceiling
from .records import (
    Components,
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
    Component,
    Dataset,
    DatasetVersion,
    Environment,
    Revision,
    Run,
    Score,
    Scorer,
    ScorerVersion,
    Table,
)
from .schema import ScoreSlice as SliceRow

Conditions = Sequence[ColumnExpressionArgument[bool]]

_OWN: Final = [
    *("id", "raw", "low", "high", "confidence", "ceiling_lower", "ceiling_upper", "value"),
    *("value_low", "value_high", "layer", "resampled", "counts", "detail", "is_current"),
]
_SCORE_COLUMNS: Final = (
    *(Score.__table__.c[name] for name in _OWN),
    Score.created_at.label("scored_at"),
    Run.seed,
    Run.attempt,
    Run.seconds,
    Candidate.name.label("candidate"),
    CandidateVersion.fingerprint.label("candidate_fingerprint"),
    Benchmark.name.label("benchmark"),
    BenchmarkVersion.fingerprint.label("benchmark_fingerprint"),
)


def data_version(connection: Connection) -> str:
    """A string that changes with every committed score, and differs between databases."""
    row = connection.execute(select(Revision.identity, Revision.number)).one()
    return f"{row.identity[:12]}-{row.number}"


def current(
    *,
    candidates: Sequence[str] | None = None,
    benchmarks: Sequence[str] | None = None,
    after: int | None = None,
) -> Conditions:
    """The condition of being a score that counts: current, of the versions scored last.

    Only those of these candidates and benchmarks, and with an id below `after`.
    """
    return [
        Score.is_current,
        Score.candidate_version_id.in_(_latest(CandidateVersion, CandidateVersion.candidate_id)),
        Score.benchmark_version_id.in_(_latest(BenchmarkVersion, BenchmarkVersion.benchmark_id)),
        *([Candidate.name.in_(candidates)] if candidates is not None else []),
        *([Benchmark.name.in_(benchmarks)] if benchmarks is not None else []),
        *([Score.id < after] if after is not None else []),
    ]


def of_versions(candidate_fingerprint: str, benchmark_fingerprint: str) -> Conditions:
    """The condition of being the current score of these two versions."""
    return [
        Score.is_current,
        CandidateVersion.fingerprint == candidate_fingerprint,
        BenchmarkVersion.fingerprint == benchmark_fingerprint,
    ]


def with_components(components: Components) -> Conditions:
    """The condition of having these terms, or terms below them. Raises UnknownNameError."""
    conditions = []
    for axis in ontology.AXES:
        if (name := components.get(axis)) is not None:
            term = aliased(Component)
            named = select(term.id).where(term.axis == axis, term.name.in_(_below(axis, name)))
            conditions.append(getattr(CandidateVersion, f"{axis}_id").in_(named))
    return conditions


def candidate_names(connection: Connection) -> list[str]:
    """The names of all candidates that have current scores."""
    scored = select(CandidateVersion.candidate_id).join(
        Score, Score.candidate_version_id == CandidateVersion.id
    )
    query = select(Candidate.name).where(Candidate.id.in_(scored.where(Score.is_current)))
    return list(connection.scalars(query.order_by(Candidate.name)))


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


def read_candidates(
    connection: Connection, *, name: str | None = None
) -> tuple[StoredCandidate, ...]:
    """Versions of candidates with current scores, scored last first; all, or those of one name."""
    last, scores = func.max(Score.id), func.count(Score.id)
    query = (
        select(Candidate.name, *CandidateVersion.__table__.columns, scores.label("scores"))
        .join(CandidateVersion, CandidateVersion.candidate_id == Candidate.id)
        .join(Score, Score.candidate_version_id == CandidateVersion.id)
        .where(Score.is_current, *([Candidate.name == name] if name is not None else []))
        .group_by(Candidate.name, CandidateVersion.id)
        .order_by(last.desc())
    )
    return tuple(_stored_candidate(row) for row in connection.execute(query))


def read_benchmarks(
    connection: Connection, *, simulated: bool | None = None
) -> tuple[StoredBenchmark, ...]:
    """The version of each benchmark that was scored last, by name; only simulated ones, or none."""
    latest = _latest(BenchmarkVersion, BenchmarkVersion.benchmark_id)
    versions = select(
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
    ).join(BenchmarkVersion, BenchmarkVersion.benchmark_id == Benchmark.id)
    query = (
        versions.join(DatasetVersion, BenchmarkVersion.dataset_version_id == DatasetVersion.id)
        .join(Dataset, DatasetVersion.dataset_id == Dataset.id)
        .join(ScorerVersion, BenchmarkVersion.scorer_version_id == ScorerVersion.id)
        .join(Scorer, ScorerVersion.scorer_id == Scorer.id)
        .where(BenchmarkVersion.id.in_(latest))
        .order_by(Benchmark.name)
    )
    if simulated is not None:
        query = query.where(DatasetVersion.simulated.is_(simulated))
    counts = _candidates_by_benchmark(connection)
    return tuple(_stored_benchmark(row, counts[row.id]) for row in connection.execute(query))


def read_runs(connection: Connection, *, limit: int) -> tuple[StoredRun, ...]:
    """The last runs, newest first, whatever became of them."""
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
        .order_by(Run.id.desc())
        .limit(limit)
    )
    rows = connection.execute(query)
    kept = StoredRun.__dataclass_fields__
    return tuple(StoredRun(**{name: getattr(row, name) for name in kept}) for row in rows)


def _latest(table: type[Table], owner: InstrumentedAttribute[int]) -> Select[Any]:
    """The ids of the version of each owner to which the newest current score belongs."""
    version_id = Score.__table__.c[f"{table.__tablename__}_id"]
    newest = (
        select(func.max(Score.id))
        .join(table, version_id == table.id)
        .where(Score.is_current)
        .group_by(owner)
    )
    chosen = Score.__table__.alias()
    return select(chosen.c[version_id.name]).where(chosen.c.id.in_(newest))


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


def _below(axis: ontology.Axis, name: str) -> set[str]:
    """The term and all below it; the ontology lists parents before their children."""
    below = {ontology.find_term(axis, name).name}
    for term in ontology.terms(axis):
        if term.parent in below:
            below.add(term.name)
    return below


def _candidates_by_benchmark(connection: Connection) -> Mapping[int, int]:
    query = (
        select(Score.benchmark_version_id, func.count())
        .where(*current())
        .group_by(Score.benchmark_version_id)
    )
    return defaultdict(int, {row[0]: row[1] for row in connection.execute(query)})


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
        weights_hash=row.weights_hash,
        parameters=row.parameters,
        seed=row.seed,
        layers=tuple(row.layers),
        created_at=row.created_at,
        scores=row.scores,
    )


def _stored_benchmark(row: Row[Any], candidates: int) -> StoredBenchmark:
    kept = set(StoredBenchmark.__dataclass_fields__) - {"candidates"}
    return StoredBenchmark(**{name: getattr(row, name) for name in kept}, candidates=candidates)
