"""Commands that show what is in the queue, and change it: of the own store, or on a server."""

from collections.abc import Iterator
from typing import Annotated, Any, Final

import typer

from ..client.local import Local
from ..client.remote import Client
from ..client.submission_schemas import ENDED, Event, Job, Position, State
from ..errors import InputError
from ..store.transitions import STATES
from ._app import app
from ._output import print_facts, print_json, print_note, print_table
from .listing import AsJson
from .submitting import Server, Token, opened

_PAGE: Final = 500
_MOMENTS: Final = ("queued_at", "started_at", "finished_at")

JobOrSubmission = Annotated[
    str, typer.Argument(help="A job's number, or a submission's key for all of its jobs.")
]


@app.command()
def jobs(
    submission: Annotated[str | None, typer.Option(help="Only those of this submission.")] = None,
    account: Annotated[str | None, typer.Option(help="Only those of this account.")] = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", help=f"Only these: {', '.join(STATES)}.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 100,
    server: Server = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show the jobs, newest first: all of the own store, or yours on a server."""
    asked = {"submission": submission, "account": account, "state": _states(state or [])}
    with opened(server, token) as place:
        found = _newest(place, limit, asked)
    if as_json:
        print_json([each.model_dump(mode="json") for each in found])
        return
    rows = [
        (str(each.id), each.model, each.benchmark, _state_text(each), each.submission)
        for each in found
    ]
    print_table("Jobs", ("job", "model", "benchmark", "state", "submission"), rows)
    if any(each.position is not None and not each.position.workers for each in found):
        print_note("No worker is running: start `isocortex serve`, or `isocortex worker`.")


@app.command()
def job(
    job_id: Annotated[int, typer.Argument(metavar="ID", help="The job's number.", min=1)],
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until the job has ended.")
    ] = False,
    server: Server = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show one job: where it stands, what it uses, and all that happened to it."""
    with opened(server, token) as place:
        found = place.get_job(job_id)
        if not as_json:
            print_facts(_readable(found))
            for event in _events(place, found, follow=follow):
                typer.echo(f"{event.at:%Y-%m-%d %H:%M:%S}  {event.kind:<9}  {event.text}")
            return
        events = list(_events(place, found, follow=follow))
        facts = place.get_job(job_id).model_dump(mode="json")
    print_json(facts | {"events": [each.model_dump(mode="json") for each in events]})


@app.command()
def cancel(target: JobOrSubmission, server: Server = None, token: Token = None) -> None:
    """Cancel a job, or all jobs of a submission; what runs is stopped within seconds."""
    with opened(server, token) as place:
        key, ids = _target(place, target)
        _print_changed("cancelled", place.cancel_jobs(key, ids).items)


@app.command()
def rerun(
    target: JobOrSubmission,
    force: Annotated[bool, typer.Option("--force", help="Also what is done, anew.")] = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Put jobs that have ended back into the queue."""
    with opened(server, token) as place:
        key, ids = _target(place, target)
        changed = place.rerun_jobs(key, ids, force=force).items
        others = [] if force or changed else place.list_submission_jobs(key).items
    _print_changed("queued again", changed)
    if any(each.state == "done" and (ids is None or each.id in ids) for each in others):
        print_note("What is done is scored anew by --force only.")


@app.command(context_settings={"ignore_unknown_options": True})  # -5 is a priority, no option
def prioritise(
    target: Annotated[
        str, typer.Argument(help="A submission's key, or the number of one of its jobs.")
    ],
    priority: Annotated[int, typer.Argument(help="The highest goes first; all begin with 0.")],
    server: Server = None,
    token: Token = None,
) -> None:
    """Have a submission's queued jobs taken before all others, or after them; admins may.

    Fair shares among accounts hold only among jobs of one priority.
    """
    with opened(server, token) as place:
        key, _ = _target(place, target)
        changed = place.prioritise_jobs(key, priority).items
    _print_changed(f"queued with priority {priority}", changed)


def _newest(place: Local | Client, limit: int, asked: dict[str, Any]) -> list[Job]:
    found: list[Job] = []
    cursor: int | None = None
    while len(found) < limit:
        page = place.list_jobs(**asked, limit=min(_PAGE, limit - len(found)), cursor=cursor)
        found += page.items
        if (cursor := page.next) is None:
            break
    return found


def _states(names: list[str]) -> list[State]:
    if unknown := [name for name in names if name not in STATES]:
        raise InputError(f"no job is ever {unknown[0]!r}; its state is {', '.join(STATES)}")
    return [state for state in STATES if state in names]


def _target(place: Local | Client, text: str) -> tuple[str, list[int] | None]:
    """The submission's key, and the one job that is meant, or None for all."""
    if not text.isdecimal():
        return text, None
    return place.get_job(int(text)).submission, [int(text)]


def _events(place: Local | Client, found: Job, *, follow: bool) -> Iterator[Event]:
    """The events of a job, and those of its whole submission; with `follow`, until it has ended."""
    after = 0
    for happened in place.follow(found.submission) if follow else ():
        if isinstance(happened, Job):
            if happened.id == found.id and happened.state in ENDED:
                break
        else:
            after = happened.id
            yield from _own(found, [happened])
    # Of a long history, a stream tells that the job has ended before it has told all.
    while items := place.list_events(found.submission, after=after, limit=_PAGE).items:
        after = items[-1].id
        yield from _own(found, items)


def _own(found: Job, events: list[Event]) -> Iterator[Event]:
    return (each for each in events if each.job_id in (None, found.id))


def _state_text(found: Job) -> str:
    if found.state == "running":
        stage, done = found.progress.get("stage", ""), found.progress.get("done")
        return f"running: {stage}" + (f" {done}/{found.progress['total']}" if done else "")
    if found.state == "queued" and found.priority:
        return f"queued with priority {found.priority}"
    return f"{found.state}: {found.error}" if found.error else found.state


def _readable(found: Job) -> dict[str, Any]:
    """The facts of a job, in words where people read others than programs."""
    facts = found.model_dump(exclude={"position"})
    moments = {name: facts[name] for name in _MOMENTS}
    facts |= {name: at and f"{at:%Y-%m-%d %H:%M:%S} UTC" for name, at in moments.items()}
    if found.seconds is not None:
        facts["seconds"] = f"{found.seconds:.1f}"
    if found.peak_bytes is not None:
        facts["peak_bytes"] = f"{found.peak_bytes / 1e9:.2f} GB"
    return facts | _place(found.position)


def _place(position: Position | None) -> dict[str, Any]:
    if position is None:
        return {}
    starts: str | None = None
    if position.workers == 0:
        starts = "when a worker is started: none is running"
    elif position.starts_in is not None:
        starts = f"in about {position.starts_in:.0f} seconds"
    return {"place": position.place, "jobs_ahead": position.ahead, "starts": starts}


def _print_changed(what: str, changed: list[Job]) -> None:
    print_note(f"{len(changed)} job{'s' * (len(changed) != 1)} {what}")
