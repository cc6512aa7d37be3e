"""Scores belong to submissions: each version of a model is shown as it says itself.

Until now a model was shown as its newest version was, which hid the others or gave them away. What
was hidden stays hidden: if a model was shown to fewer than one of its versions says, that version
is shown to as few from now on.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SHOWN = ("private", "unlisted", "public")
RANK = (
    "case when withdrawn_at is not null or visibility = 'private' then 0 "
    "when visibility = 'unlisted' then 1 else 2 end"
)
UNOWNED = "not exists (select 1 from ownership where ownership.score_id = score.id)"


@dataclass(frozen=True)
class Owner:
    """Whose a model was, and how it was shown."""

    name: str
    candidate_id: int
    account_id: int
    visibility: str


def upgrade() -> None:
    """Let each score count for the submission whose job made it, or for the least visible one."""
    owners = _read_owners()
    for owner in owners.values():
        _hide(owner)
    op.drop_table("ownership")
    op.create_table(
        "ownership",
        sa.Column("id", sa.Integer, primary_key=True),
        _to("score"),
        _to("submission", index=True),
        sa.UniqueConstraint("score_id", "submission_id"),
    )
    _own(
        "select distinct score_id, submission_id from job where score_id is not null "
        "order by score_id, submission_id"
    )
    _own_the_rest(owners)


def downgrade() -> None:
    """Let each model be shown as the least visible of its versions, withdrawn ones included."""
    rows = _run(
        f"select candidate_id, account_id, min({RANK}) as place from ownership "
        "join submission on submission.id = ownership.submission_id "
        "join score on score.id = ownership.score_id "
        "join candidate_version on candidate_version.id = score.candidate_version_id "
        "group by candidate_id, account_id order by candidate_id, account_id"
    ).all()
    found = {
        row.candidate_id: {
            "candidate_id": row.candidate_id,
            "account_id": row.account_id,
            "visibility": SHOWN[row.place],
        }
        for row in rows
    }
    op.drop_table("ownership")
    table = op.create_table(
        "ownership",
        sa.Column("id", sa.Integer, primary_key=True),
        _to("candidate", unique=True),
        _to("account", index=True),
        sa.Column("visibility", sa.String(8), nullable=False),
        sa.CheckConstraint("visibility in ('public', 'unlisted', 'private')", name="visibility"),
    )
    op.bulk_insert(table, list(found.values()))


def _read_owners() -> dict[int, Owner]:
    """The owners of models, by the id of the candidate."""
    rows = _run(
        "select candidate.name, candidate_id, account_id, visibility from ownership "
        "join candidate on candidate.id = ownership.candidate_id order by candidate_id"
    )
    return {row.candidate_id: Owner(**row._mapping) for row in rows}


def _hide(owner: Owner) -> None:
    """Show the live versions of a model to no more than the model was shown to."""
    for wider in SHOWN[SHOWN.index(owner.visibility) + 1 :]:
        _run(
            "update submission set visibility = :visibility where account_id = :account_id "
            "and model = :name and withdrawn_at is null and visibility = :wider",
            visibility=owner.visibility,
            account_id=owner.account_id,
            name=owner.name,
            wider=wider,
        )


def _own_the_rest(owners: dict[int, Owner]) -> None:
    """Let scores that no job names, such as replaced ones, count for a submission as well.

    For one of the same version if there is one, of these for the least visible. Scores of somebody
    who submitted nothing count for a submission that says so, and is withdrawn.
    """
    versions = _run(
        "select distinct candidate_version_id, candidate_id from score "
        "join candidate_version on candidate_version.id = score.candidate_version_id "
        f"where {UNOWNED} order by candidate_version_id"
    ).all()
    for row in versions:
        owner, version = owners.get(row.candidate_id), int(row.candidate_version_id)
        if owner is not None:
            found = _least_visible(owner, version) or _least_visible(owner) or _recorded(owner)
            _own(
                f"select score.id, {int(found)} from score "
                f"where candidate_version_id = {version} and {UNOWNED} order by score.id"
            )


def _least_visible(owner: Owner, version: int | None = None) -> int | None:
    """The submission of a model, or of one version of it, that the fewest may see."""
    of_version = (
        "and exists (select 1 from ownership join score on score.id = ownership.score_id "
        "where ownership.submission_id = submission.id and candidate_version_id = :version) "
    )
    bound = {} if version is None else {"version": version}
    found: int | None = _run(
        "select id from submission where account_id = :account_id and model = :name "
        f"{of_version if bound else ''}order by {RANK}, id limit 1",
        account_id=owner.account_id,
        name=owner.name,
        **bound,
    ).scalar()
    return found


def _recorded(owner: Owner) -> int:
    """A withdrawn submission for scores of which nobody knows how they were handed in."""
    table = sa.table(
        "submission",
        *(sa.column(name) for name in ("id", "key", "account_id", "model", "version", "kind")),
        *(sa.column(name) for name in ("visibility", "content_hash")),
        *(sa.column(name, sa.JSON) for name in ("card", "source")),
        *(sa.column(name, sa.DateTime(timezone=True)) for name in ("created_at", "withdrawn_at")),
    )
    digest, moment = sha256(owner.name.encode()).hexdigest(), datetime.now(UTC)
    values: dict[str, Any] = {"account_id": owner.account_id, "model": owner.name, "version": 1}
    values |= {"key": digest[:26], "kind": "activations", "visibility": "private"}
    values |= {"content_hash": digest, "card": {}, "source": {}}
    values |= {"created_at": moment, "withdrawn_at": moment}
    op.get_bind().execute(table.insert().values(**values))
    return int(_run("select id from submission where key = :key", key=digest[:26]).scalar_one())


def _own(rows: str) -> None:
    _run(f"insert into ownership (score_id, submission_id) {rows}")


def _run(query: str, **values: object) -> sa.CursorResult[Any]:
    return op.get_bind().execute(sa.text(query), values)


def _to(table: str, *, unique: bool = False, index: bool = False) -> sa.Column[int]:
    key = sa.ForeignKey(f"{table}.id")
    return sa.Column(f"{table}_id", sa.Integer, key, nullable=False, unique=unique, index=index)
