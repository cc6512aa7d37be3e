"""The end of a job with a score: run, score, slices, owner and job in one transaction."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, select, update

from ..errors import MismatchError, StoreError
from ..scores import Score
from . import owning, schema, writing
from .artifacts import Artifacts
from .environments import environment_facts
from .queued import Outcome
from .service import Submission


def save_arrays(artifacts: Artifacts, score: Score) -> str:
    """The SHA-256 under which the score's arrays lie. Raises StoreError if they can't be kept."""
    try:
        return artifacts.save_detail(score.detail)
    except OSError as error:
        raise StoreError(
            f"the arrays of the score can't be written: {error}; make room in {artifacts.folder}"
        ) from None


def placed(outcome: Outcome) -> Outcome:
    """The outcome with where it was found; that takes a moment, outside of any transaction."""
    found = environment_facts() if outcome.environment is None else outcome.environment
    return replace(outcome, environment=found)


def require_own(job: Row[Any], outcome: Outcome, model: str) -> None:
    """Raise MismatchError or InputError for a score that is not finite or not of this job."""
    writing.check_score(outcome.score, outcome.candidate, outcome.benchmark)
    asked, found = (model, job.benchmark), (outcome.candidate.name, outcome.benchmark.name)
    if asked != found:
        raise MismatchError(
            f"job {job.id} is of {asked[0]!r} on {asked[1]!r}, but the score is of {found[0]!r} on "
            f"{found[1]!r}"
        )


def write_score(connection: Connection, job: Row[Any], outcome: Outcome, *, detail: str) -> int:
    """The id of the score, which is now the current one of its versions, and the submission's."""
    pair = {
        "candidate_version_id": writing.ensure_candidate(connection, outcome.candidate),
        "benchmark_version_id": writing.ensure_benchmark(connection, outcome.benchmark),
        "environment_id": writing.ensure_environment(connection, outcome.environment or {}),
    }
    former = writing.current_score(connection, pair)
    run_id = writing.begin_run(connection, pair, seed=outcome.seed)
    score_id = writing.finish_run(connection, run_id, outcome.score, detail=detail)
    if former is None or owning.is_owned(connection, former):
        owning.own(connection, score_id, job.submission_id)
    spent = {"started_at": job.started_at, "seconds": outcome.seconds}
    connection.execute(update(schema.Run).where(schema.Run.id == run_id).values(**spent))
    return score_id


def own_stored(connection: Connection, job: Row[Any], score_id: int) -> None:
    """Check that the score is of this job's model and benchmark; it is the submission's as well.

    What is nobody's stays nobody's: it is public, and no submission hides it.
    """
    score, candidate = schema.Score, schema.CandidateVersion
    names = connection.execute(
        select(schema.Candidate.name, schema.Benchmark.name)
        .select_from(score)
        .join(candidate, score.candidate_version_id == candidate.id)
        .join(schema.Candidate, candidate.candidate_id == schema.Candidate.id)
        .join(schema.BenchmarkVersion, score.benchmark_version_id == schema.BenchmarkVersion.id)
        .join(schema.Benchmark, schema.BenchmarkVersion.benchmark_id == schema.Benchmark.id)
        .where(score.id == score_id)
    ).one_or_none()
    model = model_of(connection, job)
    if names is None or tuple(names) != (model, job.benchmark):
        raise MismatchError(
            f"job {job.id} is of {model!r} on {job.benchmark!r}, but score {score_id} is "
            f"{'not there' if names is None else f'of {names[0]!r} on {names[1]!r}'}"
        )
    if owning.is_owned(connection, score_id):
        owning.own(connection, score_id, job.submission_id)
        writing.count_revision(connection)


def model_of(connection: Connection, job: Row[Any]) -> str:
    """`account/model` of the job's submission."""
    own = select(Submission.model).where(Submission.id == job.submission_id)
    return str(connection.scalar(own))
