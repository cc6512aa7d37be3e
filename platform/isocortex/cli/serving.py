"""The command that serves the store."""

from typing import Annotated

import typer

from ..errors import StoreError
from ..jobs.supervisor import Staff, Supervisor
from ..store import open_store
from ._app import app
from ._output import print_note
from .working import stopped_by_signals


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8000,
    workers: Annotated[
        int, typer.Option(min=0, help="How many processes score what is submitted.")
    ] = 1,
) -> None:
    """Serve the leaderboard and the REST API, and score what is submitted."""
    import importlib

    import uvicorn

    # The site stands outside the core, which names no folder above it but here.
    create_app = importlib.import_module("isocortex.web.app").create_app
    options = importlib.import_module("isocortex.web.serving").OPTIONS
    application = create_app()
    print_note(f"Leaderboard: http://{host}:{port}   API: http://{host}:{port}/api/v1/openapi.json")
    # uvicorn raises the signal that stopped it again, which would end the workers' supervisor, too.
    with open_store() as store, stopped_by_signals(), Supervisor(store, Staff(processes=workers)):
        try:
            uvicorn.run(application, host=host, port=port, **options)
        except SystemExit:
            reason = f"port {port} of {host} can't be used; choose another --port"
            raise StoreError(reason) from None
