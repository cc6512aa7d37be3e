"""How a submission enters the store, from the site and from the command line alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..errors import QuotaError, RejectedError
from ..store import Store
from ..store.account_records import StoredAccount
from ..store.queued import StoredJob
from ..store.submitted import CheckedSubmission, StoredSubmission
from .benchmark_names import benchmark_fault
from .blobs import Blobs
from .forms import SubmissionForm

_ALL = 100_000


@dataclass(frozen=True)
class Entered:
    """A submission in the store, whether it is new there, and its jobs."""

    submission: StoredSubmission
    is_new: bool
    jobs: tuple[StoredJob, ...]


def checked(store: Store, account: StoredAccount, form: SubmissionForm) -> CheckedSubmission:
    """The submission, checked to the end; its file was uploaded before, by this account.

    Raises RejectedError with every fault, JailError where files can't be looked at safely.
    """
    from .checking import check

    # A blob was hashed when it was kept, bears its hash as its name, and is never written again.
    return check(form, uploaded_file(store, account, form), account=account, verified=True)


def enter(store: Store, account: StoredAccount, form: SubmissionForm) -> Entered:
    """The submission in the store, with a job for each benchmark.

    The same content again is the same submission, which gets the benchmarks it did not have.
    """
    found = checked(store, account, form)
    submission, is_new = store.submissions.add(account.id, found)
    if not found.benchmarks:
        return Entered(submission, is_new, ())
    add = store.queue.add if is_new else partial(_add_within_quota, store, account)
    return Entered(submission, is_new, add(submission.key, found.benchmarks))


def add_benchmarks(
    store: Store, account: StoredAccount, submission: StoredSubmission, benchmarks: Sequence[str]
) -> tuple[StoredJob, ...]:
    """The submission's jobs on these benchmarks; those that it has stay as they are.

    Raises RejectedError with every benchmark that is none, QuotaError.
    """
    faults = [f"benchmarks: {fault}" for name in benchmarks if (fault := benchmark_fault(name))]
    if faults:
        raise RejectedError(faults)
    return _add_within_quota(store, account, submission.key, benchmarks)


def _add_within_quota(
    store: Store, account: StoredAccount, key: str, benchmarks: Sequence[str]
) -> tuple[StoredJob, ...]:
    there = {job.benchmark for job in store.queue.jobs(submission=key, limit=_ALL)}
    more = len(set(benchmarks) - there)
    used, most = store.submissions.usage(account.id), store.submissions.quotas
    if more and account.role != "admin" and used.queued_jobs + more > most.queued_jobs:
        raise QuotaError(
            f"{used.queued_jobs} jobs of yours wait already, and {most.queued_jobs} may; ask for "
            f"{more} more when some are done"
        )
    return store.queue.add(key, benchmarks)


def uploaded_file(store: Store, account: StoredAccount, form: SubmissionForm) -> Path | None:
    """The path of the form's file; None if it names none, or one on a hub. Raises RejectedError."""
    if form.sha256 is None or form.kind == "hub":
        return None
    path = Blobs(store.submissions).path(form.sha256)
    if not store.submissions.may_use(account.id, form.sha256) or not path.exists():
        raise RejectedError([f"sha256: you uploaded no file with SHA-256 {form.sha256}"])
    return path
