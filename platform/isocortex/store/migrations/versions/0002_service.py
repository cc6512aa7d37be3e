"""The service: accounts, uploads, submissions, jobs, and who may see a candidate.

As `isocortex.store.service` draws it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

CREATED = (
    *("account", "blob", "worker", "frozen_leaderboard"),
    *("audit", "identity", "session", "token", "upload", "webhook", "remembered_answer"),
    *("submission", "ownership", "job", "event"),
)
VISIBILITY = "visibility in ('public', 'unlisted', 'private')"


def upgrade() -> None:
    """Create the tables of the service; what was scored before is nobody's, and public."""
    _create_accounts()
    _create_files()
    _create_submissions()
    _create_jobs()
    _create_readers()


def downgrade() -> None:
    """Drop the tables of the service; what was private is public then."""
    for name in reversed(CREATED):
        op.drop_table(name)


def _create_accounts() -> None:
    op.create_table(
        "account",
        _id(),
        _text("name", 40, unique=True),
        _text("email", 255, nullable=True),
        sa.Column("password_hash", sa.Text),
        _text("role", 8),
        _moment("created_at"),
        _moment("disabled_at", nullable=True),
        sa.CheckConstraint("role in ('user', 'trusted', 'admin')", name="role"),
    )
    op.create_table(
        "identity",
        _id(),
        _to("account", index=True),
        _text("provider", 32),
        _text("subject", 255),
        sa.UniqueConstraint("provider", "subject"),
    )
    op.create_table(
        "session",
        _id(),
        _to("account", index=True),
        _text("secret_hash", 64, unique=True),
        _text("csrf", 64),
        _moment("created_at"),
        _moment("expires_at"),
    )
    op.create_table(
        "token",
        _id(),
        _to("account", index=True),
        _text("label", 255),
        _text("prefix", 16),
        _text("secret_hash", 64, unique=True),
        _json("scopes"),
        _moment("created_at"),
        *(_moment(name, nullable=True) for name in ("expires_at", "last_used_at", "revoked_at")),
    )
    op.create_table(
        "audit",
        _id(),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
        _to("account", nullable=True),
        _text("action", 64),
        _text("target", 255),
        _text("address", 64, nullable=True),
        _json("detail"),
    )


def _create_files() -> None:
    op.create_table(
        "blob",
        _id(),
        _text("sha256", 64, unique=True),
        _large("bytes"),
        _moment("created_at"),
    )
    op.create_table(
        "upload",
        _id(),
        _text("key", 26, unique=True),
        _to("account", index=True),
        sa.Column("sha256", sa.String(64), nullable=False, index=True),
        _large("bytes"),
        _large("received"),
        _moment("created_at"),
        _moment("finished_at", nullable=True),
    )


def _create_submissions() -> None:
    op.create_table(
        "submission",
        _id(),
        _text("key", 26, unique=True),
        _to("account"),
        _text("model", 255),
        sa.Column("version", sa.Integer, nullable=False),
        _text("kind", 12),
        _text("visibility", 8),
        _json("card"),
        _json("source"),
        _text("blob", 64, nullable=True),
        _text("content_hash", 64),
        _moment("created_at"),
        _moment("withdrawn_at", nullable=True),
        sa.CheckConstraint(
            "kind in ('activations', 'weights', 'onnx', 'hub', 'plugin')", name="kind"
        ),
        sa.CheckConstraint(VISIBILITY, name="visibility"),
        sa.UniqueConstraint("account_id", "model", "version"),
    )
    pair = ["account_id", "content_hash"]
    _index_where("one_submission_of_a_content", "submission", pair, "withdrawn_at is null")
    op.create_table(
        "ownership",
        _id(),
        sa.Column(
            "candidate_id",
            sa.Integer,
            sa.ForeignKey("candidate.id"),
            nullable=False,
            unique=True,
        ),
        _to("account", index=True),
        _text("visibility", 8),
        sa.CheckConstraint(VISIBILITY, name="visibility"),
    )


def _create_jobs() -> None:
    op.create_table(
        "job",
        _id(),
        _to("submission"),
        _to("account"),
        _text("benchmark", 255),
        _text("state", 9),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("priority", "attempt", "tries")),
        *(_large(name) for name in ("beat", "turn")),
        _text("worker", 255, nullable=True),
        _json("progress"),
        sa.Column("error", sa.Text),
        _to("score", nullable=True, index=True),
        _moment("queued_at"),
        *(_moment(name, nullable=True) for name in ("started_at", "finished_at")),
        sa.Column("seconds", sa.Double),
        sa.Column("peak_bytes", sa.BigInteger),
        sa.CheckConstraint(
            "state in ('queued', 'running', 'done', 'failed', 'dead', 'cancelled')", name="state"
        ),
        sa.UniqueConstraint("submission_id", "benchmark"),
    )
    op.create_index("jobs_of_an_account", "job", ["account_id", "turn"])
    to_do = ["priority", "account_id", "id"]
    _index_where("jobs_to_do", "job", to_do, "state = 'queued'", unique=False)
    _index_where("jobs_being_done", "job", ["account_id"], "state = 'running'", unique=False)
    op.create_table(
        "event",
        _id(),
        _to("submission"),
        _to("job", nullable=True),
        sa.Column("attempt", sa.Integer),
        _moment("at"),
        _text("kind", 16),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("events_of_a_submission", "event", ["submission_id", "id"])
    op.create_table(
        "worker",
        _id(),
        _text("name", 255, unique=True),
        _text("executor", 16),
        _json("facts"),
        _large("beat"),
        _moment("started_at"),
        _moment("stopped_at", nullable=True),
    )


def _create_readers() -> None:
    """What serves those who read: webhooks, frozen leaderboards, remembered answers."""
    op.create_table(
        "webhook",
        _id(),
        _text("key", 26, unique=True),
        _to("account", index=True),
        sa.Column("url", sa.Text, nullable=False),
        _text("secret", 64),
        _large("last_event_id"),
        sa.Column("failures", sa.Integer, nullable=False),
        _moment("created_at"),
        _moment("disabled_at", nullable=True),
    )
    op.create_table(
        "frozen_leaderboard",
        _id(),
        _text("name", 255, unique=True),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("simulated", sa.Boolean, nullable=False),
        _json("weights"),
        _large("last_score_id"),
        _moment("created_at"),
    )
    op.create_table(
        "remembered_answer",
        _id(),
        _to("account"),
        _text("key", 255),
        _text("request_hash", 64),
        sa.Column("status", sa.Integer),
        _json("body"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.UniqueConstraint("account_id", "key"),
    )


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True)


def _to(table: str, *, nullable: bool = False, index: bool = False) -> sa.Column[int]:
    """A column that refers to a row of `table`."""
    key = sa.ForeignKey(f"{table}.id")
    return sa.Column(f"{table}_id", sa.Integer, key, nullable=nullable, index=index)


def _text(
    name: str, length: int, *, nullable: bool = False, unique: bool = False
) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=nullable, unique=unique)


def _large(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.JSON, nullable=False)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _index_where(
    name: str, table: str, columns: list[str], condition: str, *, unique: bool = True
) -> None:
    """Index these columns of the rows under this condition only."""
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)
