"""The revisions and the models draw one schema, up and down."""

from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect
from tests.store.seeded import ROWS, fill_tables, rows_of

from isocortex.store import opening
from isocortex.store.schema import Table


def migrate(engine: Engine, target: str) -> None:
    """Down to a revision, or up to the newest one."""
    with opening.writing(engine) as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(opening._MIGRATIONS))
        (command.upgrade if target == "head" else command.downgrade)(config, target)


def tables_of(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


def test_revisions_and_models_agree(url: str) -> None:
    engine = opening.open_engine(url)
    opening.upgrade_schema(engine)
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Table.metadata) == []
    engine.dispose()


def test_revisions_and_models_have_equal_checks_and_partial_indexes(url: str) -> None:
    """Alembic does not compare these."""
    engine = opening.open_engine(url)
    opening.upgrade_schema(engine)
    found = inspect(engine)
    checks = {
        str(check["name"])
        for table in found.get_table_names()
        for check in found.get_check_constraints(table)
    }
    assert checks == {
        *("ck_run_state", "ck_score_slice_kind", "ck_account_role", "ck_job_state"),
        *("ck_submission_kind", "ck_submission_visibility"),
    }
    where = f"{engine.dialect.name}_where"
    partial = {
        index["name"]
        for table in found.get_table_names()
        for index in found.get_indexes(table)
        if where in index["dialect_options"]
    }
    assert partial == {
        *("one_current_score", "scores_of_a_benchmark", "one_submission_of_a_content"),
        *("jobs_to_do", "jobs_being_done"),
    }
    options = {index["name"]: index["dialect_options"] for index in found.get_indexes("score")}
    assert {str(each[where]) for each in options.values() if where in each} == {"is_current"}
    engine.dispose()


def test_going_down_leaves_nothing_and_up_again_works(url: str) -> None:
    engine = opening.open_engine(url)
    opening.upgrade_schema(engine)
    with opening.writing(engine) as connection:
        opening._migrate(connection, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    opening.upgrade_schema(engine)
    assert opening.schema_revision(engine) == opening.newest_revision()
    engine.dispose()


def test_rows_of_every_table_survive_going_down_and_up(url: str) -> None:
    """What a revision adds is lost on its way down; all else is as it was, and can be added to."""
    engine = opening.open_engine(url)
    opening.upgrade_schema(engine)
    fill_tables(engine)
    newest = tables_of(engine)
    before = {name: rows_of(engine, name) for name in newest}
    assert all(len(rows) == (1 if name == "revision" else ROWS) for name, rows in before.items())
    for revision in opening._known_revisions()[1:]:
        migrate(engine, revision)
        kept = tables_of(engine)
        assert kept <= newest
        migrate(engine, "head")
        after = {name: _told(name, rows_of(engine, name)) for name in newest}
        assert after == {name: _told(name, before[name]) if name in kept else [] for name in newest}
        if lost := newest - kept:
            fill_tables(engine, only=lost)
            assert {name: rows_of(engine, name) for name in newest} == before
    migrate(engine, "base")
    assert tables_of(engine) == set()
    engine.dispose()


def _told(name: str, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """What rows say; those of `ownership` are made anew on the way up, with ids of their own."""
    return [row[1:] for row in rows] if name == "ownership" else rows
