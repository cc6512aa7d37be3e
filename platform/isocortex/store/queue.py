"""The queue: who asked for what, who works on it, and what became of it. Reached as `store.queue`.

    claim = store.queue.claim("worker-1")            # all queued jobs of one submission
    store.queue.beat("worker-1", claim.leases)       # every BEAT_SECONDS; tells what is still held
    store.queue.finish(claim.leases[0], outcome)     # job, run, score and owner in one transaction

Time is never compared between processes: a lease lives as long as its beat moves, as seen by
whoever watches (`isocortex.store.lapsing`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, select, update

from ..errors import InputError, UnknownNameError
from . import asking, claiming, finishing, losing, transitions, writing
from .account_records import NOBODY, Actor
from .account_rows import write_audit
from .artifacts import Artifacts
from .opening import reading
from .queued import Claim as Claim
from .queued import Lease as Lease
from .queued import Outcome as Outcome
from .queued import Position as Position
from .queued import StoredEvent as StoredEvent
from .queued import StoredJob as StoredJob
from .queued import StoredWorker as StoredWorker
from .reading import of_versions, read_scores
from .service import Job
from .transitions import State as State

BEAT_SECONDS: Final = 2.0
"""How often a worker says that it is alive."""

LEASE_SECONDS: Final = 20.0
"""How long its beat may stand still before its jobs are taken away."""

MOST_AT_ONCE: Final = 64

HIGHEST_PRIORITY: Final = 1_000
"""Priorities go from minus this to this; 0 is what every job begins with."""


class Queue:
    """The jobs of a store. Unknown keys raise UnknownNameError, a lost lease LeaseLostError.

    Every method is one transaction: all of it happened, or nothing.
    """

    def __init__(self, engine: Engine, artifacts: Artifacts) -> None:
        self.engine = engine
        self.artifacts = artifacts

    def add(
        self, submission_key: str, benchmarks: Iterable[str], *, priority: int = 0
    ) -> tuple[StoredJob, ...]:
        """The jobs of the submission on these benchmarks; those that are there stay as they are.

        Raises InputError if the submission was withdrawn.
        """
        wanted = tuple(dict.fromkeys(benchmarks))
        return writing.commit(
            self.engine,
            lambda connection: asking.add_jobs(
                connection, submission_key, wanted, priority=priority
            ),
        )

    def claim(self, worker: str, *, most: int = MOST_AT_ONCE) -> Claim | None:
        """What is to be done next, or None: up to `most` queued jobs of one submission.

        Highest priority first, then the account that keeps the fewest workers busy, of equals the
        one whose last turn was longest ago, then the oldest. Raises StoreError while the disk has
        no room for scores.
        """
        if self.engine.dialect.name == "sqlite" and not self._anything():
            return None  # whoever only looks locks no other writer out
        self.artifacts.require_room()
        return writing.commit(
            self.engine, lambda connection: claiming.claim(connection, worker, most)
        )

    def beat(
        self,
        worker: str,
        leases: Sequence[Lease] = (),
        *,
        progress: Mapping[int, Mapping[str, Any]] | None = None,
    ) -> frozenset[int]:
        """The ids of the jobs that the worker still holds; the others were cancelled or lost.

        `progress` goes into the rows of jobs, by their ids.
        """
        told = progress or {}
        return writing.commit(
            self.engine,
            lambda connection: losing.beat(connection, worker, leases, told),
        )

    def stored_score(self, candidate_fingerprint: str, benchmark_fingerprint: str) -> int | None:
        """The id of the current score of these two versions, or None if they were never scored."""
        versions = of_versions(candidate_fingerprint, benchmark_fingerprint)
        with reading(self.engine) as connection:
            found = read_scores(connection, versions)
        return found[0].id if found else None

    def finish(self, lease: Lease, outcome: Outcome) -> int:
        """The id of the score, committed with run, slices, owner and the job's end, or not at all.

        Raises LeaseLostError if the job is somebody else's by now, MismatchError for a score of
        another pair, StoreError if the arrays can't be written.
        """
        detail = finishing.save_arrays(self.artifacts, outcome.score)
        found = finishing.placed(outcome)

        def work(connection: Connection) -> int:
            job = losing.held(connection, lease)
            finishing.require_own(job, found, finishing.model_of(connection, job))
            score_id = finishing.write_score(connection, job, found, detail=detail)
            text = f"scored in {found.seconds:.1f} seconds"
            spent = {"seconds": found.seconds, "peak_bytes": found.peak_bytes}
            ended = {"score_id": score_id, "progress": dict(found.spent), "error": None}
            transitions.move(connection, [job], "done", text=text, **ended, **spent)
            return score_id

        return writing.commit(self.engine, work)

    def finish_with_stored(self, lease: Lease, score_id: int) -> None:
        """End the job with a score that is there: the very same versions were scored before."""

        def work(connection: Connection) -> None:
            job = losing.held(connection, lease)
            finishing.own_stored(connection, job, score_id)
            text = "the same versions were scored before; that score counts"
            ended = {"score_id": score_id, "progress": {}, "error": None, "seconds": None}
            transitions.move(connection, [job], "done", text=text, **ended)

        writing.commit(self.engine, work)

    def fail(self, lease: Lease, reason: str, *, peak_bytes: int | None = None) -> None:
        """End the job without a score, by the model's fault: it would fail again."""
        error = {"error": transitions.plain_text(reason), "peak_bytes": peak_bytes}
        self._move(lease, "failed", reason, progress={}, **error)

    def release(self, lease: Lease, reason: str) -> None:
        """Put the job back into the queue; no try is counted, the worker stops of its own will."""
        self._move(lease, "released", reason, worker=None, progress={})

    def retry(self, lease: Lease, reason: str) -> State:
        """Put the job back after trouble that was not the model's: `queued`, or `dead` at last."""

        def work(connection: Connection) -> State:
            losing.lose(connection, [losing.held(connection, lease)], "retried", reason)
            return self._one(connection, lease.job_id).state

        return writing.commit(self.engine, work)

    def lapse(self, seen: Mapping[int, tuple[int, int]], reason: str) -> tuple[StoredJob, ...]:
        """Take away the running jobs whose (attempt, beat) is still what was seen."""

        def work(connection: Connection) -> tuple[StoredJob, ...]:
            found = transitions.locked_jobs(connection, claiming.RUNNING, Job.id.in_(seen))
            still = [job for job in found if seen[job.id] == (job.attempt, job.beat)]
            losing.lose(connection, still, "lapsed", reason)
            return asking.read_jobs(connection, Job.id.in_([job.id for job in still]))

        return writing.commit(self.engine, work) if seen else ()

    def lapse_worker(self, worker: str, reason: str) -> tuple[StoredJob, ...]:
        """Take away all jobs of a worker that is known to be dead, and dismiss it."""

        def work(connection: Connection) -> tuple[StoredJob, ...]:
            jobs = transitions.locked_jobs(connection, claiming.RUNNING, Job.worker == worker)
            losing.lose(connection, jobs, "lapsed", reason)
            losing.dismiss(connection, worker)
            return asking.read_jobs(connection, Job.id.in_([job.id for job in jobs]))

        return writing.commit(self.engine, work)

    def cancel(
        self, submission_key: str, *, job_ids: Iterable[int] | None = None, reason: str = ""
    ) -> tuple[StoredJob, ...]:
        """The jobs that are cancelled now, of those that were queued or running."""
        text = reason or "cancelled"
        return self._change(submission_key, job_ids, "cancelled", text=text, progress={})

    def rerun(
        self, submission_key: str, *, job_ids: Iterable[int] | None = None, force: bool = False
    ) -> tuple[StoredJob, ...]:
        """The jobs that are queued again, of those that ended; what is done only by `force`.

        Tries are counted from zero. A job that has a score is then scored anew.
        """
        text = "queued again, to be scored anew" if force else "queued again"
        fresh: dict[str, Any] = {
            "tries": 0,
            "error": None,
            "worker": None,
            "progress": {},
            "finished_at": None,
        }
        leaving = () if force else ("done",)
        return self._change(submission_key, job_ids, "rerun", text=text, leaving=leaving, **fresh)

    def prioritise(
        self, submission_key: str, priority: int, *, actor: Actor = NOBODY
    ) -> tuple[StoredJob, ...]:
        """The queued jobs of the submission, which are done before all of lower priority now.

        The audit log says who did it. Raises InputError for a priority out of HIGHEST_PRIORITY.
        """
        if abs(priority) > HIGHEST_PRIORITY:
            raise InputError(
                f"the priority is {priority}; expected -{HIGHEST_PRIORITY} to {HIGHEST_PRIORITY}"
            )

        def work(connection: Connection) -> tuple[StoredJob, ...]:
            own = asking.locked(connection, submission_key)
            queued = (Job.submission_id == own.id, claiming.QUEUED)
            changed = connection.execute(update(Job).where(*queued).values(priority=priority))
            if changed.rowcount:
                text = f"its queued jobs have priority {priority}"
                transitions.add_line(connection, own, "priority", text)
                facts = {"model": own.model, "priority": priority, "jobs": changed.rowcount}
                write_audit(connection, "submission.priority", submission_key, actor, **facts)
            return asking.read_jobs(connection, *queued)

        return writing.commit(self.engine, work)

    def jobs(
        self,
        *,
        submission: str | None = None,
        account: int | None = None,
        states: Iterable[State] = (),
        after: int | None = None,
        limit: int = 100,
    ) -> tuple[StoredJob, ...]:
        """Up to `limit` jobs (of a submission's key, of an account's id), newest first."""
        conditions = asking.wanted(submission, account, tuple(states), after)
        with reading(self.engine) as connection:
            return asking.read_jobs(connection, *conditions, limit=limit)

    def job(self, job_id: int) -> StoredJob:
        """The job of that id."""
        with reading(self.engine) as connection:
            return self._one(connection, job_id)

    def counts(self) -> dict[State, int]:
        """How many jobs there are in each state that any is in."""
        with reading(self.engine) as connection:
            return asking.count_jobs(connection)

    def position(self, job_id: int) -> Position | None:
        """Where the job stands in the queue, as far as can be told now; None if it is not in it."""
        with reading(self.engine) as connection:
            query = select(Job.__table__).where(Job.id == job_id, claiming.QUEUED)
            row = connection.execute(query).one_or_none()
            return None if row is None else claiming.position(connection, row)

    def prospect(self, account_id: int) -> Position:
        """Where a submission of the account would stand, if it were submitted now."""
        with reading(self.engine) as connection:
            return claiming.prospect(connection, account_id)

    def log(self, subject: Lease | str, kind: str, text: str) -> None:
        """Add a line about a job that is held, or about a submission; of too many, no more."""
        if kind in transitions.TRANSITIONS or len(kind) > 16:
            raise InputError(f"a line of log can't be of kind {kind!r}; expected `log`")

        def work(connection: Connection) -> None:
            if isinstance(subject, str):
                own = asking.locked(connection, subject)
                transitions.add_line(connection, own, kind, text)
            else:
                job = losing.held(connection, subject)
                transitions.add_line(connection, job, kind, text, attempt=job.attempt)

        writing.commit(self.engine, work)

    def events(
        self, submission_key: str, *, after: int = 0, limit: int = 500
    ) -> tuple[StoredEvent, ...]:
        """Up to `limit` of the submission's events with larger ids, in their order."""
        with reading(self.engine) as connection:
            return asking.read_events(connection, submission_key, after, limit)

    def workers(self, *, stopped: bool = False) -> tuple[StoredWorker, ...]:
        """The workers that are alive, as far as is known, or all that are remembered."""
        with reading(self.engine) as connection:
            return losing.read_workers(connection, stopped=stopped)

    def enlist(self, worker: str, executor: str, facts: Mapping[str, Any]) -> None:
        """Say that this worker takes jobs from now on."""
        writing.commit(
            self.engine, lambda connection: losing.enlist(connection, worker, executor, facts)
        )

    def dismiss(self, worker: str) -> None:
        """Say that this worker takes no more jobs; what it holds is not touched."""
        writing.commit(self.engine, lambda connection: losing.dismiss(connection, worker))

    def _move(self, lease: Lease, kind: str, text: str, **values: Any) -> None:
        def work(connection: Connection) -> None:
            job = losing.held(connection, lease)
            transitions.move(connection, [job], kind, text=text, **values)

        writing.commit(self.engine, work)

    def _change(
        self, key: str, job_ids: Iterable[int] | None, kind: str, **values: Any
    ) -> tuple[StoredJob, ...]:
        """Make a transition for jobs of a submission, as far as they are where it begins."""
        ids, leaving = None if job_ids is None else tuple(job_ids), values.pop("leaving", ())

        def work(connection: Connection) -> tuple[StoredJob, ...]:
            asking.locked(connection, key, live=kind == "rerun")
            movable = set(transitions.TRANSITIONS[kind].sources) - set(leaving)
            jobs = asking.own_jobs(connection, key, ids, movable)
            if jobs:
                transitions.move(connection, jobs, kind, **values)
            return asking.read_jobs(connection, Job.id.in_([job.id for job in jobs]))

        return writing.commit(self.engine, work)

    def _anything(self) -> bool:
        with reading(self.engine) as connection:
            return claiming.anything(connection)

    def _one(self, connection: Connection, job_id: int) -> StoredJob:
        found = asking.read_jobs(connection, Job.id == job_id)
        if not found:
            raise UnknownNameError(f"there is no job {job_id}")
        return found[0]
