"""The command that works on the queue."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from .. import settings
from ..jobs.supervisor import Staff, Supervisor
from ..jobs.worker import Habits, work, worker_name
from ..store import open_store
from . import _engines
from ._app import app
from ._output import print_note

Processes = Annotated[int, typer.Option("--processes", min=1, help="How many processes to run.")]
Once = Annotated[bool, typer.Option("--once", help="Stop when nothing is queued.")]


@app.command()
def worker(
    processes: Processes = 1,
    once: Once = False,
    executor: _engines.Executor = "embedded",
    address: _engines.Address = None,
    gpus: _engines.Gpus = 0,
    worker_memory: _engines.WorkerMemory = None,
    slurm_jobs: _engines.SlurmJobs = 0,
    cores: _engines.Cores = 1,
    partition: _engines.Partition = None,
    slurm_account: _engines.SlurmAccount = None,
    walltime: _engines.Walltime = "04:00:00",
    directive: _engines.Directives = None,
    prologue: _engines.Prologue = None,
    server: _engines.Server = None,
    token: _engines.Token = None,
    process: Annotated[bool, typer.Option("--process", hidden=True)] = False,
    name: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Score what is in the queue: in processes here, on a Dask cluster, or for a server elsewhere.

    Workers here and on Dask need the database and the home folder; those of a --server neither.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if process:
        raise typer.Exit(_work_alone(name or worker_name(), once=once))
    place = _engines.Place(
        executor=executor,
        address=address,
        gpus=gpus,
        memory=worker_memory,
        slurm_jobs=slurm_jobs,
        cores=cores,
        partition=partition,
        slurm_account=slurm_account,
        walltime=walltime,
        directives=tuple(directive or ()),
        prologue=tuple(prologue or ()),
        server=server,
        token=token,
    )
    if not place.is_here:
        raise typer.Exit(_engines.work_elsewhere(place, processes=processes, once=once))
    print_note(f"{processes} worker{'s' * (processes > 1)} on {_shown_url()}; Ctrl+C stops")
    with open_store() as store, stopped_by_signals() as stopped:
        supervisor = Supervisor(store, Staff(processes=processes, once=once))
        with supervisor:
            supervisor.wait(stopped)


@contextmanager
def stopped_by_signals() -> Iterator[list[int]]:
    """A list that gets the number of SIGTERM or SIGINT when it comes, in place of their effect."""
    received: list[int] = []

    def note(number: int, _frame: object) -> None:
        received.append(number)

    former = {each: signal.signal(each, note) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _work_alone(name: str, *, once: bool) -> int:
    """One worker process, below a supervisor that may replace it."""
    import os

    habits = Habits(once=once, parent=os.getppid())
    return work(settings.database_url(), name=name, habits=habits)


def _shown_url() -> str:
    from sqlalchemy import make_url

    return make_url(settings.database_url()).render_as_string(hide_password=True)
