"""The store of this computer, spoken to as a server is: the same names, the same answers.

Submissions are one's own; jobs are everybody's, since who holds the database holds the queue.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from ..errors import UnknownNameError
from ..store import Store, open_store
from ..store.account_records import Actor, StoredAccount
from ..store.queued import StoredJob
from ..store.submitted import CheckedSubmission
from ..submissions import entering, leaving
from ..submissions.admission import admit
from ..submissions.blobs import Blobs
from ..submissions.forms import SubmissionForm, read_form
from .answering import event_page, has_ended, job_answers, job_page, jobs_of, submission_answer
from .foreseeing import checked_answer
from .submission_schemas import (
    Event,
    EventPage,
    Job,
    JobList,
    JobPage,
    State,
    Submission,
    SubmissionChecked,
    SubmissionPage,
    Visibility,
)
from .uploading import Progress

_LOOK_SECONDS: Final = 1.0


class Local:
    """Submitting to one's own store, as the account of whoever sits at this computer."""

    def __init__(self, store: Store | None = None) -> None:
        self.store = store or open_store()

    @cached_property
    def account(self) -> StoredAccount:
        """The account of whoever sits at this computer; it is made when it is first needed."""
        return self.store.accounts.local_account()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.store.close()

    def submit(
        self,
        form: Mapping[str, Any],
        path: Path | None = None,
        *,
        progress: Progress | None = None,
    ) -> Submission:
        """The submission of a form with its file. Raises RejectedError with every fault."""
        read = self._with_file(form, path)
        if progress is not None and path is not None:
            progress(path.stat().st_size, path.stat().st_size)
        entered = entering.enter(self.store, self.account, read)
        return submission_answer(self.store, entered.submission)

    def check(self, form: Mapping[str, Any], path: Path | None = None) -> SubmissionChecked:
        """What would be submitted, and what it will take; the file is kept among one's uploads."""
        return checked_answer(self.store, self.account, self.examine(form, path))

    def examine(self, form: Mapping[str, Any], path: Path | None = None) -> CheckedSubmission:
        """The same with card, source and file, from which the work can be planned."""
        return entering.checked(self.store, self.account, self._with_file(form, path))

    def list_submissions(
        self, *, withdrawn: bool = False, limit: int = 20, cursor: str | None = None
    ) -> SubmissionPage:
        """One's submissions, newest first."""
        found = self.store.submissions.of_account(
            self.account.id, withdrawn=withdrawn, before=cursor, limit=limit + 1
        )
        items = [submission_answer(self.store, one) for one in found[:limit]]
        following = found[limit - 1].key if len(found) > limit else None
        return SubmissionPage(items=items, next=following)

    def get_submission(self, key: str) -> Submission:
        """One's submission with its jobs."""
        found = self.store.submissions.find(key)
        if found.account_id != self.account.id and self.account.role != "admin":
            raise UnknownNameError(f"you have no submission {key!r}")
        return submission_answer(self.store, found)

    def change_visibility(self, key: str, visibility: Visibility) -> Submission:
        """The submission, seen as `visibility` says from now on, as its scores are."""
        self.get_submission(key)
        return submission_answer(self.store, self.store.submissions.publish(key, visibility))

    def withdraw_submission(self, key: str) -> Submission:
        """The submission, which is withdrawn."""
        self.get_submission(key)
        return submission_answer(self.store, leaving.withdraw(self.store, key))

    def list_events(self, key: str, *, after: int = 0, limit: int = 100) -> EventPage:
        """What happened to a submission, in order."""
        return event_page(self.store, key, after=after, limit=limit)

    def list_submission_jobs(self, key: str) -> JobList:
        """The jobs of a submission."""
        return JobList(items=jobs_of(self.store, self.store.submissions.find(key).key))

    def list_jobs(
        self,
        *,
        state: Sequence[State] = (),
        submission: str | None = None,
        account: str | None = None,
        limit: int = 100,
        cursor: int | None = None,
    ) -> JobPage:
        """Jobs, newest first, of all accounts or of one: who holds the database sees them all."""
        owner = None if account is None else self.store.accounts.find(account).id
        found = self.store.queue.jobs(
            submission=submission, account=owner, states=state, after=cursor, limit=limit + 1
        )
        return job_page(self.store, found, limit=limit)

    def get_job(self, job_id: int) -> Job:
        """One job."""
        return job_answers(self.store, [self.store.queue.job(job_id)])[0]

    def cancel_jobs(self, key: str, jobs: Sequence[int] | None = None) -> JobList:
        """The jobs that are cancelled: of these ids, or of all that had not ended."""
        return self._jobs(self.store.queue.cancel(key, job_ids=jobs))

    def rerun_jobs(
        self, key: str, jobs: Sequence[int] | None = None, *, force: bool = False
    ) -> JobList:
        """The jobs that are queued again, of those that ended; what is done only by `force`."""
        return self._jobs(self.store.queue.rerun(key, job_ids=jobs, force=force))

    def prioritise_jobs(self, key: str, priority: int) -> JobList:
        """The submission's queued jobs, taken before all of lower priority."""
        actor = Actor(self.account.id)
        return self._jobs(self.store.queue.prioritise(key, priority, actor=actor))

    def follow(self, key: str, *, after: int = 0) -> Iterator[Event | Job]:
        """What happens to a submission, as it happens: events, and jobs whenever they change.

        It ends when all jobs have ended.
        """
        told: dict[int, Job] = {}
        while True:
            jobs = jobs_of(self.store, key)  # first, so that no event of an ended one is missed
            while items := self.list_events(key, after=after).items:
                after = items[-1].id
                yield from items
            yield from (job for job in jobs if told.get(job.id) != job)
            told = {job.id: job for job in jobs}
            if has_ended(jobs):
                return
            time.sleep(_LOOK_SECONDS)

    def _jobs(self, changed: Iterable[StoredJob]) -> JobList:
        return JobList(items=job_answers(self.store, changed))

    def _with_file(self, form: Mapping[str, Any], path: Path | None) -> SubmissionForm:
        """The form, read; its file is a blob by then. All faults of the form come first."""
        if path is None:
            return read_form(form)
        read_form({**form, "sha256": "0" * 64})
        kind = form["kind"]
        admit(path, kind)
        sha256 = Blobs(self.store.submissions).add(self.account.id, kind, path)
        return read_form({**form, "sha256": sha256})
