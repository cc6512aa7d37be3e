"""From records of the store to the schemas that server and client share."""

from collections.abc import Iterable, Sequence

from ..store import Store
from ..store.queued import StoredJob
from ..store.submitted import StoredSubmission
from .submission_schemas import ENDED, Event, EventPage, Job, JobPage, Position, Submission

MOST_JOBS = 2_000


def submission_answer(store: Store, submission: StoredSubmission) -> Submission:
    """A submission with its jobs."""
    jobs = jobs_of(store, submission.key)
    return Submission.model_validate({**vars(submission), "jobs": jobs})


def jobs_of(store: Store, key: str) -> list[Job]:
    """The jobs of a submission, by id; those that wait say where."""
    return job_answers(store, store.queue.jobs(submission=key, limit=MOST_JOBS))


def job_answers(store: Store, jobs: Iterable[StoredJob]) -> list[Job]:
    """These jobs by id; those of one submission wait at one place, since they are taken at once."""
    places: dict[str, Position | None] = {}
    answers = []
    for job in sorted(jobs, key=lambda job: job.id):
        if job.state == "queued" and job.submission not in places:
            found = store.queue.position(job.id)
            places[job.submission] = None if found is None else Position.model_validate(found)
        place = places.get(job.submission) if job.state == "queued" else None
        answers.append(Job.model_validate({**vars(job), "position": place}))
    return answers


def job_page(store: Store, found: Sequence[StoredJob], *, limit: int) -> JobPage:
    """The first `limit` of the jobs found, newest first; one more says that some follow."""
    following = found[limit - 1].id if len(found) > limit else None
    return JobPage(items=job_answers(store, found[:limit])[::-1], next=following)


def event_page(store: Store, key: str, *, after: int, limit: int) -> EventPage:
    """What happened to a submission after the event of that id, in order."""
    events = store.queue.events(key, after=after, limit=limit)
    items = [Event.model_validate(one) for one in events]
    return EventPage(items=items, next=items[-1].id if items else after)


def has_ended(jobs: Iterable[Job]) -> bool:
    """Whether nothing is queued and nothing runs."""
    return all(job.state in ENDED for job in jobs)
