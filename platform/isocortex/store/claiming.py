"""Whose turn it is: priority first, then fair shares among accounts, then the oldest.

A share is counted in workers: the account that keeps the fewest of them busy is served next, and of
equals the one whose last turn is longest ago. Nobody starves, however much another one submits.
"""

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, Select, distinct, exists, func, literal_column, select

from . import transitions
from .queued import Claim, Lease, Position
from .schema import now
from .service import Account, Event, Job, Submission, Worker
from .submitting import all_submissions, stored_submission

QUEUED: Final = Job.state == literal_column("'queued'")
"""As a literal: a partial index is not used for a state that comes as a parameter."""

RUNNING: Final = Job.state == literal_column("'running'")

_CLAIM_LOCK: Final = 0x150C1  # any number that nobody else locks on a PostgreSQL server
_RECENT: Final = 50
_APPROVED: Final = ("trusted", "admin")
_NOT_APPROVED: Final = "a plug-in is not run: its account is approved by no operator any longer"


class _Waiting(NamedTuple):
    """A submission that waits; without an id, one that is not submitted yet."""

    account_id: int
    submission_id: int | None
    priority: int
    jobs: int


def anything(connection: Connection) -> bool:
    """Whether any job is queued."""
    return connection.scalar(select(Job.id).where(QUEUED).limit(1)) is not None


def claim(connection: Connection, worker: str, most: int) -> Claim | None:
    """The jobs of the submission whose turn it is, which are the worker's from now on."""
    if connection.dialect.name == "postgresql":  # or all who ask at once would want the same one
        if not anything(connection):
            return None
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_CLAIM_LOCK})")
    while (submission_id := connection.scalar(_NEXT)) is not None:
        own = Job.submission_id == submission_id
        jobs = transitions.locked_jobs(connection, own, QUEUED)[:most]
        if jobs and not _may_run(connection, submission_id):
            transitions.move(connection, jobs, "cancelled", text=_NOT_APPROVED, progress={})
        elif jobs:
            _take(connection, jobs, worker)
            found = connection.execute(all_submissions().where(Submission.id == submission_id))
            leases = tuple(_lease(job) for job in jobs)
            return Claim(submission=stored_submission(found.one()), leases=leases)
    return None


def position(connection: Connection, job: Row[Any]) -> Position:
    """Where a queued job stands, if nothing else is submitted and all accounts go on in turn."""
    waiting = _waiting(connection)
    place = [each.submission_id for each in waiting].index(job.submission_id)
    return _position(connection, waiting, place)


def prospect(connection: Connection, account_id: int) -> Position:
    """Where a submission of the account would stand, if it came now."""
    last = _Waiting(account_id, None, 0, 0)
    waiting = _waiting(connection, last)
    return _position(connection, waiting, waiting.index(last))


def _position(connection: Connection, waiting: Sequence[_Waiting], place: int) -> Position:
    ahead = sum(each.jobs for each in waiting[:place])
    running = connection.scalar(select(func.count(distinct(Job.worker))).where(RUNNING)) or 0
    alive = select(func.count(Worker.id)).where(Worker.stopped_at.is_(None))
    workers = connection.scalar(alive) or 0
    return Position(
        place=place + 1,
        ahead=ahead,
        starts_in=_wait(connection, ahead, running, workers),
        workers=workers,
    )


def _next_submission() -> Select[int]:
    """The query of the submission whose turn it is: that of the oldest job that is next."""
    top = select(func.max(Job.priority)).where(QUEUED).scalar_subquery()
    of_account, first = Job.account_id == Account.id, (QUEUED, Job.priority == top)
    busy = select(func.count(distinct(Job.worker))).where(RUNNING, of_account).scalar_subquery()
    served = select(func.max(Job.turn)).where(of_account).scalar_subquery()
    account = (
        select(Account.id)
        .where(exists().where(*first, of_account))
        .order_by(busy, served, Account.id)
        .limit(1)
        .scalar_subquery()
    )
    oldest = select(Job.submission_id).where(*first, Job.account_id == account)
    return oldest.order_by(Job.id).limit(1)


_NEXT: Final = _next_submission()


def _take(connection: Connection, jobs: Sequence[Row[Any]], worker: str) -> None:
    # What the event of this transition will be numbered, or less: ids of events grow with time.
    turn = select(func.coalesce(func.max(Event.id), 0) + 1).scalar_subquery()
    fresh = {"worker": worker, "progress": {"stage": "loading"}, "started_at": now()}
    text = f"worker {worker} took it"
    transitions.move(connection, jobs, "started", text=text, turn=turn, **fresh)


def _may_run(connection: Connection, submission_id: int) -> bool:
    """False for a plug-in, which runs without a jail, of an account that is approved no longer."""
    facts = select(Submission.kind, Account.role, Account.disabled_at).join_from(
        Submission, Account, Submission.account_id == Account.id
    )
    found = connection.execute(facts.where(Submission.id == submission_id)).one()
    approved = found.role in _APPROVED and found.disabled_at is None
    return found.kind != "plugin" or approved


def _lease(job: Row[Any]) -> Lease:
    anew = job.score_id is not None
    return Lease(job_id=job.id, attempt=job.attempt + 1, benchmark=job.benchmark, anew=anew)


def _waiting(connection: Connection, *more: _Waiting) -> list[_Waiting]:
    """The submissions that wait, and `more`, in the order in which they will be claimed."""
    own = (Job.account_id, Job.submission_id)
    rows = connection.execute(
        select(*own, func.max(Job.priority), func.count())
        .where(QUEUED)
        .group_by(*own)
        .order_by(func.min(Job.id))
    )
    queued = [*(_Waiting(*row) for row in rows), *more]
    accounts = {each.account_id for each in queued}
    turns = select(Job.account_id, func.max(Job.turn)).where(Job.account_id.in_(accounts))
    served = {row[0]: row[1] for row in connection.execute(turns.group_by(Job.account_id))}
    busy = select(Job.account_id, func.count(distinct(Job.worker))).where(RUNNING)
    workers = {row[0]: row[1] for row in connection.execute(busy.group_by(Job.account_id))}
    earlier: Counter[tuple[int, int]] = Counter()
    order = {}
    for each in queued:
        before = workers.get(each.account_id, 0) + earlier[each.account_id, each.priority]
        earlier[each.account_id, each.priority] += 1
        order[each.submission_id] = (-each.priority, before, served.get(each.account_id, 0))
    return sorted(queued, key=lambda each: order[each.submission_id])


def _wait(connection: Connection, ahead: int, running: int, workers: int) -> float | None:
    """Seconds until the job starts: what is ahead, and half of what is being done, shared out."""
    recent = select(Job.seconds).where(Job.score_id.is_not(None), Job.seconds.is_not(None))
    last = connection.scalars(recent.order_by(Job.score_id.desc()).limit(_RECENT))
    seconds = [each for each in last if each is not None]
    if not seconds or not workers:
        return None
    if ahead < workers - running:
        return 0.0
    return statistics.median(seconds) * (ahead + running / 2) / workers
