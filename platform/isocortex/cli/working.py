"""Commands that work on the queue, show what is in it, and change it."""

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer

from .. import settings
from ..errors import InputError
from ..jobs.supervisor import Staff, Supervisor
from ..jobs.worker import Habits, work, worker_name
from ..store import Store, open_store
from ..store.queue import Position, StoredJob
from ..store.transitions import ENDED, STATES, State
from . import _engines
from ._app import app
from ._output import print_facts, print_json, print_note, print_table
from .listing import AsJson

_FOLLOW_SECONDS: Final = 1.0

JobOrSubmission = Annotated[
    str, typer.Argument(help="A job's number, or a submission's key for all of its jobs.")
]
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


@app.command()
def jobs(
    submission: Annotated[str | None, typer.Option(help="Only those of this submission.")] = None,
    account: Annotated[str | None, typer.Option(help="Only those of this account.")] = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", help=f"Only these: {', '.join(STATES)}.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show the jobs, newest first, and the workers."""
    with open_store() as store:
        owner = None if account is None else store.accounts.find(account).id
        states = _states(state or [])
        found = store.queue.jobs(submission=submission, account=owner, states=states, limit=limit)
        workers = store.queue.workers()
    if as_json:
        print_json([job_facts(each) for each in found])
        return
    rows = [
        (str(each.id), each.model, each.benchmark, _state_text(each), each.submission)
        for each in found
    ]
    print_table("Jobs", ("job", "model", "benchmark", "state", "submission"), rows)
    if not workers:
        print_note("No worker is running: start `isocortex serve`, or `isocortex worker`.")


@app.command()
def job(
    job_id: Annotated[int, typer.Argument(metavar="ID", help="The job's number.")],
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until the job has ended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show one job: where it stands, what it uses, and all that happened to it."""
    with open_store() as store:
        found, position = store.queue.job(job_id), store.queue.position(job_id)
        facts = job_facts(found) | _position_facts(position)
        if as_json:
            events = [asdict(each) for each in _events(store, found)]
            lines = [each | {"at": each["at"].isoformat()} for each in events]
            print_json(facts | {"events": lines})
            return
        print_facts(facts | _readable(found))
        _print_events(store, found, follow=follow)


@app.command()
def cancel(target: JobOrSubmission) -> None:
    """Cancel a job, or all jobs of a submission; what runs is stopped within seconds."""
    with open_store() as store:
        key, ids = _target(store, target)
        _print_changed("cancelled", store.queue.cancel(key, job_ids=ids))


@app.command()
def rerun(
    target: JobOrSubmission,
    force: Annotated[bool, typer.Option("--force", help="Also what is done, anew.")] = False,
) -> None:
    """Put jobs that have ended back into the queue."""
    with open_store() as store:
        key, ids = _target(store, target)
        changed = store.queue.rerun(key, job_ids=ids, force=force)
        done = () if force or changed else store.queue.jobs(submission=key, states=("done",))
    _print_changed("queued again", changed)
    if any(ids is None or each.id in ids for each in done):
        print_note("What is done is scored anew by --force only.")


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


def job_facts(found: StoredJob) -> dict[str, Any]:
    """All facts of a job as JSON has them."""
    times = ("queued_at", "started_at", "finished_at")
    moments = {name: getattr(found, name) for name in times}
    told = {name: moment and moment.isoformat() for name, moment in moments.items()}
    return asdict(found) | {"progress": dict(found.progress)} | told


def _readable(found: StoredJob) -> dict[str, Any]:
    """Those facts of a job that people read in other words than programs."""
    moments = {name: getattr(found, name) for name in ("queued_at", "started_at", "finished_at")}
    told = {name: moment and f"{moment:%Y-%m-%d %H:%M:%S} UTC" for name, moment in moments.items()}
    peak, took = found.peak_bytes, found.seconds
    return told | {
        "seconds": None if took is None else f"{took:.1f}",
        "peak_bytes": None if peak is None else f"{peak / 1e9:.2f} GB",
    }


def _position_facts(position: Position | None) -> dict[str, Any]:
    if position is None:
        return {}
    if position.workers == 0:
        expected: str | None = "when a worker is started: none is running"
    elif position.starts_in is None:
        expected = None
    else:
        expected = f"in about {position.starts_in:.0f} seconds"
    return {"place": position.place, "jobs_ahead": position.ahead, "starts": expected}


def _work_alone(name: str, *, once: bool) -> int:
    """One worker process, below a supervisor that may replace it."""
    import os

    habits = Habits(once=once, parent=os.getppid())
    return work(settings.database_url(), name=name, habits=habits)


def _states(names: list[str]) -> list[State]:
    if unknown := [name for name in names if name not in STATES]:
        raise InputError(f"no job is ever {unknown[0]!r}; its state is {', '.join(STATES)}")
    return [state for state in STATES if state in names]


def _target(store: Store, text: str) -> tuple[str, list[int] | None]:
    """The submission's key, and the one job that is meant, or None for all."""
    if not text.isdecimal():
        return text, None
    return store.queue.job(int(text)).submission, [int(text)]


def _state_text(found: StoredJob) -> str:
    if found.state == "running":
        stage, done = found.progress.get("stage", ""), found.progress.get("done")
        return f"running: {stage}" + (f" {done}/{found.progress['total']}" if done else "")
    return f"{found.state}: {found.error}" if found.error else found.state


def _events(store: Store, found: StoredJob, after: int = 0) -> list[Any]:
    """The events of a job, and those of its whole submission."""
    events = store.queue.events(found.submission, after=after, limit=10_000)
    return [each for each in events if each.job_id in (None, found.id)]


def _print_events(store: Store, found: StoredJob, *, follow: bool) -> None:
    last = 0
    while True:
        for event in _events(store, found, last):
            typer.echo(f"{event.at:%Y-%m-%d %H:%M:%S}  {event.kind:<9}  {event.text}")
            last = event.id
        if not follow or store.queue.job(found.id).state in ENDED:
            return
        time.sleep(_FOLLOW_SECONDS)


def _print_changed(what: str, changed: tuple[StoredJob, ...]) -> None:
    print_note(f"{len(changed)} job{'s' * (len(changed) != 1)} {what}")


def _shown_url() -> str:
    from sqlalchemy import make_url

    return make_url(settings.database_url()).render_as_string(hide_password=True)
