"""Opening the database: engine, pragmas of SQLite, migrations, and errors that say what to do."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    IntegrityError,
    NoSuchModuleError,
)

from ..errors import InputError, StoreError

log = logging.getLogger(__name__)

BUSY_SECONDS: Final = 30
"""How long a writer waits for another one before it gives up."""

_POSTGRES: Final = {
    "connect_timeout": 10,
    # A process that is frozen within a transaction is ended before others tire of its locks.
    "options": "-c idle_in_transaction_session_timeout=15s -c lock_timeout=30s",
}
_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_MIGRATION_LOCK: Final = 0x150C0  # any number that nobody else locks on a PostgreSQL server
_WRITES: Final = "isocortex_writes"


def open_engine(url: str) -> Engine:
    """The engine of the database at `url`; SQLite runs in WAL mode. Raises StoreError."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite_engine(parsed)
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
            return create_engine(parsed, pool_pre_ping=True, connect_args=_POSTGRES)
    except ModuleNotFoundError as error:
        raise StoreError(f"{error}; pip install 'isocortex[postgres]' brings it") from None
    except (ArgumentError, NoSuchModuleError):
        pass
    raise StoreError(
        f"the database URL begins with {url.partition(':')[0]!r}; expected "
        "sqlite:///folder/file.sqlite3 or postgresql://user@host/name"
    )


def upgrade_schema(engine: Engine) -> None:
    """Bring the database to the newest schema; nothing happens if it is there already.

    All revisions run in one transaction, and two processes wait for each other. Raises StoreError
    if the database was written by a newer isocortex.
    """
    if schema_revision(engine) == newest_revision():
        return
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        _migrate(connection, "head")
    log.info("database is at schema revision %s", newest_revision())


def check_schema(engine: Engine) -> None:
    """Raise StoreError unless the database has the newest schema."""
    revision = schema_revision(engine)
    if revision != newest_revision():
        state = f"has the older schema {revision}" if revision else "holds no scores yet"
        raise StoreError(
            f"the database {_shown(engine)} {state}, this isocortex needs {newest_revision()}; "
            "run `isocortex db upgrade`"
        )


def schema_revision(engine: Engine) -> str | None:
    """The database's schema revision, None for an empty database.

    Raises StoreError if this isocortex does not know the revision, or can't reach the database.
    """
    from alembic.migration import MigrationContext

    with reading(engine) as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
    if revision is not None and revision not in _known_revisions():
        raise StoreError(
            f"the database {_shown(engine)} has schema {revision}, which is newer than this "
            f"isocortex (schema {newest_revision()}); update isocortex"
        )
    return revision


def newest_revision() -> str:
    """The schema revision that this isocortex reads and writes."""
    return _known_revisions()[0]


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one state of the database from first to last query."""
    with _explained(engine), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that is committed at the end, or not at all.

    SQLite's single writer is asked for at once, so that no transaction fails halfway for the lock.
    """
    with _explained(engine), engine.connect() as connection:
        connection = connection.execution_options(**{_WRITES: True})
        with connection.begin():
            yield connection


def _migrate(connection: Connection, target: str) -> None:
    """Run the revisions up or down to `target` ("head", "base" or a revision)."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    run = command.downgrade if target == "base" else command.upgrade
    run(config, target)


def _known_revisions() -> list[str]:
    """All revisions of this isocortex, newest first."""
    from alembic.script import ScriptDirectory

    return [script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()]


def _sqlite_engine(url: URL) -> Engine:
    if url.database and url.database != ":memory:":
        folder = Path(url.database).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"the database's folder {folder} can't be made: {error}") from None
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # or sqlite3 would begin transactions by its own rules
    for pragma in ("foreign_keys=ON", "journal_mode=WAL", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _explained(engine: Engine) -> Iterator[None]:
    """Turn what the driver says into a StoreError; broken constraints pass, they can be retried.

    What no column can hold, such as NUL in a text of PostgreSQL, becomes an InputError.
    """
    try:
        yield
    except IntegrityError:
        raise
    except DataError as error:
        raise InputError(f"the database can't hold this: {str(error.orig).strip()}") from None
    except DatabaseError as error:
        reason = str(error.orig).strip()
        if "locked" in reason:
            raise StoreError(
                f"another process kept the database {_shown(engine)} locked for {BUSY_SECONDS} "
                "seconds; try again when it has finished"
            ) from None
        if "disk is full" in reason or "No space left" in reason:
            raise StoreError(
                f"the database {_shown(engine)} can't be written, its disk is full: nothing was "
                "changed; try again when there is room"
            ) from None
        raise StoreError(
            f"the database {_shown(engine)} can't be used: {reason}. Check that the file or server "
            "is there, or set ISOCORTEX_DATABASE to another one"
        ) from None


def _shown(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)
