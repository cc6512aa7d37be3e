"""Rows in every table, made from the tables themselves: a new table is filled as well."""

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Engine,
    Integer,
    Table,
    func,
    insert,
    select,
)
from sqlalchemy.types import Float, TypeDecorator

from isocortex.store import opening, schema, service  # noqa: F401 - its tables are filled, too

ROWS = 3
"""Rows of each table. Every nullable column is null in the last of them."""

NUMBERS = (0.1 + 0.2, -5e-324, 1e308)
TEXTS = ("ß'\"; -- 脳\n", "🧠" * 3, "\\N\t")
DOCUMENTS = ({"a": [1, None, 0.1], "ü": {"b": "\u2028"}}, {}, {"big": 2**53 + 1})
MOMENT = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)


def fill_tables(engine: Engine, *, only: Collection[str] = ()) -> None:
    """Fill all tables, or those named; each row refers to the row of its number."""
    with opening.writing(engine) as connection:
        for table in schema.Table.metadata.sorted_tables:
            if table.name != "revision" and (not only or table.name in only):
                for number in range(ROWS):
                    connection.execute(insert(table).values(made_row(table, number)))


def rows_of(engine: Engine, name: str) -> list[tuple[Any, ...]]:
    """All rows of a table, by id."""
    table = schema.Table.metadata.tables[name]
    with opening.reading(engine) as connection:
        return [tuple(row) for row in connection.execute(select(table).order_by(table.c.id))]


def largest_id(connection: Connection, name: str) -> int:
    return connection.scalar(select(func.max(schema.Table.metadata.tables[name].c.id))) or 0


def made_row(table: Table, number: int) -> dict[str, Any]:
    """Ids are 10, 20, 30: there are gaps, and the next one is not the count of rows plus one."""
    return {column.name: _value(table, column, number) for column in table.columns}


def _value(table: Table, column: Column[Any], number: int) -> Any:
    if column.name == "id" or column.foreign_keys:
        needed = not column.nullable or number < ROWS - 1
        return 10 * (number + 1) if needed else None
    if column.nullable and number == ROWS - 1:
        return None
    return _allowed(table, column, number) or _of_type(column, number)


def _allowed(table: Table, column: Column[Any], number: int) -> str | None:
    """What a check on this column allows."""
    for check in table.constraints:
        if isinstance(check, CheckConstraint) and f"{check.sqltext}".startswith(f"{column.name} "):
            values = re.findall("'(.*?)'", str(check.sqltext))
            return values[number % len(values)]
    return None


def _of_type(column: Column[Any], number: int) -> Any:
    kind = column.type
    if isinstance(kind, TypeDecorator):
        return MOMENT + timedelta(days=100 * number)
    if isinstance(kind, JSON):
        return DOCUMENTS[number]
    if isinstance(kind, Boolean):
        return number == 0
    if isinstance(kind, Integer):
        return 2**62 + number if kind.__class__.__name__ == "BigInteger" else number + 1
    if isinstance(kind, Float):
        return NUMBERS[number]
    length = getattr(kind, "length", None)
    name = "name" if column.name == "model" else column.name  # a candidate's, of a submission
    text = f"{number}{name}{TEXTS[number]}"
    return text if length is None else text[:length]
