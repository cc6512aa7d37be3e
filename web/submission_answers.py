"""What the routes of submissions share: whose they are, and what a stream of events tells."""

from isocortex.client.answering import has_ended, jobs_of
from isocortex.client.submission_schemas import Event
from isocortex.errors import UnknownNameError
from isocortex.store import Store
from isocortex.store.account_records import StoredAccount
from isocortex.store.submissions import StoredSubmission

from .streams import Look, as_json

_MOST_EVENTS = 500


def own_submission(store: Store, account: StoredAccount, key: str) -> StoredSubmission:
    """The account's submission of that key; an admin's are all.

    Raises UnknownNameError, for somebody else's as if it were not there.
    """
    found = store.submissions.find(key)
    if found.account_id != account.id and account.role != "admin":
        raise UnknownNameError(f"no submission has the key {key!r}")
    return found


def look_at(store: Store, key: str, after: int) -> Look:
    """What a stream is to tell; jobs are read first, so that no event of an ended one is missed."""
    jobs = jobs_of(store, key)
    events = store.queue.events(key, after=after, limit=_MOST_EVENTS)
    return Look(
        events=tuple(
            (one.id, one.kind, as_json(Event.model_validate(one).model_dump(mode="json")))
            for one in events
        ),
        jobs=tuple((job.id, as_json(job.model_dump(mode="json"))) for job in jobs),
        ended=has_ended(jobs) and len(events) < _MOST_EVENTS,
    )
