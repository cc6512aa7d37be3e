"""The data version, asked for by every request: on SQLite without the cost of a transaction."""

import sqlite3
import threading
from typing import Final

from sqlalchemy import Engine

from . import reading
from .opening import reading as transaction

_QUESTION: Final = "SELECT identity, number FROM revision"


class VersionWatch:
    """Asks for the data version again and again; may be shared by threads.

    `is_quick` says that it never waits, so that an event loop may ask.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._file = engine.url.database or ":memory:"
        self.is_quick: bool = engine.dialect.name == "sqlite" and self._file != ":memory:"

    def version(self) -> str:
        """What `Store.data_version` says. Raises StoreError if the database can't be read."""
        if self.is_quick:
            try:
                return self._quickly()
            except sqlite3.Error:
                self.close()  # the long way says what is wrong
        with transaction(self._engine) as connection:
            return reading.data_version(connection)

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _quickly(self) -> str:
        with self._lock:
            if self._connection is None:
                # One for all threads, and outside the pool: it never begins a transaction.
                self._connection = sqlite3.connect(
                    self._file, isolation_level=None, check_same_thread=False, timeout=1
                )
            identity, number = self._connection.execute(_QUESTION).fetchone()
        return f"{identity[:12]}-{number}"
