"""A submission in the terminal: its upload, its jobs as they go on, and its end."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from ..client.local import Local
from ..client.remote import Client
from ..client.submission_schemas import ENDED, Job, Submission
from ._output import print_note, print_table

_LOOK_SECONDS: Final = 1.0


@contextmanager
def uploading(path: Path | None) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error that is told how many bytes are there."""
    if path is None:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"uploading {path.name}", total=path.stat().st_size)
        yield lambda done, _: bar.update(task, completed=done)


def follow(place: Local | Client, submission: Submission) -> Submission:
    """The submission, once all its jobs have ended; until then they are shown as they go on."""
    console = Console(stderr=True)
    noted = False
    with Live(_shown(submission), console=console, refresh_per_second=4, transient=True) as live:
        while any(job.state not in ENDED for job in submission.jobs):
            if not noted and _nobody_works(submission):
                live.console.print("No worker is running: start `isocortex worker`.", style="bold")
                noted = True
            time.sleep(_LOOK_SECONDS)
            submission = place.get_submission(submission.key)
            live.update(_shown(submission))
    return submission


def print_submission(submission: Submission) -> None:
    """Print a submission's jobs as a table, and what to do next."""
    withdrawn = ", withdrawn" if submission.withdrawn_at else ""
    title = f"{submission.model} version {submission.version} ({submission.visibility}{withdrawn})"
    rows = [(job.benchmark, job.state, said(job)) for job in submission.jobs]
    key = f"key {submission.key}"
    print_table(title, ("benchmark", "state", "what it says"), rows, caption=key)
    if not submission.jobs:
        print_note("No benchmark is asked for: submit it again with -b.")


def said(job: Job) -> str:
    """What a job says of itself, in a few words."""
    if job.state == "queued":
        return _place(job)
    if job.state == "running":
        stage, done, total = (job.progress.get(key) for key in ("stage", "done", "total"))
        return f"{stage or 'begun'} {done}/{total}" if total else str(stage or "begun")
    if job.state == "done":
        return "" if job.seconds is None else f"{job.seconds:.1f} s"
    return job.error or ""


def _place(job: Job) -> str:
    place = job.position
    if place is None:
        return ""
    if not place.workers:
        return "no worker is running"
    start = "" if place.starts_in is None else f", starts in about {place.starts_in:.0f} s"
    return f"{place.ahead} jobs ahead{start}"


def _nobody_works(submission: Submission) -> bool:
    return any(job.position is not None and not job.position.workers for job in submission.jobs)


def _shown(submission: Submission) -> Group:
    table = Table.grid(padding=(0, 2))
    for job in submission.jobs:
        table.add_row(Text(job.benchmark), Text(job.state), Text(said(job)))
    return Group(Text(f"{submission.model} version {submission.version}"), table)
