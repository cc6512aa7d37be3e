"""Leases: how they are held, how they are lost, and who is there to hold them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from . import transitions
from .queued import Lease, StoredWorker
from .schema import now
from .service import Job, Worker

MOST_TRIES: Final = 3
"""How often a job may be lost before it is given up."""

_KEPT_WORKERS: Final = 1_000


def held(connection: Connection, lease: Lease) -> Row[Any]:
    """The running job of a lease, locked. Raises LeaseLostError."""
    own = (Job.id == lease.job_id, Job.attempt == lease.attempt, Job.state == "running")
    jobs = transitions.locked_jobs(connection, *own)
    if not jobs:
        raise transitions.lease_lost(lease.job_id)
    return jobs[0]


def beat(
    connection: Connection,
    worker: str,
    leases: Sequence[Lease],
    progress: Mapping[int, Mapping[str, Any]],
) -> frozenset[int]:
    """The ids of the leases' jobs that are still held, which live on by this beat."""
    alive = {"beat": Worker.beat + 1, "stopped_at": None}
    connection.execute(update(Worker).where(Worker.name == worker).values(**alive))
    if not leases:
        return frozenset()
    attempts = {lease.job_id: lease.attempt for lease in leases}
    jobs = transitions.locked_jobs(connection, Job.id.in_(attempts), Job.state == "running")
    own = frozenset(job.id for job in jobs if job.attempt == attempts[job.id])
    connection.execute(update(Job).where(Job.id.in_(own)).values(beat=Job.beat + 1))
    for job_id in own & progress.keys():
        told = update(Job).where(Job.id == job_id).values(progress=dict(progress[job_id]))
        connection.execute(told)
    return own


def lose(connection: Connection, jobs: Sequence[Row[Any]], kind: str, reason: str) -> None:
    """Put running jobs back into the queue by `kind`, or give those up that were lost too often.

    Of jobs that a worker took together, those that only waited for their turn are not to blame.
    """
    groups: dict[tuple[str, int], list[Row[Any]]] = {}
    for job in jobs:
        groups.setdefault((job.worker, job.submission_id), []).append(job)
    for group in groups.values():
        at_work = {job.id for job in group if job.progress.get("stage") != "waiting"}
        for job in group:
            _lose_one(connection, job, kind, reason, blamed=job.id in at_work or not at_work)


def _lose_one(
    connection: Connection, job: Row[Any], kind: str, reason: str, *, blamed: bool
) -> None:
    tries = job.tries + blamed
    lost = {"tries": tries, "progress": {}, "error": transitions.plain_text(reason)}
    if tries >= MOST_TRIES:
        text = f"given up after {tries} tries, the last one: {reason}"
        transitions.move(connection, [job], "dead", text=text, **lost)
    else:
        text = f"{reason}; queued again after {tries} of {MOST_TRIES} tries"
        transitions.move(connection, [job], kind, text=text, worker=None, **lost)


def read_workers(connection: Connection, *, stopped: bool) -> tuple[StoredWorker, ...]:
    """The workers that are alive or, if `stopped`, all that are remembered, newest last."""
    columns = (Worker.__table__.c[name] for name in StoredWorker.__dataclass_fields__)
    query = select(*columns).order_by(Worker.id)
    if not stopped:
        query = query.where(Worker.stopped_at.is_(None))
    return tuple(StoredWorker(**row._mapping) for row in connection.execute(query))


def enlist(connection: Connection, worker: str, executor: str, facts: Mapping[str, Any]) -> None:
    """Make the worker's row, or make it new; those who stopped long ago are forgotten."""
    last = connection.scalar(select(func.max(Worker.id))) or 0
    forgotten = (Worker.stopped_at.is_not(None), Worker.id <= last - _KEPT_WORKERS)
    connection.execute(delete(Worker).where(*forgotten))
    values = {"executor": executor, "facts": dict(facts), "started_at": now(), "stopped_at": None}
    known = connection.execute(update(Worker).where(Worker.name == worker).values(**values))
    if known.rowcount == 0:
        connection.execute(insert(Worker).values(name=worker, **values))


def dismiss(connection: Connection, worker: str) -> None:
    """Mark the worker as stopped, unless it is already."""
    alive = (Worker.name == worker, Worker.stopped_at.is_(None))
    connection.execute(update(Worker).where(*alive).values(stopped_at=now()))
