"""The operations on submissions, jobs, stimuli and webhooks."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, overload

from ..errors import RejectedError
from ..submissions.forms import SubmissionForm
from .connecting import Call, in_path
from .following import Following
from .submission_schemas import (
    ENDED,
    CancelRequest,
    EventPage,
    Job,
    JobList,
    JobPage,
    JobRequest,
    RerunRequest,
    State,
    StimulusList,
    Submission,
    SubmissionChecked,
    SubmissionPage,
    Visibility,
    VisibilityChange,
    Webhook,
    WebhookList,
    WebhookMade,
    WebhookRequest,
)
from .uploading import Progress, Uploads

Form = SubmissionForm | Mapping[str, Any]


class Submitting(Uploads, Following):
    """Submitting models, and following what becomes of them."""

    def submit(
        self,
        form: Form,
        path: Path | str | None = None,
        *,
        progress: Progress | None = None,
    ) -> Submission:
        """The submission of a form, after its file was uploaded; `progress` tells how far it is.

        Raises RejectedError with every fault; those of the form come before anything is sent.
        """
        document = _document(form)
        if path is not None:
            self._check_form(document)
            upload = self.upload(path, kind=document["kind"], progress=progress)
            document["sha256"] = upload.sha256
        return self.create_submission(document)

    def _check_form(self, document: Mapping[str, Any]) -> None:
        """Have the form checked without its file."""
        try:
            self.create_submission({**document, "sha256": "0" * 64}, dry_run=True)
        except RejectedError as error:
            faults = [fault for fault in error.faults if not fault.startswith("sha256:")]
            if faults:
                raise RejectedError(faults) from None

    @overload
    def create_submission(self, form: Form, *, dry_run: Literal[False] = False) -> Submission: ...
    @overload
    def create_submission(self, form: Form, *, dry_run: Literal[True]) -> SubmissionChecked: ...
    def create_submission(
        self, form: Form, *, dry_run: bool = False
    ) -> Submission | SubmissionChecked:
        """The submission of a form whose file is there; after a dry run, what it would have been.

        A dry run says what it will take as well: passes, seconds, memory and place in the queue.
        The same content again is the same submission. Raises RejectedError with every fault.
        """
        call = Call(
            method="POST",
            path="/submissions",
            query={"dry_run": dry_run or None},
            body=_document(form),
            once=True,
        )
        if dry_run:
            return self._ask(SubmissionChecked, call)
        return self._ask(Submission, call)

    def list_submissions(
        self, *, withdrawn: bool = False, limit: int = 20, cursor: str | None = None
    ) -> SubmissionPage:
        """Your submissions, newest first."""
        query = {"withdrawn": withdrawn, "limit": limit, "cursor": cursor}
        return self._ask(SubmissionPage, Call(method="GET", path="/submissions", query=query))

    def get_submission(self, key: str) -> Submission:
        """A submission with its jobs."""
        return self._ask(Submission, Call(method="GET", path=_of(key)))

    def change_visibility(self, key: str, visibility: Visibility) -> Submission:
        """The submission, which is seen as `visibility` says from now on, as its scores are."""
        body = VisibilityChange(visibility=visibility)
        return self._ask(Submission, Call(method="PATCH", path=_of(key), body=body))

    def withdraw_submission(self, key: str) -> Submission:
        """The submission, which is withdrawn: its jobs are cancelled and its scores hidden."""
        return self._ask(Submission, Call(method="DELETE", path=_of(key)))

    def list_submission_jobs(self, key: str) -> JobList:
        """The jobs of a submission."""
        return self._ask(JobList, Call(method="GET", path=_of(key, "jobs")))

    def add_jobs(self, key: str, benchmarks: Sequence[str]) -> JobList:
        """The submission's jobs on these benchmarks; those that it has stay as they are."""
        body = JobRequest(benchmarks=list(benchmarks))
        return self._ask(JobList, Call(method="POST", path=_of(key, "jobs"), body=body, once=True))

    def cancel_jobs(self, key: str, jobs: Sequence[int] | None = None) -> JobList:
        """The jobs that are cancelled: of these ids, or of all that had not ended."""
        body = CancelRequest(jobs=None if jobs is None else list(jobs))
        # What is cancelled twice is cancelled once.
        return self._ask(
            JobList, Call(method="POST", path=_of(key, "cancel"), body=body, once=True)
        )

    def rerun_jobs(
        self, key: str, jobs: Sequence[int] | None = None, *, force: bool = False
    ) -> JobList:
        """The jobs that are queued again, of those that ended; what is done only by `force`."""
        body = RerunRequest(jobs=None if jobs is None else list(jobs), force=force)
        return self._ask(JobList, Call(method="POST", path=_of(key, "rerun"), body=body, once=True))

    def prioritise_jobs(self, key: str, priority: int) -> JobList:
        """The submission's queued jobs, taken before all of lower priority; for admins alone."""
        call = Call(method="PUT", path=_of(key, "priority"), body={"priority": priority})
        return self._ask(JobList, call)

    def list_jobs(
        self,
        *,
        state: Sequence[State] = (),
        submission: str | None = None,
        account: str | None = None,
        limit: int = 100,
        cursor: int | None = None,
    ) -> JobPage:
        """Your jobs, newest first; those of another `account` for admins alone."""
        whose = {"submission": submission, "account": account}
        query = {"state": list(state), **whose, "limit": limit, "cursor": cursor}
        return self._ask(JobPage, Call(method="GET", path="/jobs", query=query))

    def get_job(self, job_id: int) -> Job:
        """One of your jobs."""
        return self._ask(Job, Call(method="GET", path=f"/jobs/{job_id}"))

    def list_events(self, key: str, *, after: int = 0, limit: int = 100) -> EventPage:
        """What happened to a submission, in order; `follow` tells it as it happens."""
        query = {"after": after, "limit": limit}
        return self._ask(EventPage, Call(method="GET", path=_of(key, "events"), query=query))

    def wait(self, key: str, *, timeout: float | None = None) -> Submission:
        """The submission, once all its jobs have ended; it is looked at every few seconds.

        Raises TimeoutError if they have not within `timeout` seconds.
        """
        begun, pause = time.monotonic(), 0.5
        while True:
            submission = self.get_submission(key)
            if all(job.state in ENDED for job in submission.jobs):
                return submission
            left = math.inf if timeout is None else timeout - (time.monotonic() - begun)
            if left <= 0:
                raise TimeoutError(f"the jobs of {key} have not ended within {timeout} seconds")
            time.sleep(min(pause, left))
            pause = min(1.5 * pause, 10.0)

    def list_stimuli(
        self, dataset: str, *, limit: int = 1000, cursor: int | None = None
    ) -> StimulusList:
        """What a network must be shown, in order; rows of activations are named by these ids."""
        query = {"limit": limit, "cursor": cursor}
        path = f"/datasets/{in_path(dataset, keep=':')}/stimuli"
        return self._ask(StimulusList, Call(method="GET", path=path, query=query))

    def get_stimulus_file(self, dataset: str, position: int) -> bytes:
        """The file of one stimulus, where it may be handed out."""
        path = f"/datasets/{in_path(dataset, keep=':')}/stimuli/{position}"
        return self._send(Call(method="GET", path=path)).content

    def create_webhook(self, url: str) -> WebhookMade:
        """A webhook, with the secret that signs what it is sent."""
        body = WebhookRequest(url=url)
        return self._ask(WebhookMade, Call(method="POST", path="/webhooks", body=body))

    def list_webhooks(self) -> list[Webhook]:
        """Your webhooks, without their secrets."""
        return self._ask(WebhookList, Call(method="GET", path="/webhooks")).items

    def delete_webhook(self, key: str) -> None:
        """Tell this address no more."""
        self._send(Call(method="DELETE", path=f"/webhooks/{in_path(key, keep='')}"))


def _document(form: Form) -> dict[str, Any]:
    if isinstance(form, SubmissionForm):
        return form.model_dump(mode="json", exclude_none=True)
    return dict(form)


def _of(key: str, *rest: str) -> str:
    return "/".join(("/submissions", in_path(key, keep=""), *rest))
