"""Frozen leaderboards: which versions of benchmarks, what each weighs, and up to which score."""

from collections.abc import Mapping

from sqlalchemy import Connection, Row, insert, select, update

from ..errors import InputError, UnknownNameError
from .records import FrozenBoard, Leaderboard
from .schema import Revision
from .service import FrozenLeaderboard as Table


def freeze(connection: Connection, name: str, summary: str, board: Leaderboard) -> None:
    """Keep this leaderboard as it is. Raises InputError if its name is taken, or it is empty."""
    if "\0" in summary:  # which SQLite would keep, and PostgreSQL not
        raise InputError("the summary holds NUL; write it without")
    if connection.scalar(select(Table.id).where(Table.name == name)) is not None:
        raise InputError(
            f"there is a frozen leaderboard {name!r}; none ever changes: choose another name"
        )
    if not board.counted:
        raise InputError("no benchmark with a ceiling has scores here; there is nothing to freeze")
    ids = board.columns.scores["id"]
    weights = {
        one.name: {"fingerprint": one.fingerprint, "weight": board.weights.get(one.name, 0.0)}
        for one in board.benchmarks
    }
    connection.execute(
        insert(Table).values(
            name=name,
            summary=summary,
            simulated=board.simulated,
            weights=weights,
            last_score_id=int(ids.max(initial=0)),
        )
    )
    connection.execute(update(Revision).values(number=Revision.number + 1))


def read_frozen(connection: Connection, name: str | None = None) -> tuple[FrozenBoard, ...]:
    """All frozen leaderboards, newest first, or the one of that name. Raises UnknownNameError."""
    rows = connection.execute(select(Table.__table__).order_by(Table.id.desc()))
    found = {row.name: _frozen(row) for row in rows}
    if name is None:
        return tuple(found.values())
    if name not in found:
        raise UnknownNameError.among("frozen leaderboard", name, found)
    return (found[name],)


def _frozen(row: Row[tuple[object, ...]]) -> FrozenBoard:
    weights: Mapping[str, Mapping[str, object]] = row.weights
    return FrozenBoard(
        name=row.name,
        summary=row.summary,
        simulated=row.simulated,
        weights={name: float(str(facts["weight"])) for name, facts in weights.items()},
        versions={name: str(facts["fingerprint"]) for name, facts in weights.items()},
        last_score_id=row.last_score_id,
        created_at=row.created_at,
    )
