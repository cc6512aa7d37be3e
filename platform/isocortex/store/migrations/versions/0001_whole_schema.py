"""The whole schema, as `isocortex.store.schema` draws it.

Names of constraints follow the naming convention of `Table.metadata`.
"""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

CREATED = (
    *("component", "dataset", "scorer", "candidate", "benchmark", "environment", "revision"),
    *("dataset_version", "scorer_version", "candidate_version", "benchmark_version"),
    *("run", "score", "score_slice"),
)


def upgrade() -> None:
    """Create all tables, and give the database its identity."""
    for name in ("dataset", "scorer", "candidate", "benchmark"):
        op.create_table(name, _id(), sa.Column("name", sa.String(255), nullable=False, unique=True))
    _create_single_tables()
    _create_versions_of_data()
    _create_versions_of_candidates()
    _create_benchmark_versions()
    _create_runs()
    _create_scores()


def downgrade() -> None:
    """Drop all tables, with every score in them."""
    for name in reversed(CREATED):
        op.drop_table(name)


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True)


def _fingerprint() -> sa.Column[str]:
    return sa.Column("fingerprint", sa.String(64), nullable=False, unique=True)


def _to(table: str, name: str = "", *, index: bool = False) -> sa.Column[int]:
    """A column that refers to a row of `table`."""
    key = sa.ForeignKey(f"{table}.id")
    return sa.Column(name or f"{table}_id", sa.Integer, key, nullable=False, index=index)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.JSON, nullable=False)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _create_single_tables() -> None:
    op.create_table(
        "component",
        _id(),
        sa.Column("axis", sa.String(32), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("parent", sa.String(64)),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        _json("properties"),
        sa.UniqueConstraint("axis", "name"),
    )
    op.create_table("environment", _id(), _fingerprint(), _json("facts"))
    revision_table = op.create_table(
        "revision",
        _id(),
        sa.Column("identity", sa.String(32), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(revision_table, [{"id": 1, "identity": uuid.uuid4().hex, "number": 0}])


def _create_versions_of_data() -> None:
    op.create_table(
        "dataset_version",
        _id(),
        _to("dataset"),
        sa.Column("card_version", sa.Integer, nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        _json("card"),
        sa.Column("simulated", sa.Boolean, nullable=False),
        _moment("created_at"),
        sa.UniqueConstraint("dataset_id", "card_version", "content_hash"),
    )
    op.create_table(
        "scorer_version",
        _id(),
        _to("scorer"),
        _fingerprint(),
        _json("options"),
        _json("card"),
        _moment("created_at"),
    )


def _create_versions_of_candidates() -> None:
    op.create_table(
        "candidate_version",
        _id(),
        _to("candidate", index=True),
        _fingerprint(),
        _json("card"),
        sa.Column("weights_hash", sa.String(64), nullable=False),
        sa.Column("parameters", sa.BigInteger, nullable=False),
        sa.Column("seed", sa.BigInteger),
        _json("layers"),
        _to("component", "architecture_id"),
        _to("component", "objective_id"),
        _to("component", "learning_rule_id"),
        _to("component", "diet_id"),
        _moment("created_at"),
    )


def _create_benchmark_versions() -> None:
    op.create_table(
        "benchmark_version",
        _id(),
        _to("benchmark", index=True),
        _fingerprint(),
        _to("dataset_version"),
        _to("scorer_version"),
        sa.Column("region", sa.String(255), nullable=False),
        _json("protocol"),
        sa.Column("normalisation", sa.String(32), nullable=False),
        _moment("created_at"),
    )


def _create_runs() -> None:
    op.create_table(
        "run",
        _id(),
        _to("candidate_version"),
        _to("benchmark_version"),
        _to("environment"),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("seed", sa.BigInteger),
        sa.Column("state", sa.String(8), nullable=False),
        _moment("started_at"),
        _moment("finished_at", nullable=True),
        sa.Column("seconds", sa.Double),
        sa.Column("error", sa.Text),
        sa.UniqueConstraint("candidate_version_id", "benchmark_version_id", "attempt"),
        sa.CheckConstraint("state in ('running', 'done', 'failed')", name="state"),
    )


def _create_scores() -> None:
    needed, optional = ("raw", "low", "high", "confidence"), ("ceiling_lower", "ceiling_upper")
    op.create_table(
        "score",
        _id(),
        sa.Column("run_id", sa.Integer, sa.ForeignKey("run.id"), nullable=False, unique=True),
        _to("candidate_version"),
        _to("benchmark_version"),
        sa.Column("is_current", sa.Boolean, nullable=False),
        *(sa.Column(name, sa.Double, nullable=False) for name in needed),
        *(sa.Column(name, sa.Double) for name in (*optional, "value", "value_low", "value_high")),
        sa.Column("layer", sa.Text, nullable=False),
        _json("resampled"),
        _json("counts"),
        sa.Column("detail", sa.String(64), nullable=False),
        _moment("created_at"),
    )
    pair = ["candidate_version_id", "benchmark_version_id"]
    _index_current("one_current_score", pair, unique=True)
    _index_current("scores_of_a_benchmark", pair[::-1], unique=False)
    op.create_table(
        "score_slice",
        _id(),
        _to("score"),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Double),
        sa.UniqueConstraint("score_id", "kind", "position"),
        sa.CheckConstraint("kind in ('layer', 'subject', 'fold')", name="kind"),
    )


def _index_current(name: str, columns: list[str], *, unique: bool) -> None:
    """Index these columns of the current scores only."""
    current = sa.text("is_current")
    op.create_index(
        name, "score", columns, unique=unique, sqlite_where=current, postgresql_where=current
    )
