"""Accounts, submissions and outcomes to try the queue with."""

from tests.made_up_scores import benchmark_facts, candidate_facts, made_up_score

from isocortex.fingerprints import fingerprint
from isocortex.store import Store
from isocortex.store.queue import Claim, Lease, Outcome
from isocortex.store.submitted import CheckedSubmission

FACES = "faces/IT/rsa"
PLACES = "places/IT/rsa"


def account(store: Store, name: str = "ann") -> int:
    """The id of a new account; an admin, who may queue any number of jobs."""
    return store.accounts.create(name, role="admin").id


def submit(
    store: Store,
    account_id: int,
    model: str = "net",
    *,
    visibility: str = "public",
    content: str = "",
) -> str:
    """The key of a new submission, without jobs."""
    checked = CheckedSubmission(
        model=model,
        kind="hub",
        visibility=visibility,
        card={},
        source={},
        blob=None,
        content_hash=fingerprint({"of": account_id, "model": model, "content": content}),
        benchmarks=(FACES,),
    )
    return store.submissions.add(account_id, checked)[0].key


def queued(store: Store, *benchmarks: str, name: str = "ann", model: str = "net") -> str:
    """The key of the submission of a new account, with jobs on these benchmarks."""
    key = submit(store, account(store, name), model)
    store.queue.add(key, benchmarks or [FACES])
    return key


def outcome(claim: Claim, lease: Lease | None = None, raw: float = 0.4) -> Outcome:
    """A made-up score of that claim's model on the benchmark of a lease, the first by default."""
    candidate = candidate_facts(claim.submission.model)
    benchmark = benchmark_facts((lease or claim.leases[0]).benchmark)
    score = made_up_score(candidate, benchmark, raw)
    return Outcome(candidate=candidate, benchmark=benchmark, score=score, seconds=1.5, seed=0)


def kinds(store: Store, key: str, job_id: int | None = None) -> list[str]:
    """The kinds of a submission's events, or of one job's, in their order."""
    events = store.queue.events(key)
    return [each.kind for each in events if job_id is None or each.job_id == job_id]
