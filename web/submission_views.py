"""What pages say of submissions and jobs, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from isocortex.client.submission_schemas import ENDED, Event, Job, Position, Submission

STATE_WORDS: Final = {
    "queued": "waiting",
    "running": "running",
    "done": "scored",
    "failed": "failed",
    "dead": "given up",
    "cancelled": "cancelled",
}
_ORDINALS: Final = {1: "first", 2: "second", 3: "third"}
_STAGES: Final = {
    "loading": "loading the model",
    "waiting": "waiting for the benchmark's data",
    "extracting": "showing it the stimuli",
    "scoring": "comparing it with the brain",
}


@dataclass(frozen=True)
class JobView:
    """A job as a row of a table; `share` is how much of its stage is done, from 0 to 1."""

    job: Job
    state: str
    says: str
    share: float | None
    spent: str


@dataclass(frozen=True)
class SubmissionView:
    """A submission as a page: one sentence that says it all, and the rows of its jobs."""

    submission: Submission
    summary: str
    jobs: tuple[JobView, ...]
    is_live: bool
    open: tuple[Job, ...]
    ended: tuple[Job, ...]


def submission_view(submission: Submission) -> SubmissionView:
    """How a submission is shown."""
    waiting = tuple(job for job in submission.jobs if job.state not in ENDED)
    return SubmissionView(
        submission=submission,
        summary=summary_of(submission),
        jobs=tuple(job_view(job) for job in submission.jobs),
        is_live=bool(waiting),
        open=waiting,
        ended=tuple(job for job in submission.jobs if job.state in ENDED),
    )


def job_view(job: Job) -> JobView:
    """How a job is shown."""
    return JobView(job, STATE_WORDS[job.state], _says(job), _share(job), _spent(job))


def summary_of(submission: Submission) -> str:
    """Where a submission stands, in one sentence."""
    if submission.withdrawn_at is not None:
        return "It was withdrawn; its scores are hidden."
    if not submission.jobs:
        return "It was checked. No benchmark is asked for yet."
    counted = [
        f"{count} {STATE_WORDS[state]}"
        for state in STATE_WORDS
        if (count := sum(job.state == state for job in submission.jobs))
    ]
    benchmarks = len(submission.jobs)
    of_all = "one benchmark" if benchmarks == 1 else f"{benchmarks} benchmarks"
    return f"Of {of_all}: {', '.join(counted)}."


def duration(seconds: float | None) -> str:
    """A time as people say it.

    >>> duration(4.2), duration(200), duration(7300)
    ('4 seconds', '3 minutes', '2 hours')
    """
    if seconds is None:
        return ""
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 1.5 * unit:
            return _plural(round(seconds / unit), name)
    return _plural(max(1, round(seconds)), "second")


def size(count: int | None) -> str:
    """Bytes as people say them.

    >>> size(2_340_000_000), size(5_000_000)
    ('2.3 GB', '5 MB')
    """
    if count is None:
        return ""
    for power, name in ((9, "GB"), (6, "MB"), (3, "kB")):
        if count >= 10**power:
            text = f"{count / 10**power:.1f}".removesuffix(".0")
            return f"{text} {name}"
    return f"{count} bytes"


def shown_events(events: Sequence[Event], jobs: Sequence[Job]) -> list[tuple[Event, str]]:
    """Events with the benchmark that each is about, newest first."""
    benchmarks = {job.id: job.benchmark for job in jobs}
    return [(event, benchmarks.get(event.job_id or 0, "")) for event in reversed(events)]


def _says(job: Job) -> str:
    if job.state == "queued":
        return _place(job)
    if job.state == "running":
        return _stage(job)
    return job.error or ""


def _place(job: Job) -> str:
    said = "it is about to start" if job.position is None else waiting_words(job.position)
    return f"{said}; priority {job.priority}" if job.priority else said


def waiting_words(place: Position) -> str:
    """Where a job waits, and when it starts."""
    if not place.workers:
        return "no worker is running now; it starts when one does"
    where = f"{_ORDINALS.get(place.place, f'number {place.place}')} in line"
    if place.starts_in is None:
        return where
    soon = "at any moment" if place.starts_in < 5 else f"in about {duration(place.starts_in)}"
    return f"{where}; starts {soon}"


def _stage(job: Job) -> str:
    stage = str(job.progress.get("stage", ""))
    words = _STAGES.get(stage, stage or "it has begun")
    done, total = _count(job, "done"), _count(job, "total")
    layer = job.progress.get("layer")
    where = f", layer {layer}" if isinstance(layer, str) else ""
    return f"{words}{where}: {done:g} of {total:g}" if total else f"{words}{where}"


def _share(job: Job) -> float | None:
    done, total = _count(job, "done"), _count(job, "total")
    if job.state != "running" or not total:
        return None
    return min(1.0, max(0.0, done / total))


def _spent(job: Job) -> str:
    parts = [duration(job.seconds)] if job.seconds is not None else []
    if job.peak_bytes:
        parts.append(f"{size(job.peak_bytes)} of memory")
    cpu = job.progress.get("cpu_seconds")
    if isinstance(cpu, (int, float)) and job.state == "done":
        parts.append(f"{duration(cpu)} of processor time")
    return ", ".join(parts)


def _count(job: Job, name: str) -> float:
    value = job.progress.get(name)
    return float(value) if isinstance(value, (int, float)) else 0.0


def _plural(count: int, name: str) -> str:
    return f"{count} {name}" + ("" if count == 1 else "s")
