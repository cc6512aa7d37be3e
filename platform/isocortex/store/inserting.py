"""Rows that are written only where there is none yet."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from .schema import Table


def insert_if_absent(connection: Connection, table: type[Table], row: Mapping[str, Any]) -> bool:
    """Whether the row was written; a unique index of the table that has it already refuses it."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(**row).on_conflict_do_nothing()
    # The row count of such a statement is not the same thing to all drivers.
    return connection.execute(statement.returning(table.id)).first() is not None
