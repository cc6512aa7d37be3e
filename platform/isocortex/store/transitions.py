"""The state machine of jobs: each transition has a name, and writes an event of that name.

           started            done, failed, dead
    queued ───────▶ running ───────────────────────▶ done, failed, dead ─┐
      ▲ ▲ │            │ │                                               │
      │ │ └─ cancelled │ └── cancelled ─────────────▶ cancelled ─────────┤
      │ └──────────────┘ released, retried, lapsed                       │
      └──────────────────────────────────────────────────────── rerun ───┘

Whoever changes a job, or adds an event, first locks its submission. So events of one submission are
committed in the order of their ids, and whoever follows them misses none.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, tuple_, update

from ..errors import InputError, LeaseLostError
from .schema import now
from .service import Event, Job, Submission

State = Literal["queued", "running", "done", "failed", "dead", "cancelled"]

STATES: Final[tuple[State, ...]] = get_args(State)
ENDED: Final[tuple[State, ...]] = ("done", "failed", "dead", "cancelled")
LONGEST_TEXT: Final = 2_000
MOST_LOGGED: Final = 200
"""How many lines of log one attempt may leave, and one submission besides."""


@dataclass(frozen=True)
class Transition:
    """From which states to which one; None stands for a job that is not there yet."""

    sources: tuple[State | None, ...]
    target: State


TRANSITIONS: Final[Mapping[str, Transition]] = {
    "queued": Transition((None,), "queued"),
    "started": Transition(("queued",), "running"),
    "done": Transition(("running",), "done"),
    "failed": Transition(("running",), "failed"),
    "dead": Transition(("running",), "dead"),
    "released": Transition(("running",), "queued"),
    "retried": Transition(("running",), "queued"),
    "lapsed": Transition(("running",), "queued"),
    "cancelled": Transition(("queued", "running"), "cancelled"),
    "rerun": Transition(ENDED, "queued"),
}
"""Every transition by name. Events of other kinds (`log`, `priority`) change no state."""


def follow(kinds: Iterable[str]) -> State | None:
    """The state of a job after events of these kinds; raises InputError for an illegal path.

    >>> follow(["queued", "started", "log", "lapsed", "started", "done"])
    'done'
    """
    state: State | None = None
    for kind in kinds:
        transition = TRANSITIONS.get(kind)
        if transition is None:
            continue
        if state not in transition.sources:
            raise InputError(f"a job that is {state} can't become {transition.target} by {kind!r}")
        state = transition.target
    return state


def locked_jobs(connection: Connection, *conditions: ColumnElement[bool]) -> Sequence[Row[Any]]:
    """The jobs under these conditions; until the transaction ends, nobody else changes them."""
    theirs = select(Job.submission_id).where(*conditions)
    _lock(connection, Submission.id.in_(theirs))
    return connection.execute(select(Job.__table__).where(*conditions).order_by(Job.id)).all()


def locked_submission(connection: Connection, key: str) -> Row[Any] | None:
    """The submission of that key, if there is one, locked like its jobs."""
    _lock(connection, Submission.key == key)
    query = select(Submission.__table__).where(Submission.key == key)
    return connection.execute(query).one_or_none()


def move(
    connection: Connection, jobs: Sequence[Row[Any]], kind: str, *, text: str, **values: Any
) -> None:
    """Make the transition for locked jobs, and write its events; `values` are other columns.

    Whoever takes a job begins another attempt. Raises LeaseLostError if one of them is not, or not
    in that attempt, where the transition begins.
    """
    transition, taken = TRANSITIONS[kind], int(kind == "started")
    ended = {"finished_at": now()} if transition.target in ENDED else {}
    values = {"state": transition.target, "attempt": Job.attempt + taken, **ended, **values}
    attempts = [(job.id, job.attempt) for job in jobs]
    moved = connection.execute(
        update(Job)
        .where(tuple_(Job.id, Job.attempt).in_(attempts), Job.state.in_(transition.sources))
        .values(**values)
    )
    if moved.rowcount != len(jobs):
        raise lease_lost(jobs[0].id)
    add_events(connection, jobs, kind, text=text, taken=taken)


def lease_lost(job_id: int) -> LeaseLostError:
    """The error for a worker that holds a job no longer."""
    return LeaseLostError(
        f"job {job_id} was cancelled or given to another worker; what was computed is not kept"
    )


def add_line(
    connection: Connection, subject: Row[Any], kind: str, text: str, *, attempt: int | None = None
) -> None:
    """Write a line of log about a locked job or submission; of too many, that there were more."""
    job_id, submission_id = _ids(subject)
    own = (
        Event.submission_id == submission_id,
        Event.job_id == job_id,
        Event.attempt == attempt,
        Event.kind.not_in(TRANSITIONS),
    )
    lines = connection.scalar(select(func.count(Event.id)).where(*own)) or 0
    if lines == MOST_LOGGED - 1:
        text = f"{lines} lines were logged; further ones are left out"
    if lines < MOST_LOGGED:
        row = {"submission_id": submission_id, "job_id": job_id, "attempt": attempt}
        connection.execute(insert(Event).values(**row, kind=kind, text=plain_text(text)))


def add_events(
    connection: Connection, jobs: Sequence[Row[Any]], kind: str, *, text: str, taken: int = 0
) -> None:
    """Write an event about each of these locked jobs; `taken` is added to their attempts."""
    shared = {"kind": kind, "text": plain_text(text)}
    rows = [
        {"submission_id": job.submission_id, "job_id": job.id, "attempt": job.attempt + taken}
        | shared
        for job in jobs
    ]
    if rows:
        connection.execute(insert(Event), rows)


def plain_text(text: str) -> str:
    """The text without control characters (PostgreSQL refuses NUL, terminals obey the rest)."""
    cleaned = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", "�", text)
    return cleaned if len(cleaned) <= LONGEST_TEXT else cleaned[: LONGEST_TEXT - 1] + "…"


def _lock(connection: Connection, condition: ColumnElement[bool]) -> None:
    # In order of their ids, so that two transactions never wait for each other.
    rows = select(Submission.id).where(condition).order_by(Submission.id)
    connection.execute(rows.with_for_update(key_share=True)).all()


def _ids(subject: Row[Any]) -> tuple[int | None, int]:
    """The ids of job and submission, of a row of either."""
    # Not by "submission_id": to SQLAlchemy that is also the column `id` of the table `submission`.
    if "benchmark" in subject._mapping:
        return subject.id, subject.submission_id
    return None, subject.id
