"""How Alembic runs the revisions: on the connection, and in the transaction, that it is handed."""

from alembic import context

from isocortex.store import service  # noqa: F401 - its tables are part of the metadata
from isocortex.store.schema import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,  # SQLite can't alter a table in place
)
context.run_migrations()
