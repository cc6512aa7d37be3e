"""What a dry run says of the work ahead: by cards, lists of stimuli and earlier jobs alone."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from tests.jobs.made_up_jobs import account, outcome

from isocortex.client.foreseeing import submission_plan
from isocortex.client.submission_schemas import SubmissionPlan
from isocortex.fingerprints import fingerprint
from isocortex.store import Store
from isocortex.store.submitted import CheckedSubmission
from isocortex.submissions import stimulus_sheets

V1, IT, RSA = "simulated/V1/cka", "simulated/IT/cka", "simulated/V1/rsa"
PLACES = "cichy2014/IT/rsa"


def checked(*benchmarks: str, model: str = "net", **changes: Any) -> CheckedSubmission:
    """A network of two layers in which no fault was found."""
    facts: dict[str, Any] = {"kind": "onnx", "source": {"layers": ["a", "b"]}, **changes}
    return CheckedSubmission(
        model=model,
        visibility="private",
        card={},
        blob=None,
        content_hash=fingerprint({"model": model}),
        benchmarks=benchmarks,
        **facts,
    )


def plan(store: Store, owner: int, found: CheckedSubmission) -> SubmissionPlan:
    return submission_plan(store, store.accounts.by_id(owner), found)


def score_before(store: Store, owner: int, *benchmarks: str, kind: str = "onnx") -> None:
    """Score another network, of four layers: each benchmark takes 1.5 seconds."""
    key = store.submissions.add(owner, checked(*benchmarks, model=f"of-{kind}", kind=kind))[0].key
    store.queue.add(key, benchmarks)
    claim = store.queue.claim("one")
    assert claim is not None
    for number, lease in enumerate(claim.leases):
        found = outcome(claim, lease)
        store.queue.finish(lease, replace(found, peak_bytes=10**9 * (number + 1)))


def list_stimuli(dataset: str, content_hash: str, count: int) -> None:
    """A list of stimuli, as if it had been made."""
    folder = stimulus_sheets.sheet_folder(dataset)
    folder.mkdir(parents=True)
    sheet = {"dataset": dataset, "version": 1, "modality": "image", "degrees": None}
    sheet |= {"content_hash": content_hash, "licence": "", "handed_out": False}
    shown = {"sha256": "", "width": None, "height": None}
    stimuli = [{"position": n, "id": f"{n}", "file": f"{n}"} | shown for n in range(count)]
    text = json.dumps(sheet | {"obtained_from": [], "stimuli": stimuli})
    (folder / stimulus_sheets.LIST).write_text(text)


def test_benchmarks_that_share_stimuli_share_the_pass(small_store: Store) -> None:
    owner = account(small_store)
    found = plan(small_store, owner, checked(V1, PLACES, IT))
    assert [(each.stimuli, each.count, each.passes) for each in found.sets] == [
        ("simulated", None, 1),
        ("cichy2014", None, 1),
    ]
    assert [job.benchmark for job in found.sets[0].jobs] == [V1, IT]
    assert found.passes == 2


def test_datasets_of_the_same_stimuli_share_the_pass(small_store: Store) -> None:
    for name, content in (("simulated", "a"), ("cichy2014", "b"), ("kriegeskorte2008", "b")):
        list_stimuli(name, content * 64, 3)
    other = "kriegeskorte2008/IT/rsa"
    found = plan(small_store, account(small_store), checked(V1, PLACES, other))
    assert [(each.count, [job.benchmark for job in each.jobs]) for each in found.sets] == [
        (3, [V1]),
        (3, [PLACES, other]),
    ]
    assert found.passes == 2


def test_given_activations_need_no_pass(small_store: Store) -> None:
    found = plan(small_store, account(small_store), checked(V1, kind="activations"))
    assert (found.passes, [each.passes for each in found.sets]) == (0, [0])


def test_time_and_memory_are_those_of_earlier_jobs(store: Store) -> None:
    owner = account(store)
    score_before(store, owner, V1, RSA)
    found = plan(store, owner, checked(V1, IT, PLACES, "cichy2014/EVC/rsa"))
    seconds = {job.benchmark: job.seconds for each in found.sets for job in each.jobs}
    one = 1.5 / 4 * 2  # the seconds of a layer, and two layers
    assert seconds == dict.fromkeys((V1, IT, PLACES, "cichy2014/EVC/rsa"), one)
    assert (found.seconds, found.untimed) == (4 * one, [])
    held = {job.benchmark: job.peak_bytes for each in found.sets for job in each.jobs}
    assert held == {V1: 10**9, IT: 1.5e9, PLACES: None, "cichy2014/EVC/rsa": None}
    assert found.peak_bytes == 1.5e9  # on the same dataset, the median of 1 and 2 GB


def test_what_nothing_is_known_of_is_said_to_be_unknown(store: Store) -> None:
    owner = account(store)
    score_before(store, owner, RSA, kind="activations")
    found = plan(store, owner, checked(V1, PLACES))
    assert (found.untimed, found.seconds) == ([V1], 1.5 / 4 * 2)
    assert found.peak_bytes is None  # networks hold another amount than activations


def test_layers_that_are_not_chosen_yet_are_as_many_as_usual(store: Store) -> None:
    owner = account(store)
    score_before(store, owner, V1)
    found = plan(store, owner, checked(V1, kind="hub", source={"layers": []}))
    assert found.seconds == 1.5


def test_what_is_there_already_is_not_done_again(store: Store) -> None:
    owner = account(store)
    key = store.submissions.add(owner, checked(V1))[0].key
    store.queue.add(key, [V1, IT])
    waiting = plan(store, owner, checked(V1, RSA))
    (job,) = store.queue.jobs(submission=key)[:1]
    place = store.queue.position(job.id)
    assert waiting.position is not None
    assert place is not None
    assert vars(waiting.position) == vars(place)  # new jobs are taken with those that wait
    claim = store.queue.claim("one")
    assert claim is not None
    store.queue.finish(claim.leases[0], outcome(claim))
    store.queue.fail(claim.leases[1], "bad")
    found = plan(store, owner, checked(V1, IT))
    assert [job.state for job in found.sets[0].jobs] == ["done", "failed"]
    assert (found.submission, found.passes, found.seconds) == (key, 0, 0)
    assert found.position is None
    more = plan(store, owner, checked(V1, IT, RSA))
    assert (more.passes, more.untimed) == (1, [RSA])
    store.submissions.withdraw(key)
    assert plan(store, owner, checked(V1)).submission is None


def test_another_account_learns_nothing_of_what_is_there(store: Store) -> None:
    owner, other = account(store), account(store, "bob")
    key = store.submissions.add(owner, checked(V1))[0].key
    store.queue.add(key, [V1])
    found = plan(store, other, checked(V1))
    assert (found.submission, found.sets[0].jobs[0].state) == (None, None)


def test_a_plan_says_where_one_would_wait(store: Store) -> None:
    many, few = account(store), account(store, "bob")
    for number in range(3):
        key = store.submissions.add(many, checked(V1, model=f"net{number}"))[0].key
        store.queue.add(key, [V1, IT])
    foreseen = plan(store, few, checked(V1, model="mine")).position
    assert foreseen is not None
    assert (foreseen.place, foreseen.ahead, foreseen.workers) == (2, 2, 0)


def test_without_benchmarks_nothing_is_planned(small_store: Store) -> None:
    found = plan(small_store, account(small_store), checked())
    assert (found.sets, found.passes, found.position) == ([], 0, None)


@pytest.mark.parametrize("room", ["isocortex.client.foreseeing", "isocortex.cli.queueing"])
def test_a_plan_needs_neither_torch_nor_scorers(room: str) -> None:
    code = f"import sys, {room}; sys.exit(len({{'torch', 'sklearn'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
