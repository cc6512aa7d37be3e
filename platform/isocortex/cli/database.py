"""Commands that look after the database: its schema, backups, and moves to another one."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from .. import settings
from ..store import open_store
from ..store.backups import missing_files, restore_backup, write_backup
from ..store.moving import database_facts, move_database
from ..store.opening import newest_revision, open_engine
from ._app import app
from ._output import print_facts, print_json, print_note, print_table
from .listing import AsJson

database = typer.Typer(help="Look after the database.", no_args_is_help=True)
app.add_typer(database, name="db")


@database.command()
def upgrade() -> None:
    """Bring the database to the newest schema."""
    open_store().close()
    print_note("the database has the newest schema")


@database.command()
def status(as_json: AsJson = False) -> None:
    """Show which database is used, what it holds, and whether files are missing."""
    engine = open_engine(settings.database_url())
    try:
        found = database_facts(engine)
        usable = found.schema == newest_revision()
        missing = missing_files(engine, settings.home()) if usable else ()
    finally:
        engine.dispose()
    facts = asdict(found) | {"newest_schema": newest_revision(), "home": str(settings.home())}
    facts["missing_files"] = list(missing)
    if as_json:
        print_json(facts)
        return
    rows = facts.pop("rows")
    print_facts(facts)
    if rows:
        filled = [(name, f"{count:,}") for name, count in rows.items() if count]
        print_table("Rows", ("table", "rows"), filled)
    if not usable:
        print_note("the schema is not the newest: run `isocortex db upgrade`")


@database.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The zip file to write; it must not be there yet.")],
    files: Annotated[
        bool, typer.Option(help="Put the arrays of scores and uploaded files into it as well.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Write the whole database into one file, while others go on writing.

    It holds password hashes and private submissions: only its owner may read it.
    """
    with open_store() as store:
        made = write_backup(store.engine, file, home=settings.home(), with_files=files)
    if as_json:
        print_json(asdict(made))
    rows = sum(made.rows.values())
    print_note(f"{file}: {rows:,} rows and {made.files:,} files, schema {made.schema}")
    if made.missing:
        print_note(f"{len(made.missing)} files were missing, such as {made.missing[0]}")


@database.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `isocortex db backup` wrote.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace what the database holds now; it is lost.")
    ] = False,
) -> None:
    """Bring the database and its files back from a backup, on either kind of database.

    Everything is checked before anything is replaced. Stop `isocortex serve` and workers first.
    """
    with open_store() as store:
        made = restore_backup(store.engine, file, home=settings.home(), force=force)
        missing = missing_files(store.engine, settings.home())
    print_note(f"restored {sum(made.rows.values()):,} rows as of {made.made_at}")
    if missing:
        print_note(
            f"{len(missing)} files that it names are not in {settings.home()}, such as "
            f"{missing[0]}: bring them back, or score again with --force"
        )


@database.command()
def move(
    to: Annotated[str, typer.Option("--to", help="The URL of the database to move to.")],
) -> None:
    """Copy all rows to another database, which must be empty: SQLite to PostgreSQL, or back.

    Stop `isocortex serve` and workers first: what is written meanwhile is not moved. The files in
    the home folder stay where they are.
    """
    moved = move_database(settings.database_url(), to)
    rows = sum(each.rows for each in moved.values())
    print_note(f"moved {rows:,} rows of {len(moved)} tables, and read each of them back")
    print_note("now set ISOCORTEX_DATABASE to that URL; the old database is as it was")
