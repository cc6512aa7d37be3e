"""Databases as a whole: what is in one, and its rows moved into another, of either kind.

Rows are read in one snapshot of the source, in the order of their ids, and written in one
transaction on the target, which reads them back before it commits: a move that is killed, or that
does not arrive as it left, has moved nothing.
"""

import hashlib
import json
import logging
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, text, update
from sqlalchemy import Table as SqlTable

from ..errors import StoreError
from . import service
from .opening import (
    check_schema,
    newest_revision,
    open_engine,
    reading,
    schema_revision,
    upgrade_schema,
    writing,
)
from .schema import Revision, Table

log = logging.getLogger(__name__)

WATCHED_SECONDS: Final = 5.0
"""How long running jobs are watched before they are overwritten; holders beat every 2 seconds."""

_BATCH: Final = 1000
_GONE_ANYWAY: Final = ("revision",)  # every database has its row from the start


@dataclass(frozen=True, kw_only=True)
class TableFacts:
    """How many rows a table holds, and the SHA-256 of all of them in the order of their ids."""

    rows: int
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class DatabaseFacts:
    """A database at one moment: `schema` is None where it was never used, `rows` are by table.

    With an older schema than that of this isocortex, rows and data version are not told.
    """

    url: str
    kind: str
    schema: str | None
    data_version: str | None
    bytes: int
    rows: Mapping[str, int]


def database_facts(engine: Engine) -> DatabaseFacts:
    """What is in the database. Raises StoreError if it is newer than this isocortex."""
    schema = schema_revision(engine)
    current = schema == newest_revision()
    with reading(engine) as connection:
        return DatabaseFacts(
            url=engine.url.render_as_string(hide_password=True),
            kind=engine.dialect.name,
            schema=schema,
            data_version=_data_version(connection) if current else None,
            bytes=_size(connection),
            rows=row_counts(connection) if current else {},
        )


def move_database(source_url: str, target_url: str) -> Mapping[str, TableFacts]:
    """What was moved, by table, from one database into another that is empty.

    The source stays as it is. Raises StoreError unless both have the newest schema (the target is
    given it), the target is empty, and every row arrived.
    """
    source, target = open_engine(source_url), open_engine(target_url)
    try:
        check_schema(source)
        upgrade_schema(target)
        return replace_rows(source, target)
    finally:
        source.dispose()
        target.dispose()


def replace_rows(
    source: Engine, target: Engine, *, force: bool = False
) -> Mapping[str, TableFacts]:
    """What the target holds now, by table: all rows of the source, and no other.

    With `force` the rows that it held before are gone; without it, any is an error. The target has
    another identity than the source, so that no reader takes one for the other. Raises StoreError.
    """
    if force:
        require_idle(target)
    with reading(source) as origin, writing(target) as goal:
        _lock(goal)
        if not force:
            _require_empty(goal)
        _delete_all(goal)
        moved = {table.name: _copy(origin, goal, table) for table in _tables()}
        _require_arrived(goal, moved)
        goal.execute(update(Revision).values(identity=uuid.uuid4().hex))
        _set_sequences(goal)
    log.info("moved %s rows", sum(facts.rows for facts in moved.values()))
    return moved


def row_counts(connection: Connection) -> dict[str, int]:
    """How many rows each table has."""
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in _tables()
    }


def table_facts(connection: Connection, table: SqlTable) -> TableFacts:
    """Count and fingerprint of a table's rows, equal in every database that holds the same."""
    digest, count = hashlib.sha256(), 0
    for batch in _batches(connection, table):
        count += len(batch)
        _update(digest, batch)
    return TableFacts(rows=count, fingerprint=digest.hexdigest())


def require_idle(engine: Engine) -> None:
    """Raise StoreError if a worker is at work on the jobs of this database.

    Where no job is `running`, nothing is waited for; else beats are watched for a while.
    """
    before = _beats(engine)
    deadline = time.monotonic() + WATCHED_SECONDS
    while before and time.monotonic() < deadline:
        time.sleep(WATCHED_SECONDS / 10)
        if moved := [job for job, beat in _beats(engine).items() if before.get(job, beat) != beat]:
            raise StoreError(
                f"workers are at work in the database that would be replaced (job {moved[0]}): "
                "stop `isocortex serve` and all workers first, or their scores would be lost"
            )


def _tables() -> Sequence[SqlTable]:
    """All tables, each after those that it refers to."""
    return Table.metadata.sorted_tables


def _copy(origin: Connection, goal: Connection, table: SqlTable) -> TableFacts:
    digest, count = hashlib.sha256(), 0
    for batch in _batches(origin, table):
        goal.execute(insert(table), [dict(row._mapping) for row in batch])
        count += len(batch)
        _update(digest, batch)
    return TableFacts(rows=count, fingerprint=digest.hexdigest())


def _batches(connection: Connection, table: SqlTable) -> Iterator[Sequence[Row[Any]]]:
    ordered = select(table).order_by(table.c.id).execution_options(yield_per=_BATCH)
    yield from connection.execute(ordered).partitions()


def _update(digest: Any, batch: Sequence[Row[Any]]) -> None:
    for row in batch:
        digest.update(json.dumps(list(row), sort_keys=True, default=_plain).encode() + b"\n")


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise StoreError(f"a row holds {value!r}, which is not moved by this isocortex")


def _require_arrived(connection: Connection, expected: Mapping[str, TableFacts]) -> None:
    for table in _tables():
        found, wanted = table_facts(connection, table), expected[table.name]
        if found != wanted:
            raise StoreError(
                f"table {table.name} did not arrive as it left: {wanted.rows:,} rows "
                f"({wanted.fingerprint[:12]}) were written, {found.rows:,} "
                f"({found.fingerprint[:12]}) are read back; nothing was changed"
            )


def _require_empty(connection: Connection) -> None:
    counts = {name: n for name, n in row_counts(connection).items() if name not in _GONE_ANYWAY}
    if held := sum(counts.values()):
        largest = max(counts, key=lambda name: counts[name])
        raise StoreError(
            f"the database is not empty: it holds {held:,} rows, most of them in {largest}. Name "
            "an empty database, or replace all that it holds with --force (`db restore`)"
        )


def _delete_all(connection: Connection) -> None:
    for table in reversed(_tables()):
        connection.execute(delete(table))


def _lock(connection: Connection) -> None:
    """Keep other writers out until the end; SQLite has but one, and that is this one."""
    if connection.dialect.name == "postgresql":
        names = ", ".join(f'"{table.name}"' for table in _tables())
        connection.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))


def _set_sequences(connection: Connection) -> None:
    """Let the next row of each table follow the largest id; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in _tables():
        largest = connection.scalar(select(func.max(table.c.id)))
        sequence = func.pg_get_serial_sequence(f'"{table.name}"', "id")
        connection.execute(select(func.setval(sequence, largest or 1, largest is not None)))


def _beats(engine: Engine) -> dict[int, int]:
    job = service.Job
    with reading(engine) as connection:
        running = select(job.id, job.beat).where(job.state == "running")
        return {row.id: row.beat for row in connection.execute(running)}


def _data_version(connection: Connection) -> str:
    row = connection.execute(select(Revision.identity, Revision.number)).one()
    return f"{row.identity[:12]}-{row.number}"


def _size(connection: Connection) -> int:
    """The bytes that the database takes on disk."""
    if connection.dialect.name == "postgresql":
        size = text("SELECT pg_database_size(current_database())")
        return int(connection.execute(size).scalar_one())
    pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    return int(pages) * int(connection.execute(text("PRAGMA page_size")).scalar_one())
