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
        check["name"]
        for table in ("run", "score_slice")
        for check in found.get_check_constraints(table)
    }
    assert checks == {"ck_run_state", "ck_score_slice_kind"}
    where = f"{engine.dialect.name}_where"
    options = {index["name"]: index["dialect_options"] for index in found.get_indexes("score")}
    assert {name: str(found[where]) for name, found in options.items() if where in found} == {
        "one_current_score": "is_current",
        "scores_of_a_benchmark": "is_current",
    }
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
