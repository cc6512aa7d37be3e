"""The store of this computer, spoken to as a server is: the same names, the same answers."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..errors import UnknownNameError
from ..store import Store, open_store
from ..store.account_records import StoredAccount
from ..store.submitted import CheckedSubmission
from ..submissions import entering
from ..submissions.admission import admit
from ..submissions.blobs import Blobs
from ..submissions.forms import SubmissionForm, read_form
from .answering import submission_answer
from .submission_schemas import (
    Event,
    EventPage,
    Submission,
    SubmissionChecked,
    SubmissionPage,
    Visibility,
)
from .uploading import Progress


class Local:
    """Submitting to one's own store, as the account of whoever sits at this computer."""

    def __init__(self, store: Store | None = None) -> None:
        self.store = store or open_store()
        self.account: StoredAccount = self.store.accounts.local_account()

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
        """What would be submitted; the file is kept among one's uploads."""
        found = self.examine(form, path)
        model = f"{self.account.name}/{found.model}"
        return SubmissionChecked.model_validate(vars(found) | {"model": model})

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
        return submission_answer(self.store, self.store.submissions.withdraw(key))

    def list_events(self, key: str, *, after: int = 0, limit: int = 100) -> EventPage:
        """What happened to a submission, in order."""
        events = self.store.queue.events(key, after=after, limit=limit)
        items = [Event.model_validate(one) for one in events]
        return EventPage(items=items, next=items[-1].id if items else after)

    def _with_file(self, form: Mapping[str, Any], path: Path | None) -> SubmissionForm:
        """The form, read; its file is a blob by then. All faults of the form come first."""
        if path is None:
            return read_form(form)
        read_form({**form, "sha256": "0" * 64})
        kind = form["kind"]
        admit(path, kind)
        sha256 = Blobs(self.store.submissions).add(self.account.id, kind, path)
        return read_form({**form, "sha256": sha256})
