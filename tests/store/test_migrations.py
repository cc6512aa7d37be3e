"""The revisions and the models draw one schema, up and down."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from isocortex.store import opening
from isocortex.store.schema import Table


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
        *("ck_submission_kind", "ck_submission_visibility", "ck_ownership_visibility"),
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
