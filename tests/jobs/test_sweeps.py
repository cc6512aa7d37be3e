"""The plan of a sweep: what is shared, stored and cached costs once, or nothing."""

import json
from collections.abc import Iterator

import pytest
from tests.made_up_scores import benchmark_facts, candidate_facts, record_score
from tests.submissions import made
from tests.test_command_line import failing, isocortex

from isocortex import jail, runs
from isocortex.answers import Engine
from isocortex.benchmarks import load_benchmark, load_dataset
from isocortex.jobs.sweeps import Step, Sweep, plan_submission, plan_sweep
from isocortex.store import Store, open_store
from isocortex.store.costs import scoring_costs
from isocortex.submissions.blobs import Blobs

NAMES = ("simulated/V1/cka", "simulated/V1/rsa", "simulated/IT/cka")


@pytest.fixture(scope="module")
def benchmarks():
    recording = load_dataset("simulated")
    return [load_benchmark(name, recording=recording) for name in NAMES]


@pytest.fixture
def store(empty_home) -> Iterator[Store]:
    with open_store() as opened:
        yield opened


def test_benchmarks_that_share_stimuli_share_the_pass(store, benchmarks):
    (step,) = plan_sweep(["pixels"], benchmarks, store=store).steps
    assert step.benchmarks == NAMES
    assert step.passes == 1


def test_what_is_stored_is_not_planned_and_what_is_cached_needs_no_pass(store, benchmarks):
    list(runs.score_all(runs.load_candidate("pixels"), benchmarks[:1], store=store))
    (step,) = plan_sweep(["pixels"], benchmarks, store=store).steps
    assert step.stored == NAMES[:1]
    assert step.benchmarks == NAMES[1:]
    assert step.extraction is None
    reduced = plan_sweep(["pixels"], benchmarks, store=store, engine=Engine(reduce=50))
    assert reduced.steps[0].stored == ()  # projected, they are other scores


def test_a_model_whose_scores_are_all_stored_costs_nothing(store, benchmarks):
    list(runs.score_all(runs.load_candidate("pixels"), benchmarks, store=store))
    sweep = plan_sweep(["pixels"], benchmarks, store=store)
    assert (sweep.seconds, sweep.passes, sweep.memory_bytes) == (0, 0, 0)


def test_the_plan_is_what_scoring_then_does(store, benchmarks):
    """Each layer that is planned is extracted, and no other."""
    (step,) = plan_sweep(["gabor_energy"], benchmarks, store=store).steps
    candidate = runs.load_candidate("gabor_energy")
    assert [each.layer for each in step.extraction.layers] == list(candidate.layers)
    list(runs.score_all(candidate, benchmarks[:1], store=store))
    (later,) = plan_sweep(["gabor_energy"], benchmarks, store=store).steps
    assert later.extraction is None
    assert list(later.scoring) == [NAMES[2]]  # of the same scorer as the one that was timed


def test_a_model_that_cannot_be_loaded_stops_no_other(store, benchmarks):
    sweep = plan_sweep(["no-such-model", "pixels"], benchmarks[:1], store=store)
    assert list(sweep.errors) == ["no-such-model"]
    assert [step.model for step in sweep.steps] == ["pixels"]


def made_up(model: str, scoring: dict[str, float], *, benchmarks: tuple[str, ...] = NAMES) -> Step:
    return Step(
        model=model,
        stimuli="s",
        benchmarks=benchmarks,
        stored=(),
        extraction=None,
        scoring=scoring,
    )


def test_a_sweep_lasts_as_long_as_its_longest_model():
    steps = (made_up("a", {"x": 10.0}), made_up("b", {"x": 2.0}), made_up("b", {"x": 3.0}))
    sweep = Sweep(steps=steps, loading={"a": 1.0, "b": 2.0})
    assert sweep.seconds == (1 + 10) + (2 + 2 + 3)
    assert sweep.lasts(1) == sweep.seconds
    assert sweep.lasts(2) == sweep.lasts(50) == 1 + 10


def test_models_without_work_are_not_loaded():
    sweep = Sweep(steps=(made_up("a", {}, benchmarks=()),), loading={"a": 9.0})
    assert sweep.seconds == 0


def test_scoring_is_timed_by_former_runs_of_the_benchmark_or_else_of_the_scorer(store):
    from sqlalchemy import update

    from isocortex.store import opening
    from isocortex.store.schema import Run

    for number, name in enumerate(("faces/IT/rsa", "faces/IT/rsa", "faces/V1/rsa")):
        record_score(store, candidate_facts(f"net{number}"), benchmark_facts(name))
        with opening.writing(store.engine) as connection:
            timed = update(Run).where(Run.id == number + 1)
            connection.execute(timed.values(seconds=4.0 * 10**number))
    costs = scoring_costs(store.engine)  # each of the networks has 4 layers
    assert costs.seconds("faces/IT/rsa", layers=2) == 2 * (1 + 10) / 2
    assert costs.seconds("faces/V1/rsa", layers=1) == 100
    assert costs.seconds("monkey/IT/rsa", layers=1) == 10  # the median of 1, 10 and 100
    assert costs.seconds("faces/IT/cka", layers=1) is None


def test_a_sweep_is_shown_as_a_table_and_as_json(empty_home):
    arguments = ("plan", "pixels", "gabor_energy", "-b", NAMES[0], "--workers", "2")
    found = json.loads(isocortex(*arguments, "--json"))
    assert found["models"] == ["pixels", "gabor_energy"]
    assert [step["passes"] for step in found["steps"]] == [1, 1]
    assert found["lasts_seconds"] < found["seconds"]
    assert all(step["untimed"] == [NAMES[0]] for step in found["steps"])
    table = " ".join(isocortex(*arguments).split())
    assert "2 scores in 2 passes" in table
    assert "nothing like it was timed here" in table


def test_a_sweep_with_a_model_that_is_not_there_fails_at_its_end(empty_home, monkeypatch, capsys):
    arguments = ("plan", "pixels", "no-such-model", "-b", NAMES[0])
    status, text = failing(*arguments, monkeypatch=monkeypatch, capsys=capsys)
    assert status == 3
    assert "no-such-model" in text


@pytest.mark.skipif(jail.available() is not None, reason="no jail can be had here")
def test_a_submission_is_planned_before_it_is_submitted(store, benchmarks, tmp_path):
    path = made.written(tmp_path, made.onnx_twin(), "net.onnx")
    Blobs(store.submissions).add(store.accounts.create("ada").id, "onnx", path)
    submission = made.stored(made.checked(path, "onnx"))
    sweep = plan_submission(submission, benchmarks, store=store)
    (step,) = sweep.steps
    assert (step.model, step.passes, step.benchmarks) == ("ada/net", 1, NAMES)
    assert sweep.seconds > 0
