"""Handing leases over: from who took the jobs to who will run them, on another computer.

An engine between the two may start a task twice, or after its time. So the taker asks the database:
of one lease there is one giver and, in the end, one taker.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, Engine, select, update

from . import transitions, writing
from .opening import reading
from .queued import Lease
from .service import Job, Submission, Worker

_RUNNING: Final = Job.state == "running"


def hand_over(engine: Engine, leases: Sequence[Lease], *, giver: str, taker: str) -> frozenset[int]:
    """The ids of the jobs that were the giver's and are the taker's now; a second taker gets none.

    What was cancelled or lost meanwhile is not among them.
    """

    def work(connection: Connection) -> frozenset[int]:
        own = _own(connection, leases, [giver])
        taken = update(Job).where(Job.id.in_(own)).values(worker=taker, beat=Job.beat + 1)
        connection.execute(taken)
        return own

    return writing.commit(engine, work)


def keep_waiting(
    engine: Engine, workers: Iterable[str], waiting: Mapping[str, Sequence[Lease]]
) -> frozenset[int]:
    """The ids of the jobs that nobody took over yet and that live on by this beat.

    `waiting` are the leases by their giver; all `workers` are told to be alive.
    """

    def work(connection: Connection) -> frozenset[int]:
        alive = update(Worker).where(Worker.name.in_(list(workers)))
        connection.execute(alive.values(beat=Worker.beat + 1, stopped_at=None))
        leases = [lease for given in waiting.values() for lease in given]
        own = _own(connection, leases, list(waiting)) if leases else frozenset()
        connection.execute(update(Job).where(Job.id.in_(own)).values(beat=Job.beat + 1))
        return own

    return writing.commit(engine, work)


def held_by(engine: Engine, worker: str, attempts: Mapping[int, int]) -> dict[int, str]:
    """The jobs, of these with their attempts, that the worker holds; each with its submission."""
    own = (Job.id.in_(attempts), _RUNNING, Job.worker == worker)
    of_submission = Job.submission_id == Submission.id
    query = select(Job.id, Job.attempt, Submission.key).join(Submission, of_submission).where(*own)
    with reading(engine) as connection:
        found = connection.execute(query).all()
    return {row.id: row.key for row in found if row.attempt == attempts[row.id]}


def _own(connection: Connection, leases: Sequence[Lease], givers: Sequence[str]) -> frozenset[int]:
    """Which of the leases are still held, by a giver; locked until the transaction ends."""
    attempts = {lease.job_id: lease.attempt for lease in leases}
    own = (Job.id.in_(attempts), _RUNNING, Job.worker.in_(givers))
    jobs = transitions.locked_jobs(connection, *own)
    return frozenset(job.id for job in jobs if job.attempt == attempts[job.id])
