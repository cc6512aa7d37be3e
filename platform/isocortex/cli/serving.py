"""Commands that serve the store and look after it."""

from typing import Annotated

import typer

from ..errors import StoreError
from ..store import open_store
from ._app import app
from ._output import print_note

database = typer.Typer(help="Look after the database.", no_args_is_help=True)
app.add_typer(database, name="db")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8000,
) -> None:
    """Serve the leaderboard and the REST API."""
    import importlib

    import uvicorn

    # The site stands outside the core, which names no folder above it but here.
    create_app = importlib.import_module("isocortex.web.app").create_app
    application = create_app()
    print_note(f"Leaderboard: http://{host}:{port}   API: http://{host}:{port}/api/v1/openapi.json")
    try:
        uvicorn.run(application, host=host, port=port, log_level="warning")
    except SystemExit:
        raise StoreError(f"port {port} of {host} can't be used; choose another --port") from None


@database.command()
def upgrade() -> None:
    """Bring the database to the newest schema."""
    open_store().close()
    print_note("the database has the newest schema")
