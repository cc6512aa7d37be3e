"""Scores that are somebody's: handed in and scored as a worker would, or made somebody's later."""

from dataclasses import replace
from itertools import count

from sqlalchemy import insert, select

from isocortex.fingerprints import fingerprint
from isocortex.store import Store, service, writing
from isocortex.store.opening import writing as transaction
from isocortex.store.queue import Outcome
from isocortex.store.schema import Candidate, CandidateVersion, Score
from isocortex.store.submitted import CheckedSubmission, Visibility
from tests.made_up_scores import benchmark_facts, candidate_facts, made_up_score

_NUMBERS = count()


def hand_in(
    store: Store,
    account_id: int,
    scores: dict[str, float],
    *,
    model: str = "net",
    visibility: Visibility = "public",
    version: int = 1,
    **words: str,
) -> str:
    """The key of a new submission that has these raw scores by benchmark; `words` are its card's.

    `version` stands for all that decides the candidate's fingerprint: equal ones share it, as do
    two files that hold the same weights.
    """
    checked = CheckedSubmission(
        model=model,
        kind="hub",
        visibility=visibility,
        card={"summary": "A made-up network.", **words},
        source={},
        blob=None,
        content_hash=fingerprint({"number": next(_NUMBERS)}),
        benchmarks=tuple(scores),
    )
    key = store.submissions.add(account_id, checked)[0].key
    store.queue.add(key, scores)
    score_all(store, scores, version=version)
    return key


def score_all(store: Store, scores: dict[str, float], *, version: int = 1) -> None:
    """Do what is queued of one submission, as a worker does: what is there is not scored again."""
    claim = store.queue.claim("worker")
    assert claim is not None
    facts = candidate_facts(claim.submission.model, version=version)
    facts = replace(facts, card={**facts.card, **claim.submission.card})
    for lease in claim.leases:
        benchmark = benchmark_facts(lease.benchmark)
        stored = store.queue.stored_score(facts.fingerprint, benchmark.fingerprint)
        if stored is not None and not lease.anew:
            store.queue.finish_with_stored(lease, stored)
            continue
        score = made_up_score(facts, benchmark, scores[lease.benchmark])
        made = Outcome(candidate=facts, benchmark=benchmark, score=score, seconds=1.0, seed=0)
        store.queue.finish(lease, made)


def own(store: Store, name: str, account_id: int, visibility: Visibility) -> str:
    """Make all scores of a candidate somebody's; the key of the submission that has them now."""
    checked = CheckedSubmission(
        model=name.partition("/")[2] or name,
        kind="hub",
        visibility=visibility,
        card={},
        source={},
        blob=None,
        content_hash=fingerprint({"number": next(_NUMBERS)}),
        benchmarks=(),
    )
    key = store.submissions.add(account_id, checked)[0].key
    of_candidate = (
        select(Score.id)
        .join(CandidateVersion, Score.candidate_version_id == CandidateVersion.id)
        .join(Candidate, CandidateVersion.candidate_id == Candidate.id)
        .where(Candidate.name == name)
    )
    with transaction(store.engine) as connection:
        table = service.Submission
        submission = connection.scalar(select(table.id).where(table.key == key))
        rows = [
            {"score_id": each, "submission_id": submission}
            for each in connection.scalars(of_candidate).all()
        ]
        connection.execute(insert(service.Ownership), rows)
        writing.count_revision(connection)
    return key
