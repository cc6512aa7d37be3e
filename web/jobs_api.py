"""One's jobs, and the events of a submission as pages or as a stream."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from isocortex.client.answering import job_answers
from isocortex.client.submission_schemas import KEY, Event, EventPage, Job, JobPage, State
from isocortex.errors import UnknownNameError
from isocortex.store import Store

from .access import Signed
from .cursors import next_link
from .problems import RESPONSES
from .streams import Streams
from .submission_answers import own_submission
from .viewing import Opened

router = APIRouter(prefix="/api/v1", responses=RESPONSES, tags=["submissions"])

_STREAM = "text/event-stream"


@router.get("/jobs", operation_id="listJobs")
def list_jobs(
    request: Request,
    response: Response,
    store: Opened,
    account: Signed,
    state: Annotated[list[State] | None, Query(description="Only jobs in these states.")] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most.")] = 100,
    cursor: Annotated[
        int | None, Query(ge=1, le=2**63 - 1, description="`next` of the page before.")
    ] = None,
) -> JobPage:
    """Your jobs, newest first."""
    found = store.queue.jobs(account=account.id, states=state or (), after=cursor, limit=limit + 1)
    following = found[limit - 1].id if len(found) > limit else None
    response.headers.update(next_link(request, None if following is None else str(following)))
    return JobPage(items=job_answers(store, found[:limit])[::-1], next=following)


@router.get("/jobs/{job_id}", operation_id="getJob")
def get_job(
    job_id: Annotated[int, Path(ge=1, le=2**63 - 1, description="The job's id.")],
    store: Opened,
    account: Signed,
) -> Job:
    """One of your jobs."""
    found = store.queue.job(job_id)
    if found.account_id != account.id and account.role != "admin":
        raise UnknownNameError(f"there is no job {job_id}")
    return job_answers(store, [found])[0]


@router.get(
    "/submissions/{key}/events",
    operation_id="listEvents",
    response_model=EventPage,
    responses={
        200: {
            "description": "A page of events; as `text/event-stream`, what happens as it happens: "
            "each event under its kind and id, each job under `job` whenever it changes, and at "
            "last `end`.",
            "content": {_STREAM: {"schema": {"type": "string"}}},
        }
    },
)
async def list_events(
    request: Request,
    key: Annotated[str, Path(description="The submission's key.", pattern=KEY)],
    account: Signed,
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="Only later ones.")] = 0,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most.")] = 100,
    last_event_id: Annotated[
        str | None, Header(max_length=20, description="As `after`, for a stream taken up again.")
    ] = None,
) -> Response:
    """What happened to a submission and its jobs, in order; with `Accept: text/event-stream`, live.

    A stream ends when all jobs have ended. Taken up again with `Last-Event-ID`, it misses nothing.
    """
    store: Store = request.app.state.store
    await run_in_threadpool(own_submission, store, account, key)
    if _STREAM in request.headers.get("accept", ""):
        if last_event_id is not None and last_event_id.isdecimal():
            after = max(after, min(int(last_event_id), 2**63 - 1))
        return await _stream(request.app.state.streams, account.id, key, after)
    page = await run_in_threadpool(_page, store, key, after, limit)
    return Response(page.model_dump_json(), media_type="application/json")


def _page(store: Store, key: str, after: int, limit: int) -> EventPage:
    events = [
        Event.model_validate(one) for one in store.queue.events(key, after=after, limit=limit)
    ]
    return EventPage(items=events, next=events[-1].id if events else after)


async def _stream(streams: Streams, account_id: int, key: str, after: int) -> Response:
    messages = streams.messages(account_id, key, after)
    first = await anext(messages)  # raises, while it may still be a problem, if too many are open

    async def rest() -> AsyncIterator[str]:
        try:
            yield first
            async for text in messages:
                yield text
        finally:
            await messages.aclose()

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(rest(), media_type=_STREAM, headers=headers)
