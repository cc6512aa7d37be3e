"""Queries of the queue for those who ask for jobs and look at them, each within a transaction."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select

from ..errors import InputError
from . import transitions
from .queued import StoredEvent, StoredJob
from .service import Event, Job, Submission, Worker
from .submitting import unknown
from .transitions import STATES, State


def add_jobs(
    connection: Connection, key: str, benchmarks: Sequence[str], *, priority: int
) -> tuple[StoredJob, ...]:
    """The submission's jobs on these benchmarks; those that are not there yet are queued."""
    own = locked(connection, key, live=True)
    of_submission = Job.submission_id == own.id
    there = set(connection.scalars(select(Job.benchmark).where(of_submission)))
    fresh = [benchmark for benchmark in benchmarks if benchmark not in there]
    shared = {"submission_id": own.id, "account_id": own.account_id, "priority": priority}
    if fresh:
        rows = [{**shared, "benchmark": benchmark, "progress": {}} for benchmark in fresh]
        connection.execute(insert(Job), rows)
    made = select(Job.__table__).where(of_submission, Job.benchmark.in_(fresh)).order_by(Job.id)
    queued = connection.execute(made).all()
    transitions.add_events(connection, queued, "queued", text=_queued_text(connection))
    found = read_jobs(connection, of_submission, Job.benchmark.in_(benchmarks))
    return tuple(sorted(found, key=lambda job: benchmarks.index(job.benchmark)))


def locked(connection: Connection, key: str, *, live: bool = False) -> Row[Any]:
    """The submission of that key; nobody else changes its jobs until the transaction ends.

    Raises UnknownNameError, and InputError if it must be `live` and was withdrawn.
    """
    found = transitions.locked_submission(connection, key)
    if found is None:
        raise unknown("submission", key)
    if live and found.withdrawn_at is not None:
        raise InputError(f"{found.model} version {found.version} was withdrawn: submit it again")
    return found


def own_jobs(
    connection: Connection, key: str, ids: Sequence[int] | None, states: Collection[State | None]
) -> Sequence[Row[Any]]:
    """The jobs of a locked submission in these states, all or those of these ids.

    Raises UnknownNameError for an id that is not one of its jobs.
    """
    own = select(Submission.id).where(Submission.key == key).scalar_subquery()
    jobs = transitions.locked_jobs(connection, Job.submission_id == own)
    if ids is not None:
        if foreign := set(ids) - {job.id for job in jobs}:
            raise unknown("job", str(min(foreign)))
        jobs = [job for job in jobs if job.id in ids]
    return [job for job in jobs if job.state in states]


def wanted(
    submission: str | None, account: int | None, states: Sequence[State], after: int | None
) -> list[ColumnElement[bool]]:
    """The conditions of jobs with these facts, below the id `after`."""
    conditions: list[ColumnElement[bool]] = []
    if submission is not None:
        conditions.append(Submission.key == submission)
    if account is not None:
        conditions.append(Job.account_id == account)
    if states:
        conditions.append(Job.state.in_(states))
    if after is not None:
        conditions.append(Job.id < after)
    return conditions


def read_jobs(
    connection: Connection, *conditions: ColumnElement[bool], limit: int | None = None
) -> tuple[StoredJob, ...]:
    """The jobs under these conditions, newest first."""
    own = StoredJob.__dataclass_fields__.keys() - {"submission", "model"}
    columns = (Job.__table__.c[name] for name in sorted(own))
    of_submission = (Submission.key.label("submission"), Submission.model)
    query = select(*columns, *of_submission).join_from(
        Job, Submission, Job.submission_id == Submission.id
    )
    rows = connection.execute(query.where(*conditions).order_by(Job.id.desc()).limit(limit))
    return tuple(StoredJob(**row._mapping) for row in rows)


def count_jobs(connection: Connection) -> dict[State, int]:
    """How many jobs there are in each state that any is in."""
    rows = connection.execute(select(Job.state, func.count()).group_by(Job.state))
    counted = {row[0]: row[1] for row in rows}
    return {state: counted[state] for state in STATES if state in counted}


def read_events(
    connection: Connection, key: str, after: int, limit: int
) -> tuple[StoredEvent, ...]:
    """The submission's events with ids above `after`, in their order."""
    own = connection.scalar(select(Submission.id).where(Submission.key == key))
    if own is None:
        raise unknown("submission", key)
    query = select(Event.__table__).where(Event.submission_id == own, Event.id > after)
    rows = connection.execute(query.order_by(Event.id).limit(limit))
    names = StoredEvent.__dataclass_fields__.keys() - {"submission"}
    return tuple(
        StoredEvent(submission=key, **{name: row._mapping[name] for name in names}) for row in rows
    )


def _queued_text(connection: Connection) -> str:
    alive = connection.scalar(select(func.count(Worker.id)).where(Worker.stopped_at.is_(None)))
    return "queued" if alive else "queued; no worker is running, it waits until one is started"
