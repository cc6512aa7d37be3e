"""A store in which every page of the site has something to show, in every state it can be in."""

from dataclasses import replace
from typing import Any, Final

from tests.handed_in import onnx_form
from tests.jobs.made_up_jobs import outcome
from tests.made_up_scores import HEBBIAN, benchmark_facts, candidate_facts, fill_store, record_score
from tests.web.browsers import PASSWORD

from isocortex.fingerprints import fingerprint
from isocortex.matrices import write_matrices
from isocortex.store import Selection, Store
from isocortex.store.queue import Claim, Lease, Outcome
from isocortex.store.submitted import CheckedSubmission

FACES: Final = ("faces/IT/rsa", "faces/V1/rsa")
PEOPLE: Final = {"ada": "user", "grace": "admin", "newcomer": "user"}
"""Whose browsers look at the pages: one with submissions, one who may all, one with nothing."""

LONG_NAMES: Final = tuple(f"/features/features.{n}/conv/Conv_output_{n}_quantized" for n in "0369")
RECIPE: Final = "conv4/categorise/feedback@cifar10:short"


def fill_site(store: Store) -> dict[str, str]:
    """Fill an empty store; what it returns are the keys of Ada's submissions by their states."""
    write_matrices("simulated")
    fill_store(store)
    for seed in range(3):
        facts = candidate_facts(f"{RECIPE}#{seed}", **HEBBIAN)
        for name in FACES:
            record_score(store, facts, benchmark_facts(name), 0.2)
    record_score(store, candidate_facts("family/other"), benchmark_facts(FACES[1]), 0.1)
    toy = benchmark_facts("toy/IT/rsa", simulated=True)
    record_score(store, candidate_facts("family/hebb", **HEBBIAN), toy)
    store.freeze("2026.11", "All benchmarks, November 2026.", Selection())
    for name, role in PEOPLE.items():
        account = store.accounts.create(name, password=PASSWORD, role=role)
        store.accounts.make_token(account.id, "laptop", ["read", "submit"])
    return _submissions(store)


def _submissions(store: Store) -> dict[str, str]:
    keys = {"done": _submission(store, "graph"), "given": _submission(store, "given")}
    for lease, claim in _leases(store, 2):
        store.queue.finish(lease, _named_long(outcome(claim, lease)))
    keys["failed"] = _submission(store, "failed")
    for lease, _ in _leases(store, 1):
        store.queue.fail(lease, "layer '/features/none' is not in the file; it holds 'rectified'")
    keys["dead"] = _submission(store, "lost", FACES[:1])
    for _ in range(3):
        for lease, _ in _leases(store, 1):
            store.queue.retry(lease, "the computer ran out of memory")
    for state in ("cancelled", "withdrawn"):
        keys[state] = _submission(store, state)
    store.queue.cancel(keys["cancelled"], reason="cancelled by ada")
    store.submissions.withdraw(keys["withdrawn"])
    keys["running"] = _submission(store, "running")
    for lease, _ in _leases(store, 1)[:1]:
        stage = {"stage": "extracting", "layer": LONG_NAMES[0], "done": 31, "total": 92}
        store.queue.beat("worker", [lease], progress={lease.job_id: stage})
        store.queue.log(lease, "log", "a line that the worker wrote")
    keys["waiting"] = _submission(store, "waiting")
    return keys


def _submission(store: Store, model: str, benchmarks: tuple[str, ...] = FACES) -> str:
    """The key of a submission of Ada's as if it had been checked, with its jobs."""
    form = onnx_form()
    kind: Any = "activations" if model == "given" else "onnx"
    card = form["card"] | {
        "source": "https://example.org/a",
        "bibtex": "@misc{a,\n  year = 2026\n}",
    }
    checked = CheckedSubmission(
        model=model,
        kind=kind,
        visibility="public",
        card=card,
        source={"layers": list(LONG_NAMES), "preprocessing": form["preprocessing"]},
        blob=None,
        content_hash=fingerprint({"model": model}),
        benchmarks=benchmarks,
    )
    found, _ = store.submissions.add(store.accounts.find("ada").id, checked)
    store.queue.add(found.key, benchmarks)
    return found.key


def _leases(store: Store, submissions: int) -> list[tuple[Lease, Claim]]:
    claims = [store.queue.claim("worker") for _ in range(submissions)]
    return [(lease, claim) for claim in claims if claim for lease in claim.leases]


def _named_long(found: Outcome) -> Outcome:
    """The same of a network whose layers have names as graphs give them."""
    detail = found.score.detail.assign_coords(layer=list(LONG_NAMES))
    score = replace(found.score, detail=detail, layer=LONG_NAMES[2])
    return replace(found, candidate=replace(found.candidate, layers=LONG_NAMES), score=score)
