"""The pages of submissions: the form, one's list, and what becomes of one. They need no script."""

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import UploadFile

from isocortex import ontology
from isocortex.client.answering import submission_answer
from isocortex.client.foreseeing import submission_plan
from isocortex.client.submission_schemas import Event, SubmissionPlan, Visibility
from isocortex.errors import JailError, QuotaError, RejectedError, StoreError
from isocortex.store import Store
from isocortex.store.account_records import StoredAccount
from isocortex.submissions import entering, leaving
from isocortex.submissions.blobs import Blobs
from isocortex.submissions.forms import SubmissionForm, read_form

from . import catalogue
from .access import Signed
from .columns import AXIS_LABELS
from .form_limits import bounded_form
from .plan_views import plan_view
from .rendering import render
from .submission_answers import own_submission
from .submission_forms import (
    EMPTY,
    FIELD_LABELS,
    KIND_LABELS,
    Typed,
    document_of,
    faults_by_field,
    kinds_for,
    read_typed,
)
from .submission_views import shown_events, submission_view
from .submissions_api import Checks
from .viewing import Opened

router = APIRouter(include_in_schema=False)

_PIECE: Final = 1 << 20
_EVENTS: Final = 200
_Job = Annotated[int | None, Form(ge=1, le=2**63 - 1)]


@router.get("/submit")
def submit_page(request: Request, store: Opened, account: Signed) -> Response:
    """The form, with nothing typed yet."""
    return _form_page(request, store, account, EMPTY, ())


@router.post("/submit", dependencies=[Depends(bounded_form)])
async def submit_form(request: Request, store: Opened, account: Signed) -> Response:
    """The submission's page; or the form again, with all faults and all that was typed."""
    sent = await request.form()
    typed, file = read_typed(sent.multi_items()), sent.get("file")
    checks: Checks = request.app.state.checks
    uploaded = file if isinstance(file, UploadFile) and file.filename else None
    return await checks.run(partial(_submit, request, store, account, typed, uploaded))


@router.get("/submissions")
def submissions_page(
    request: Request,
    store: Opened,
    account: Signed,
    before: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """One's submissions, newest first."""
    found = store.submissions.of_account(account.id, withdrawn=True, before=before, limit=26)
    context = {
        "views": [submission_view(submission_answer(store, one)) for one in found[:25]],
        "following": found[24].key if len(found) > 25 else None,
        "usage": store.submissions.usage(account.id),
        "quotas": store.submissions.quotas,
    }
    return render(request, "submissions.html", context)


@router.get("/submissions/{key}")
def submission_page(request: Request, key: str, store: Opened, account: Signed) -> Response:
    """What becomes of a submission."""
    submission = submission_answer(store, own_submission(store, account, key))
    last = store.queue.events(key, limit=10_000)[-_EVENTS:]
    events = [Event.model_validate(one) for one in last]
    context = {
        "view": submission_view(submission),
        "events": shown_events(events, submission.jobs),
        "benchmarks": _benchmarks(store, {job.benchmark for job in submission.jobs}),
        "last_event": events[-1].id if events else 0,
        "kind_labels": KIND_LABELS,
        "field_labels": FIELD_LABELS,
    }
    return render(request, "submission.html", context)


@router.post("/submissions/{key}/cancel")
def cancel_form(key: str, store: Opened, account: Signed, job: _Job = None) -> Response:
    """Cancel one job, or all that have not ended."""
    own_submission(store, account, key)
    store.queue.cancel(key, job_ids=_only(job), reason=f"cancelled by {account.name}")
    return _back(key)


@router.post("/submissions/{key}/rerun")
def rerun_form(key: str, store: Opened, account: Signed, job: _Job = None) -> Response:
    """Run one job again, even if it is done, or all that ended without a score."""
    own_submission(store, account, key)
    store.queue.rerun(key, job_ids=_only(job), force=job is not None)
    return _back(key)


@router.post("/submissions/{key}/benchmarks")
def benchmarks_form(
    key: str,
    store: Opened,
    account: Signed,
    benchmarks: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Ask for more benchmarks."""
    submission = own_submission(store, account, key)
    if benchmarks:
        entering.add_benchmarks(store, account, submission, benchmarks[:500])
    return _back(key)


@router.post("/submissions/{key}/visibility")
def visibility_form(
    key: str, store: Opened, account: Signed, visibility: Annotated[Visibility, Form()]
) -> Response:
    """Publish a submission, or hide it."""
    own_submission(store, account, key)
    store.submissions.publish(key, visibility)
    return _back(key)


@router.post("/submissions/{key}/withdraw")
def withdraw_form(key: str, store: Opened, account: Signed) -> Response:
    """Withdraw a submission."""
    own_submission(store, account, key)
    leaving.withdraw(store, key)
    return _back(key)


def _submit(
    request: Request, store: Store, account: StoredAccount, typed: Typed, file: UploadFile | None
) -> Response:
    try:
        typed, form, faults = _read(store, account, typed, file)
        if form is None:
            return _form_page(request, store, account, typed, faults, status_code=422)
        if typed["dry_run"]:
            plan = submission_plan(store, account, entering.checked(store, account, form))
            return _form_page(request, store, account, typed, (), plan=plan)
        entered = entering.enter(store, account, form)
    except RejectedError as error:
        return _form_page(request, store, account, typed, error.faults, status_code=422)
    except QuotaError as error:
        return _form_page(request, store, account, typed, [str(error)], status_code=429)
    except (JailError, StoreError) as error:
        return _form_page(request, store, account, typed, [str(error)], status_code=503)
    return _back(entered.submission.key)


def _read(
    store: Store, account: StoredAccount, typed: Typed, file: UploadFile | None
) -> tuple[Typed, SubmissionForm | None, list[str]]:
    """What was typed with what is known of the file, the form, and the faults of both."""
    faults: list[str] = []
    if file is not None:
        try:
            typed = _keep(store, account, typed, file)
        except RejectedError as error:
            faults += error.faults
    known = typed["sha256"] or ("0" * 64 if faults else None)
    try:
        form = read_form(document_of(typed, sha256=known))
    except RejectedError as error:
        return typed, None, [*faults, *error.faults]
    return typed, None if faults else form, faults


def _keep(store: Store, account: StoredAccount, typed: Typed, file: UploadFile) -> Typed:
    """What was typed, and the file as a blob of the account's: it need not be sent again."""
    sent = file.file
    digest, size = hashlib.sha256(), 0
    while piece := sent.read(_PIECE):
        digest.update(piece)
        size += len(piece)
    sha256, blobs = digest.hexdigest(), Blobs(store.submissions)
    kind = typed["kind"] if typed["kind"] in kinds_for("admin") else "plugin"
    upload = blobs.begin(account.id, kind, sha256=sha256, size=size)  # type: ignore[arg-type]
    if upload.finished_at is None:
        sent.seek(upload.received)
        pieces = iter(partial(sent.read, _PIECE), b"")
        blobs.append(upload.key, pieces, account_id=account.id, offset=upload.received)
        blobs.finish(upload.key, kind, account_id=account.id)  # type: ignore[arg-type]
    known = {"sha256": sha256, "file_name": file.filename or "file"}
    return Typed({**typed.values, **known}, typed.lists)


def _form_page(
    request: Request,
    store: Store,
    account: StoredAccount,
    typed: Typed,
    faults: Any,
    *,
    status_code: int = 200,
    plan: SubmissionPlan | None = None,
) -> Response:
    context = {
        "plan": plan and plan_view(plan),
        "typed": typed,
        "faults": faults_by_field(faults, FIELD_LABELS),
        "kinds": kinds_for(account.role),
        "terms": {axis: _terms(axis) for axis in AXIS_LABELS},
        "axes": tuple(AXIS_LABELS),
        "labels": FIELD_LABELS,
        "benchmarks": _benchmarks(store, set()),
    }
    return render(request, "submit.html", context, status_code=status_code)


def _terms(axis: ontology.Axis) -> list[tuple[str, str]]:
    """The terms of an axis with their labels, set in under their parents."""
    terms, depth, found = ontology.terms(axis), dict[str, int](), []
    for term in terms:
        depth[term.name] = 0 if term.parent is None else depth[term.parent] + 1
        found.append((term.name, "\u2003" * max(0, depth[term.name] - 1) + term.label))
    return found


def _benchmarks(store: Store, without: set[str]) -> Mapping[str, list[str]]:
    """The benchmarks that can still be asked for, by dataset."""
    found: dict[str, list[str]] = {}
    for one in catalogue.known_benchmarks(store).values():
        if one.name not in without:
            found.setdefault(one.dataset.partition(":")[0], []).append(one.name)
    return found


def _only(job: int | None) -> list[int] | None:
    return None if job is None else [job]


def _back(key: str) -> Response:
    return RedirectResponse(f"/submissions/{key}", 303)
