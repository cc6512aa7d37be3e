"""Submissions and their jobs: asking for scores, and following what becomes of it."""

from functools import partial
from typing import Annotated, Any, Final

import anyio
from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from pydantic import WrapValidator

from isocortex.client.answering import job_answers, jobs_of, submission_answer
from isocortex.client.foreseeing import checked_answer
from isocortex.client.submission_schemas import (
    KEY,
    CancelRequest,
    JobList,
    JobRequest,
    PriorityChange,
    RerunRequest,
    Submission,
    SubmissionChecked,
    SubmissionPage,
    VisibilityChange,
)
from isocortex.store import Store
from isocortex.store.account_records import StoredAccount
from isocortex.submissions import entering, leaving
from isocortex.submissions.forms import SubmissionForm, read_form

from .access import Signed, actor_of, require
from .cursors import next_link
from .problems import RESPONSES
from .repeating import Once
from .submission_answers import own_submission
from .viewing import Opened

router = APIRouter(prefix="/api/v1", responses=RESPONSES, tags=["submissions"])

Admin = Annotated[StoredAccount, Depends(require("admin"))]

MOST_WAITING: Final = 20
"""How many checks wait at most; each takes a jailed process seconds."""

Form = Annotated[SubmissionForm, WrapValidator(lambda document, _: document)]
"""A form as it came: it is described as what it should be, and `read_form` tells every fault."""

Key = Annotated[str, Path(description="The submission's key.", pattern=KEY)]


class Checks:
    """Two checks at a time: each parses a stranger's file in a jailed process."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(2)

    async def run(self, work: "partial[Response]") -> Response:
        """What `work` returns, in a thread. Answers 503 if too many wait already."""
        if self._limiter.statistics().tasks_waiting >= MOST_WAITING:
            reason = f"{MOST_WAITING} submissions are being checked; send it again in a minute"
            raise HTTPException(503, reason, {"Retry-After": "30"})
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)


@router.post(
    "/submissions",
    operation_id="createSubmission",
    status_code=201,
    response_model=Submission,
    responses={
        200: {
            "model": Submission | SubmissionChecked,
            "description": "The same content was submitted before: this is it. After a dry run, "
            "what would have been submitted.",
        }
    },
)
async def create_submission(
    request: Request,
    document: Form,
    store: Opened,
    account: Signed,
    once: Once,
    dry_run: Annotated[bool, Query(description="Only check it; nothing is kept.")] = False,
) -> Response:
    """Submit a model: every fault of form and file is told at once, and nothing queued with one.

    Its file was uploaded before, and is named by `sha256`. The same content again is the same
    submission, with the benchmarks that it did not have; other content is its next version. A dry
    run tells what it will take as well, by what earlier jobs took.
    """
    checks: Checks = request.app.state.checks
    work = partial(_submit, store, account, document, dry_run=dry_run)
    return await checks.run(partial(once.answer, account.id, document, work))


@router.get("/submissions", operation_id="listSubmissions")
def list_submissions(
    request: Request,
    response: Response,
    store: Opened,
    account: Signed,
    withdrawn: Annotated[bool, Query(description="Those that were withdrawn as well.")] = False,
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most.")] = 20,
    cursor: Annotated[
        str | None, Query(pattern=KEY, description="`next` of the page before.")
    ] = None,
) -> SubmissionPage:
    """Your submissions, newest first."""
    found = store.submissions.of_account(
        account.id, withdrawn=withdrawn, before=cursor, limit=limit + 1
    )
    following = found[limit - 1].key if len(found) > limit else None
    response.headers.update(next_link(request, following))
    items = [submission_answer(store, one) for one in found[:limit]]
    return SubmissionPage(items=items, next=following)


@router.get("/submissions/{key}", operation_id="getSubmission")
def get_submission(key: Key, store: Opened, account: Signed) -> Submission:
    """One of your submissions, with its jobs."""
    return submission_answer(store, own_submission(store, account, key))


@router.patch("/submissions/{key}", operation_id="changeVisibility")
def change_visibility(
    key: Key, asked: VisibilityChange, store: Opened, account: Signed
) -> Submission:
    """Publish a submission and its scores, or hide them."""
    own_submission(store, account, key)
    return submission_answer(store, store.submissions.publish(key, asked.visibility))


@router.delete("/submissions/{key}", operation_id="withdrawSubmission")
def withdraw_submission(key: Key, store: Opened, account: Signed) -> Submission:
    """Withdraw a submission: its jobs are cancelled, its scores hidden, and its file removed."""
    own_submission(store, account, key)
    return submission_answer(store, leaving.withdraw(store, key))


@router.get("/submissions/{key}/jobs", operation_id="listSubmissionJobs")
def list_submission_jobs(key: Key, store: Opened, account: Signed) -> JobList:
    """The jobs of a submission."""
    own_submission(store, account, key)
    return JobList(items=jobs_of(store, key))


@router.post(
    "/submissions/{key}/jobs",
    operation_id="addJobs",
    status_code=201,
    response_model=JobList,
)
def add_jobs(key: Key, asked: JobRequest, store: Opened, account: Signed, once: Once) -> Response:
    """Ask for more benchmarks; those that it has stay as they are."""
    submission = own_submission(store, account, key)

    def work() -> tuple[int, JobList]:
        jobs = entering.add_benchmarks(store, account, submission, asked.benchmarks)
        return 201, JobList(items=job_answers(store, jobs))

    return once.answer(account.id, asked, work)


@router.post("/submissions/{key}/cancel", operation_id="cancelJobs")
def cancel_jobs(key: Key, asked: CancelRequest, store: Opened, account: Signed) -> JobList:
    """Cancel jobs that wait or run; what runs is killed within seconds. These were cancelled."""
    own_submission(store, account, key)
    reason = f"cancelled by {account.name}"
    return JobList(
        items=job_answers(store, store.queue.cancel(key, job_ids=asked.jobs, reason=reason))
    )


@router.post("/submissions/{key}/rerun", operation_id="rerunJobs", response_model=JobList)
def rerun_jobs(
    key: Key, asked: RerunRequest, store: Opened, account: Signed, once: Once
) -> Response:
    """Queue jobs again that have ended; what is done only with `force`. These are queued."""
    own_submission(store, account, key)

    def work() -> tuple[int, JobList]:
        jobs = store.queue.rerun(key, job_ids=asked.jobs, force=asked.force)
        return 200, JobList(items=job_answers(store, jobs))

    return once.answer(account.id, asked, work)


@router.put("/submissions/{key}/priority", operation_id="prioritiseJobs")
def prioritise_jobs(
    request: Request, key: Key, asked: PriorityChange, store: Opened, account: Admin
) -> JobList:
    """Have the queued jobs taken before all of lower priority; needs the scope `admin`.

    These are the queued ones. The submission's events and the audit log tell it.
    """
    own_submission(store, account, key)
    jobs = store.queue.prioritise(key, asked.priority, actor=actor_of(request))
    return JobList(items=job_answers(store, jobs))


def _submit(
    store: Store, account: StoredAccount, document: Any, *, dry_run: bool
) -> tuple[int, Submission | SubmissionChecked]:
    form = read_form(document)
    if dry_run:
        return 200, checked_answer(store, account, entering.checked(store, account, form))
    entered = entering.enter(store, account, form)
    return 201 if entered.is_new else 200, submission_answer(store, entered.submission)
