"""One's jobs, and the events of a submission as pages or as a stream."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from isocortex.client.answering import event_page, job_answers, job_page
from isocortex.client.submission_schemas import KEY, EventPage, Job, JobPage, State
from isocortex.errors import AccessError, IsocortexError, UnknownNameError
from isocortex.store import Store
from isocortex.store.account_records import StoredAccount

from .access import Signed, account_again
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
    submission: Annotated[
        str | None, Query(pattern=KEY, description="Only those of this submission.")
    ] = None,
    of_account: Annotated[
        str | None,
        Query(alias="account", max_length=40, description="Another's jobs; for admins alone."),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most.")] = 100,
    cursor: Annotated[
        int | None, Query(ge=1, le=2**63 - 1, description="`next` of the page before.")
    ] = None,
) -> JobPage:
    """Your jobs, newest first."""
    owner = _owner(store, account, of_account)
    if submission is not None and of_account is None:
        owner = own_submission(store, account, submission).account_id
    found = store.queue.jobs(
        submission=submission, account=owner, states=state or (), after=cursor, limit=limit + 1
    )
    page = job_page(store, found, limit=limit)
    response.headers.update(next_link(request, None if page.next is None else str(page.next)))
    return page


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

    A stream ends when all jobs have ended, and within 15 seconds of its token's or session's end.
    Taken up again with `Last-Event-ID`, it misses nothing.
    """
    store: Store = request.app.state.store
    await run_in_threadpool(own_submission, store, account, key)
    if _STREAM in request.headers.get("accept", ""):
        if last_event_id is not None and last_event_id.isdecimal():
            after = max(after, min(int(last_event_id), 2**63 - 1))
        allowed = partial(_may_listen, request, store, key)
        return await _stream(request.app.state.streams, account.id, key, after, allowed=allowed)
    page = await run_in_threadpool(event_page, store, key, after=after, limit=limit)
    return Response(page.model_dump_json(), media_type="application/json")


def _owner(store: Store, account: StoredAccount, name: str | None) -> int:
    """Whose jobs are asked for. Raises AccessError for those of others, unless an admin asks."""
    if name is None or name == account.name:
        return account.id
    if account.role != "admin":
        raise AccessError("only admins see the jobs of other accounts; leave out `account`")
    return store.accounts.find(name).id


def _may_listen(request: Request, store: Store, key: str) -> bool:
    try:
        own_submission(store, account_again(request, "read"), key)
    except IsocortexError:
        return False
    return True


async def _stream(
    streams: Streams, account_id: int, key: str, after: int, *, allowed: Callable[[], bool]
) -> Response:
    messages = streams.messages(account_id, key, after, allowed=allowed)
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
