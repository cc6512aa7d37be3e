"""Runs: the cache answers only for equal content, and the store is never asked to do work twice."""

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.core.test_extraction import images, network
from torch import nn

from isocortex import answers, caching, runs
from isocortex.benchmarks import Benchmark, load_benchmark, load_dataset
from isocortex.candidates import Candidate, Preprocessing, as_candidate
from isocortex.errors import InputError, UnknownNameError
from isocortex.evaluation import evaluate
from isocortex.recordings import Recording
from isocortex.scores import Score
from isocortex.store import open_store
from isocortex.units import UNITS_READ


def candidate(module: nn.Module | None = None, *, size: int = 32) -> Candidate:
    return as_candidate(module or network(), Preprocessing(size, 32), name="tiny")


@pytest.fixture
def passes(monkeypatch, empty_home) -> list[tuple[str, ...]]:
    """The layers of every forward pass that is run, in a home folder with an empty cache."""
    extract = answers.extract_answers
    seen: list[tuple[str, ...]] = []

    def watched(chosen, stimuli, plan, **options):
        seen.append(tuple(each.layer for each in plan.layers))
        return extract(chosen, stimuli, plan, **options)

    monkeypatch.setattr(answers, "extract_answers", watched)
    return seen


def test_the_second_time_comes_from_the_cache_to_the_last_bit(passes):
    first, second = (runs.geometries(candidate(), images()) for _ in range(2))
    assert len(passes) == 1
    for layer in first:
        np.testing.assert_array_equal(first[layer].gram, second[layer].gram)
        assert first[layer].ids == second[layer].ids
        assert first[layer].units == second[layer].units


def test_only_missing_layers_are_extracted(passes):
    runs.geometries(candidate().with_layers(["0", "2"]), images())
    runs.geometries(candidate().with_layers(["0", "2", "5"]), images())
    assert passes == [("0", "2"), ("5",)]


def changed_weight() -> Candidate:
    module = network()
    with torch.no_grad():
        module[0].weight[0, 0, 0, 0] += 1e-3
    return candidate(module)


@pytest.mark.parametrize(
    "other",
    [changed_weight, lambda: candidate(size=33), lambda: candidate(network().append(nn.Tanh()))],
    ids=["weight", "preprocessing", "module"],
)
def test_another_network_is_never_a_hit(passes, other):
    runs.geometries(candidate(), images())
    runs.geometries(other(), images())
    assert len(passes) == 2


def test_other_stimuli_are_never_a_hit(passes):
    runs.geometries(candidate(), images(11))
    runs.geometries(candidate(), images(10))
    assert len(passes) == 2


def test_a_damaged_cache_file_is_computed_again(passes, empty_home):
    first = runs.geometries(candidate(), images())
    for path in (empty_home / "geometries").rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-9])
    second = runs.geometries(candidate(), images())
    assert len(passes) == 2
    np.testing.assert_array_equal(first["0"].gram, second["0"].gram)


def test_the_cache_forgets_the_least_recently_used(passes, empty_home, monkeypatch):
    runs.geometries(candidate().with_layers(["0", "2"]), images())
    files = sorted((empty_home / "geometries").rglob("*.safetensors"))
    for age, path in enumerate(files):
        os.utime(path, (1000 - age, 1000 - age))
    monkeypatch.setenv("ISOCORTEX_CACHE_BYTES", str(files[0].stat().st_size))
    caching.prune_cache()
    assert sorted((empty_home / "geometries").rglob("*.safetensors")) == files[:1]


def test_entries_that_another_process_removes_meanwhile_are_no_error(
    passes, empty_home, monkeypatch
):
    runs.geometries(candidate().with_layers(["0", "2"]), images())
    found = sorted((empty_home / "geometries").rglob("*.safetensors"))
    monkeypatch.setattr(Path, "glob", lambda *_: iter(found))  # listed, and then gone
    monkeypatch.setattr(caching.os, "utime", lambda path: path.unlink() or path.stat())
    assert caching.load_geometry(found[0].stem) is not None
    monkeypatch.setenv("ISOCORTEX_CACHE_BYTES", "0")
    caching.prune_cache()
    assert not any(path.exists() for path in found)


def test_scoring_again_what_is_stored_does_nothing_unless_forced(passes, monkeypatch):
    evaluated = []
    evaluate = runs.evaluate
    monkeypatch.setattr(runs, "evaluate", lambda *a, **k: evaluated.append(1) or evaluate(*a, **k))
    benchmark = load_benchmark("simulated/V1/cka")
    with open_store() as store:
        first = runs.score(candidate(), benchmark, store=store)
        again = runs.score(candidate(), benchmark, store=store)
        assert len(evaluated) == 1
        forced = runs.score(candidate(), benchmark, store=store, force=True)
        assert len(evaluated) == 2
        assert [run.state for run in store.runs()] == ["done", "done"]
    assert first.raw == again.raw == forced.raw
    np.testing.assert_array_equal(first.detail.resampled_raw, again.detail.resampled_raw)
    assert again.detail.attrs == first.detail.attrs


@cache
def simulated() -> Recording:
    return load_dataset("simulated")


def quick(name: str) -> Benchmark:
    """A benchmark of the simulated recordings with few resamples and one halving."""
    found = load_benchmark(f"simulated/{name}", recording=simulated())
    return replace(found.with_splits(**{**found.card.splits, "scored": 32}), resamples=2)


def test_benchmarks_that_share_stimuli_share_one_pass(passes):
    """Geometry and units of all layers: the probe, then each batch of the 64 stimuli once."""
    chosen, calls = candidate(), []
    chosen.module.register_forward_hook(lambda module, inputs, output: calls.append(len(output)))
    benchmarks = [quick(name) for name in ("V1/cka", "V1/rsa-spearman-distance", "IT/cka")]
    found = [score for _, score in runs.score_all(chosen, benchmarks)]
    assert calls == [1, 32, 32]
    assert [score.benchmark for score in found] == [each.name for each in benchmarks]
    compared, of_units = found[0].detail, found[1].detail
    assert of_units.layer_units.values.tolist() == compared.layer_units.values.tolist()
    assert int(of_units.layer_units_read.sel(layer="5")) == 5
    assert "layer_units_read" not in compared


def test_a_pass_is_shared_even_if_the_cache_keeps_nothing(passes, empty_home, monkeypatch):
    monkeypatch.setenv("ISOCORTEX_CACHE_BYTES", "0")
    benchmarks = [quick("V1/cka"), quick("V1/cka-biased")]
    assert all(isinstance(found, Score) for _, found in runs.score_all(candidate(), benchmarks))
    assert len(passes) == 1
    assert not list((empty_home / "geometries").rglob("*.safetensors"))


def test_units_that_are_asked_for_later_take_a_pass_of_their_own(passes):
    geometry, units = quick("V1/cka"), quick("V1/rsa-spearman-distance")
    for benchmark in (geometry, units, units, geometry):
        runs.score(candidate(), benchmark)
    assert len(passes) == 2


def test_an_extraction_that_fails_is_not_tried_again_for_each_benchmark(passes):
    module = network()
    nn.init.constant_(module[5].bias, float("nan"))
    benchmarks = [quick("V1/cka"), quick("V1/cka-biased")]
    found = [error for _, error in runs.score_all(candidate(module), benchmarks)]
    assert all(isinstance(error, InputError) for error in found)
    assert len(passes) == 1


def test_what_does_not_stay_in_memory_is_read_from_the_cache(passes):
    """A cap under which no geometry is kept: each is loaded when it is looked up."""
    benchmark = quick("V1/cka")
    stimuli = benchmark.recording.stimuli
    with (
        answers.Answers(candidate(), stimuli) as kept,
        answers.Answers(candidate(), stimuli, engine=runs.Engine(memory=8)) as read,
    ):
        first, second = (evaluate(benchmark, each.layers()).raw for each in (kept, read))
        assert first == second
        assert kept.layers()["0"] is kept.layers()["0"]
        assert read.layers()["0"] is not read.layers()["0"]


def test_scorers_of_units_hold_in_their_protocol_how_many_are_read(monkeypatch):
    units, geometry = quick("V1/soft-matching"), quick("V1/cka")
    before = units.fingerprint
    assert units.protocol["units"]["read"] == UNITS_READ
    assert "units" not in geometry.protocol
    monkeypatch.setattr("isocortex.benchmarks.UNITS_READ", 10)
    assert quick("V1/soft-matching").fingerprint != before


@pytest.mark.parametrize("facts", [{"memory": 0}, {"reduce": 0}, {"batch_size": 0}])
def test_an_engine_without_room_is_refused(facts):
    with pytest.raises(InputError, match=f"an engine's {next(iter(facts))} is 0"):
        runs.Engine(**facts)


def test_a_changed_weight_is_another_version_of_the_candidate(passes):
    benchmark = load_benchmark("simulated/V1/cka")
    with open_store() as store:
        for chosen in (candidate(), changed_weight()):
            runs.score(chosen, benchmark, store=store)
        assert len(store.model("tiny").versions) == 2


def test_a_failed_run_leaves_no_score(passes):
    module = network()
    nn.init.constant_(module[5].bias, float("nan"))
    with open_store() as store:
        with pytest.raises(InputError, match="not finite"):
            runs.score(candidate(module), "simulated/V1/cka", store=store)
        assert store.scores().scores == ()
        assert [run.state for run in store.runs()] == ["failed"]


def test_any_module_is_scored_with_its_preprocessing(passes):
    found = runs.score(network(), "simulated/V1/cka", preprocessing=Preprocessing(32, 32))
    assert found.candidate == "Sequential"
    assert -1 <= found.low <= found.raw <= found.high <= 1


def test_the_mean_of_a_scores_resamples_is_its_raw_value(passes):
    found = runs.score(candidate(), "simulated/IT/rsa")
    assert float(found.detail.resampled_raw.mean()) == pytest.approx(found.raw, abs=1e-12)


def test_an_unknown_candidate_names_the_open_families_too():
    with pytest.raises(UnknownNameError, match=r"did you mean pixels\? \(open families: torchv"):
        runs.load_candidate("pixel")


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="the device 'gpu' can't be used"):
        runs.Engine("gpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_device_gives_the_same_geometry():
    cpu = runs.geometries(candidate(), images())
    cuda = runs.geometries(candidate(), images(), engine=runs.Engine("cuda"))
    for layer in cpu:
        np.testing.assert_allclose(cuda[layer].gram, cpu[layer].gram, rtol=1e-4)
