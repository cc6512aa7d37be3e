"""The run of a claim with real networks on simulated recordings: one pass, many benchmarks."""

from contextlib import contextmanager, nullcontext
from dataclasses import replace

import pytest
from tests.jobs.made_up_jobs import account, kinds, submit

from isocortex import jail, settings
from isocortex.errors import FetchError, InputError, JailError, StoreError
from isocortex.jobs import faults, runner
from isocortex.jobs.desk import Desk
from isocortex.jobs.runner import run_claim
from isocortex.jobs.worker import work_on
from isocortex.runs import load_candidate
from isocortex.store import Store
from isocortex.store.submitted import StoredSubmission

CKA, RSA = "simulated/V1/cka", "simulated/V1/rsa"


@contextmanager
def pixels(submission: StoredSubmission):
    """The built-in candidate of that name, under the submission's."""
    found = load_candidate("pixels")
    yield replace(found, card=replace(found.card, name=submission.model))


def add(store: Store, *benchmarks: str, model: str = "pixels") -> str:
    key = submit(store, account(store), model)
    store.queue.add(key, benchmarks)
    return key


def run(store: Store, desk: Desk, load=pixels) -> bool:
    return work_on(desk, lambda at, claim: run_claim(at, claim, load=load))


def states(store: Store, key: str) -> dict[str, str]:
    return {job.benchmark: job.state for job in store.queue.jobs(submission=key)}


def test_a_model_is_loaded_and_run_once_for_all_benchmarks(small_store: Store, monkeypatch) -> None:
    key, loads, passes = add(small_store, CKA, RSA), [], []
    answers_for = runner.answers_for

    def counted(source, benchmarks, **options):
        passes.append([each.name for each in benchmarks])
        return answers_for(source, benchmarks, **options)

    @contextmanager
    def load(submission):
        loads.append(submission.model)
        with pixels(submission) as found:
            yield found

    monkeypatch.setattr(runner, "answers_for", counted)
    assert run(small_store, Desk(small_store.queue, "one"), load)
    assert (loads, passes) == (["ann/pixels"], [[CKA, RSA]])
    assert states(small_store, key) == {CKA: "done", RSA: "done"}
    for job in small_store.queue.jobs(submission=key):
        assert job.seconds > 0
        assert job.peak_bytes > 10**7
        assert job.progress["cpu_seconds"] > 0
    scores = small_store.scores().scores
    assert {score.candidate for score in scores} == {"ann/pixels"}
    assert {score.id for score in scores} == {job.score_id for job in small_store.queue.jobs()}


def test_what_the_very_same_model_was_scored_on_is_not_scored_twice(small_store: Store) -> None:
    key, desk = add(small_store, CKA), Desk(small_store.queue, "one")
    run(small_store, desk)
    small_store.queue.cancel(key)
    (job,) = small_store.queue.jobs(submission=key)
    again = submit(small_store, job.account_id, "pixels", content="other")
    small_store.queue.add(again, [CKA])
    run(small_store, desk)
    (linked,) = small_store.queue.jobs(submission=again)
    assert (linked.state, linked.score_id) == ("done", job.score_id)
    assert len(small_store.runs()) == 1
    small_store.queue.rerun(key, force=True)
    run(small_store, desk)
    assert len(small_store.runs()) == 2


def test_a_benchmark_that_is_not_there_fails_alone(small_store: Store) -> None:
    key = add(small_store, CKA, "simulated/V9/cka", "nowhere/V1/cka")
    run(small_store, Desk(small_store.queue, "one"))
    assert states(small_store, key) == {
        CKA: "done",
        "simulated/V9/cka": "failed",
        "nowhere/V1/cka": "failed",
    }
    assert "nowhere" in str(small_store.queue.jobs(submission=key)[0].error)


def test_a_model_that_can_not_be_loaded_fails_on_all_benchmarks(small_store: Store) -> None:
    key = add(small_store, CKA, RSA)

    def load(submission):
        raise InputError("no layer is named 'conv9'")

    run(small_store, Desk(small_store.queue, "one"), load)
    assert set(states(small_store, key).values()) == {"failed"}
    assert {job.error for job in small_store.queue.jobs()} == {"no layer is named 'conv9'"}


def test_a_model_that_fails_on_the_stimuli_fails_on_those_benchmarks(small_store: Store) -> None:
    key = add(small_store, CKA, RSA)

    def load(submission):
        found = load_candidate("pixels")
        card = replace(found.card, name=submission.model)
        return nullcontext(replace(found, card=card, layers=("conv9",)))

    run(small_store, Desk(small_store.queue, "one"), load)
    assert set(states(small_store, key).values()) == {"failed"}
    assert "conv9" in str(small_store.queue.jobs()[0].error)


def test_the_present_benchmark_is_finished_when_the_worker_is_asked_to_stop(
    small_store: Store, monkeypatch
) -> None:
    key, desk = add(small_store, CKA, RSA), Desk(small_store.queue, "one")
    evaluate = runner.evaluate

    def last(*arguments, **options):
        desk.stopping.set()
        return evaluate(*arguments, **options)

    monkeypatch.setattr(runner, "evaluate", last)
    run(small_store, desk)
    assert states(small_store, key) == {CKA: "done", RSA: "queued"}
    waiting = small_store.queue.jobs(states=["queued"])[0]
    assert waiting.tries == 0
    assert kinds(small_store, key, waiting.id) == ["queued", "started", "released"]


def test_a_benchmark_that_is_cancelled_meanwhile_is_left_out(
    small_store: Store, monkeypatch
) -> None:
    key, desk = add(small_store, CKA, RSA), Desk(small_store.queue, "one")
    evaluate, cancelled = runner.evaluate, small_store.queue.jobs(submission=key)[0]

    def first(*arguments, **options):
        small_store.queue.cancel(key, job_ids=[cancelled.id])
        return evaluate(*arguments, **options)

    monkeypatch.setattr(runner, "evaluate", first)
    run(small_store, desk)
    assert states(small_store, key) == {CKA: "done", RSA: "cancelled"}
    assert len(small_store.scores().scores) == 1


def test_progress_tells_layer_and_stimuli(small_store: Store, monkeypatch) -> None:
    add(small_store, CKA)
    told: list[dict[str, object]] = []
    tell = Desk.tell

    def noted(self, **facts):
        told.append(facts)
        tell(self, **facts)

    monkeypatch.setattr(Desk, "tell", noted)
    run(small_store, Desk(small_store.queue, "one"))
    layers = [facts for facts in told if "layer" in facts]
    stimuli = [facts for facts in told if "layer" not in facts]
    assert stimuli[-1]["done"] == stimuli[-1]["total"] > 1
    assert layers[-1] == {"layer": "pixels", "done": 1, "total": 1}


@pytest.mark.parametrize(
    ("error", "blamed"),
    [
        (InputError("x"), True),
        (JailError("killed at 4 GB"), True),
        (FetchError("no network"), False),
        (StoreError("locked"), False),
        (MemoryError(), False),
        (RuntimeError("x"), False),
    ],
)
def test_only_faults_of_the_model_are_blamed_on_it(error, blamed, monkeypatch) -> None:
    monkeypatch.setattr(jail, "available", lambda: None, raising=False)
    assert faults.is_fault_of_model(error) is blamed


LAYER = "no layer is named '/conv1/Conv_output_0'; did you mean /conv2/Conv_output_0?"

TOLD = {
    "a file of a hub": (
        FetchError("could not fetch https://x.org/w (…). Put it at HOME/w", url="https://x.org/w"),
        "https://x.org/w can't be had now; the server's log says why",
    ),
    "arrays": (
        StoreError("the arrays can't be written: 'HOME/artifacts/ab/.writing-x'; make room"),
        "the arrays can't be written: '…/.writing-x'; make room",
    ),
    "a database": (
        StoreError("the database sqlite:////srv/db/scores.sqlite3 can't be used: locked"),
        "the database of this server can't be used: locked",
    ),
    "our own fault": (
        FileNotFoundError(2, "No such file or directory", "/srv/blobs/ab/cd"),
        "unexpected FileNotFoundError: [Errno 2] No such file or directory: '…/cd'",
    ),
    "a layer that looks like a path": (InputError(LAYER), LAYER),
    "a model's file": (InputError("HOME/hub/x.org/w holds no weights"), "…/w holds no weights"),
}


@pytest.mark.parametrize("name", TOLD)
def test_no_event_names_a_place_on_this_computer(name: str, small_store: Store) -> None:
    error, expected = TOLD[name]
    text = str(error).replace("HOME", str(settings.home()))
    if "HOME" in str(error):
        error = type(error)(text, **({"url": error.url} if isinstance(error, FetchError) else {}))
    key = add(small_store, CKA)

    def load(submission):
        raise error

    run(small_store, Desk(small_store.queue, "one"), load)
    (job,) = small_store.queue.jobs(submission=key)
    assert job.error == expected
    last = small_store.queue.events(key)[-1].text
    assert last.startswith(expected)


def test_a_jail_that_can_not_be_had_is_not_the_models_fault(monkeypatch) -> None:
    monkeypatch.setattr(jail, "available", lambda: "no Landlock", raising=False)
    assert not faults.is_fault_of_model(JailError("no Landlock"))
