"""The queries of submissions and uploads, each within one transaction of its caller."""

from dataclasses import fields
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Exists,
    Row,
    Select,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from ..errors import InputError, QuotaError, UnknownNameError
from . import owning
from .keys import new_key
from .schema import now
from .service import Account, Blob, Event, Job, Submission, Upload
from .submitted import CheckedSubmission, StoredSubmission, StoredUpload, Usage

_UNFINISHED = ("queued", "running")


def all_submissions() -> Select[Any]:
    """The query of all submissions, for `stored_submission`."""
    own = StoredSubmission.__dataclass_fields__.keys() - {"account"}
    columns = (Submission.__table__.c[name] for name in sorted(own))
    return select(*columns, Account.name.label("account")).join_from(
        Submission, Account, Submission.account_id == Account.id
    )


def stored_submission(row: Row[Any]) -> StoredSubmission:
    """The submission of a row."""
    return StoredSubmission(**row._mapping)


def found_submission(connection: Connection, key: str) -> StoredSubmission:
    """The submission of that key. Raises UnknownNameError."""
    row = connection.execute(all_submissions().where(Submission.key == key)).one_or_none()
    if row is None:
        raise unknown("submission", key)
    return stored_submission(row)


def place_of(connection: Connection, account_id: int, key: str) -> int:
    """The id of the account's submission of that key, withdrawn or not. Raises InputError."""
    own = (Submission.key == key, Submission.account_id == account_id)
    found = connection.scalar(select(Submission.id).where(*own))
    if found is None:
        raise InputError(f"no page of submissions ends at {key!r}; begin with the first one")
    return found


def same_content(
    connection: Connection, account_id: int, content_hash: str
) -> StoredSubmission | None:
    """The account's submission of that content, if it has one that is not withdrawn."""
    query = all_submissions().where(
        Submission.account_id == account_id,
        Submission.content_hash == content_hash,
        Submission.withdrawn_at.is_(None),
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else stored_submission(row)


def insert_submission(connection: Connection, account_id: int, checked: CheckedSubmission) -> str:
    """The key of a new row, the next version of its model."""
    account = connection.scalar(select(Account.name).where(Account.id == account_id))
    model = f"{account}/{checked.model}"
    of_model = (Submission.account_id == account_id, Submission.model == model)
    last = connection.scalar(select(func.max(Submission.version)).where(*of_model))
    kept = {name: getattr(checked, name) for name in ("kind", "visibility", "blob", "content_hash")}
    key = new_key()
    connection.execute(
        insert(Submission).values(
            **kept,
            key=key,
            account_id=account_id,
            model=model,
            version=(last or 0) + 1,
            card=dict(checked.card),
            source=dict(checked.source),
        )
    )
    return key


def end_jobs(connection: Connection, key: str) -> None:
    """Cancel what is queued or running of a withdrawn submission; its scores no longer count."""
    own = select(Submission.id).where(Submission.key == key).scalar_subquery()
    open_jobs = select(Job.id, Job.attempt).where(
        Job.submission_id == own, Job.state.in_(_UNFINISHED)
    )
    ended = connection.execute(open_jobs.with_for_update()).all()
    # Whoever still runs one holds an attempt of a row that is no longer running: nothing is kept.
    connection.execute(
        update(Job)
        .where(Job.id.in_([row.id for row in ended]), Job.state.in_(_UNFINISHED))
        .values(state="cancelled", finished_at=now())
    )
    submission_id = connection.execute(select(own)).scalar_one()
    for row in ended:
        connection.execute(
            insert(Event).values(
                submission_id=submission_id,
                job_id=row.id,
                attempt=row.attempt,
                kind="cancelled",
                text="the submission was withdrawn",
            )
        )
    owning.retire_scores(connection, submission_id)


def let_go(connection: Connection, submission: StoredSubmission) -> None:
    """Drop the account's upload of the file of a withdrawn submission, unless another needs it."""
    if submission.blob is None:
        return
    # Who submits the same file at this moment holds this lock: it is counted, or finds it gone.
    connection.execute(
        select(Account.id).where(Account.id == submission.account_id).with_for_update()
    )
    own = (Submission.account_id == submission.account_id, Submission.blob == submission.blob)
    if connection.scalar(select(exists().where(*own, Submission.withdrawn_at.is_(None)))):
        return
    connection.execute(
        delete(Upload).where(
            Upload.account_id == submission.account_id, Upload.sha256 == submission.blob
        )
    )


def stored_upload(row: Row[Any]) -> StoredUpload:
    """The upload of a row."""
    return StoredUpload(**{name: row._mapping[name] for name in StoredUpload.__dataclass_fields__})


def found_upload(connection: Connection, key: str) -> StoredUpload:
    """The upload of that key. Raises UnknownNameError."""
    row = connection.execute(select(Upload.__table__).where(Upload.key == key)).one_or_none()
    if row is None:
        raise unknown("upload", key)
    return stored_upload(row)


def begun_upload(connection: Connection, account_id: int, sha256: str) -> StoredUpload | None:
    """The account's upload of that file, finished or not, if it was begun."""
    query = select(Upload.__table__).where(Upload.account_id == account_id, Upload.sha256 == sha256)
    row = connection.execute(query.order_by(Upload.id).limit(1)).one_or_none()
    return None if row is None else stored_upload(row)


def ensure_blob(connection: Connection, upload: StoredUpload) -> None:
    """Make the row of the file that was uploaded, unless it is there."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    made = dialect.insert(Blob).values(sha256=upload.sha256, bytes=upload.bytes)
    connection.execute(made.on_conflict_do_nothing())


def may_use(connection: Connection, account_id: int, sha256: str) -> bool:
    """Whether the account finished an upload of that file."""
    held = exists().where(
        Upload.account_id == account_id,
        Upload.sha256 == sha256,
        Upload.finished_at.is_not(None),
    )
    return bool(connection.scalar(select(held)))


def is_used() -> Exists:
    """The condition that a live submission of an upload's account uses its file."""
    return exists().where(
        Submission.account_id == Upload.account_id,
        Submission.blob == Upload.sha256,
        Submission.withdrawn_at.is_(None),
    )


def blob_is_needed() -> ColumnElement[bool]:
    """The condition that somebody uploaded, or uploads, a blob, or that a job may read it yet."""
    unfinished = (Submission.blob == Blob.sha256, Job.state.in_(_UNFINISHED))
    return or_(
        exists().where(Upload.sha256 == Blob.sha256),
        exists().where(Job.submission_id == Submission.id, *unfinished),
    )


def read_usage(connection: Connection, account_id: int) -> Usage:
    """What the account has now."""
    uploads, jobs = Upload.account_id == account_id, Job.account_id == account_id
    unfinished = Job.state.in_(_UNFINISHED)
    queries = {
        "stored_bytes": select(func.coalesce(func.sum(Upload.bytes), 0)).where(uploads),
        "unfinished_uploads": select(func.count(Upload.id)).where(
            uploads, Upload.finished_at.is_(None)
        ),
        "open_submissions": select(func.count(Job.submission_id.distinct())).where(
            jobs, unfinished
        ),
        "queued_jobs": select(func.count(Job.id)).where(jobs, Job.state == "queued"),
    }
    found = {name: int(connection.scalar(query) or 0) for name, query in queries.items()}
    return Usage(**found)


_SHOWN = {
    "stored_bytes": "bytes of uploaded files",
    "unfinished_uploads": "unfinished uploads",
    "open_submissions": "submissions with unfinished jobs",
    "queued_jobs": "jobs in the queue",
}


def require_room(connection: Connection, account_id: int, asked: Usage, quotas: Usage) -> None:
    """Raise QuotaError, with all that is too much, if the account may not have what it asks for.

    Until the transaction ends, nobody else can ask for the same account.
    """
    locked = select(Account.role).where(Account.id == account_id).with_for_update()
    role = connection.scalar(locked)
    if role is None:
        raise unknown("account", str(account_id))
    usage, faults = read_usage(connection, account_id), []
    for name in (field.name for field in fields(Usage)):
        has, more, most = (getattr(each, name) for each in (usage, asked, quotas))
        if more and has + more > most:
            faults.append(f"{more:,} more {_SHOWN[name]} than the {has:,} you have, of {most:,}")
    if faults and role != "admin":
        raise QuotaError(
            f"too much at a time: {'; '.join(faults)}. Wait until jobs have ended, or withdraw "
            "what is no longer needed"
        )


def require_same_size(upload: StoredUpload, size: int) -> None:
    """Raise InputError if the upload was begun with another size."""
    if upload.bytes != size:
        raise InputError(
            f"the upload of SHA-256 {upload.sha256} was begun with {upload.bytes:,} bytes, now it "
            f"is {size:,}: one of the two is another file"
        )


def unknown(kind: str, key: str) -> UnknownNameError:
    """The error for a key that is not there; others are not suggested, they may be anybody's."""
    return UnknownNameError(f"there is no {kind} {key!r}, or it is not yours to see")
