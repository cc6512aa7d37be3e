"""The tables of the service: who may do what, what they submitted, and what is to be done.

    account ──┬── identity (of another provider) ── session ── token
              ├── upload ── blob (a file by its SHA-256)
              └── submission ──┬── job ── score
                               ├── event
                               └── ownership ── score
    audit    worker    webhook    frozen_leaderboard    remembered_answer

A `job` is one submission on one benchmark, and the truth about it. `attempt` is its fencing token:
it grows whenever a worker takes the job, and whoever holds an older one can't change the row.
`beat` is its lease: the holder counts it up, and a job whose beat stands still is taken away.
`turn` grows from claim to claim: the account whose turn was longest ago is served next.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.schema import UniqueConstraint

from .schema import FINGERPRINT, NAME, Table, now

KEY = String(26)
VISIBILITY = "visibility in ('public', 'unlisted', 'private')"


class Account(Table):
    """Someone who may submit; without a password hash, only through another provider."""

    __tablename__ = "account"
    __table_args__ = (CheckConstraint("role in ('user', 'trusted', 'admin')", name="role"),)

    name: Mapped[str] = mapped_column(String(40), unique=True)
    email: Mapped[str | None] = mapped_column(NAME)
    password_hash: Mapped[str | None] = mapped_column(Text)
    role: Mapped[str] = mapped_column(String(8), default="user")
    created_at: Mapped[datetime] = mapped_column(default=now)
    disabled_at: Mapped[datetime | None]


class Identity(Table):
    """What another provider (GitHub, ORCID) calls the holder of an account."""

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("provider", "subject"),)

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    provider: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(NAME)


class Session(Table):
    """A signed-in browser. Only the SHA-256 of its cookie is kept."""

    __tablename__ = "session"

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    secret_hash: Mapped[str] = mapped_column(FINGERPRINT, unique=True)
    csrf: Mapped[str] = mapped_column(FINGERPRINT)
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]


class Token(Table):
    """A program's key to the API. Only its SHA-256 is kept, and `prefix` to tell it by."""

    __tablename__ = "token"

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    label: Mapped[str] = mapped_column(NAME)
    prefix: Mapped[str] = mapped_column(String(16))
    secret_hash: Mapped[str] = mapped_column(FINGERPRINT, unique=True)
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Audit(Table):
    """Who did what to which thing; rows are only ever added."""

    __tablename__ = "audit"

    at: Mapped[datetime] = mapped_column(default=now, index=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    action: Mapped[str] = mapped_column(String(64))
    target: Mapped[str] = mapped_column(NAME)
    address: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[dict[str, Any]]


class Blob(Table):
    """A file that was uploaded whole, by its content."""

    __tablename__ = "blob"

    sha256: Mapped[str] = mapped_column(FINGERPRINT, unique=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Upload(Table):
    """An account's upload of one file; once finished, it is what lets the account use the blob."""

    __tablename__ = "upload"

    key: Mapped[str] = mapped_column(KEY, unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    sha256: Mapped[str] = mapped_column(FINGERPRINT, index=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]


class Submission(Table):
    """A model that someone asks to have scored. It was checked before this row was written."""

    __tablename__ = "submission"
    __table_args__ = (
        CheckConstraint("kind in ('activations', 'weights', 'onnx', 'hub', 'plugin')", name="kind"),
        CheckConstraint(VISIBILITY, name="visibility"),
        UniqueConstraint("account_id", "model", "version"),
        Index(
            "one_submission_of_a_content",
            "account_id",
            "content_hash",
            unique=True,
            sqlite_where=text("withdrawn_at is null"),
            postgresql_where=text("withdrawn_at is null"),
        ),
    )

    key: Mapped[str] = mapped_column(KEY, unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    model: Mapped[str] = mapped_column(NAME)
    version: Mapped[int]
    kind: Mapped[str] = mapped_column(String(12))
    visibility: Mapped[str] = mapped_column(String(8))
    card: Mapped[dict[str, Any]]
    source: Mapped[dict[str, Any]]
    blob: Mapped[str | None] = mapped_column(FINGERPRINT)
    content_hash: Mapped[str] = mapped_column(FINGERPRINT)
    created_at: Mapped[datetime] = mapped_column(default=now)
    withdrawn_at: Mapped[datetime | None]


class Ownership(Table):
    """For which submission a score was made, or counts as well; rows are only ever added.

    A score is seen by whoever may see one of its submissions (`isocortex.store.sight`). What has no
    row here is nobody's, and public.
    """

    __tablename__ = "ownership"
    __table_args__ = (UniqueConstraint("score_id", "submission_id"),)

    score_id: Mapped[int] = mapped_column(ForeignKey("score.id"))
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"), index=True)


class Job(Table):
    """One submission on one benchmark."""

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint(
            "state in ('queued', 'running', 'done', 'failed', 'dead', 'cancelled')", name="state"
        ),
        UniqueConstraint("submission_id", "benchmark"),
        Index("jobs_of_an_account", "account_id", "turn"),
        Index(
            "jobs_to_do",
            "priority",
            "account_id",
            "id",
            sqlite_where=text("state = 'queued'"),
            postgresql_where=text("state = 'queued'"),
        ),
        Index(
            "jobs_being_done",
            "account_id",
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
    )

    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    benchmark: Mapped[str] = mapped_column(NAME)
    state: Mapped[str] = mapped_column(String(9), default="queued")
    priority: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[int] = mapped_column(default=0)
    tries: Mapped[int] = mapped_column(default=0)
    beat: Mapped[int] = mapped_column(BigInteger, default=0)
    turn: Mapped[int] = mapped_column(BigInteger, default=0)
    worker: Mapped[str | None] = mapped_column(NAME)
    progress: Mapped[dict[str, Any]]
    error: Mapped[str | None] = mapped_column(Text)
    score_id: Mapped[int | None] = mapped_column(ForeignKey("score.id"), index=True)
    queued_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    seconds: Mapped[float | None]
    peak_bytes: Mapped[int | None] = mapped_column(BigInteger)


class Event(Table):
    """What happened to a submission or one of its jobs, in order; rows are only ever added."""

    __tablename__ = "event"
    __table_args__ = (Index("events_of_a_submission", "submission_id", "id"),)

    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    attempt: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(default=now)
    kind: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)


class Worker(Table):
    """A process that takes jobs, as it last said of itself."""

    __tablename__ = "worker"

    name: Mapped[str] = mapped_column(NAME, unique=True)
    executor: Mapped[str] = mapped_column(String(16))
    facts: Mapped[dict[str, Any]]
    beat: Mapped[int] = mapped_column(BigInteger, default=0)
    started_at: Mapped[datetime] = mapped_column(default=now)
    stopped_at: Mapped[datetime | None]


class Webhook(Table):
    """An address that is told what happens to its owner's submissions, signed with `secret`."""

    __tablename__ = "webhook"

    key: Mapped[str] = mapped_column(KEY, unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    url: Mapped[str] = mapped_column(Text)
    secret: Mapped[str] = mapped_column(FINGERPRINT)
    last_event_id: Mapped[int] = mapped_column(BigInteger, default=0)
    failures: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=now)
    disabled_at: Mapped[datetime | None]


class FrozenLeaderboard(Table):
    """A leaderboard that stays: benchmark versions, the weight of each, and scores as of a time."""

    __tablename__ = "frozen_leaderboard"

    name: Mapped[str] = mapped_column(NAME, unique=True)
    summary: Mapped[str] = mapped_column(Text)
    simulated: Mapped[bool]
    weights: Mapped[dict[str, Any]]
    last_score_id: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(default=now)


class RememberedAnswer(Table):
    """What a request with an `Idempotency-Key` was answered, to be answered again."""

    __tablename__ = "remembered_answer"
    __table_args__ = (UniqueConstraint("account_id", "key"),)

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    key: Mapped[str] = mapped_column(NAME)
    request_hash: Mapped[str] = mapped_column(FINGERPRINT)
    status: Mapped[int | None]
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
