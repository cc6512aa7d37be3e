"""Activations that are handed in: scored like the network they come from, read in blocks."""

import json

import numpy as np
import pytest

from isocortex import runs
from isocortex.benchmarks import load_benchmark
from isocortex.candidates import Preprocessing, as_candidate
from isocortex.errors import InputError, MismatchError, RejectedError
from isocortex.extraction import extract_responses
from isocortex.submissions import given as module
from isocortex.submissions.converting import (
    StimulusAnswers,
    write_activation_sets,
    write_activations,
)
from isocortex.submissions.loading import loaded

from .made import checked, random_layers, stored, torch_network


@pytest.fixture(scope="module")
def network():
    preprocessing = Preprocessing(32, 32, mean=(0.5,) * 3, std=(0.25,) * 3)
    return as_candidate(torch_network(), preprocessing, name="net", layers=("1", "4"))


@pytest.mark.parametrize("scorer", ["cka", "activity-statistics"])
def test_activations_score_as_the_network_they_come_from(tmp_path, network, scorer, empty_home):
    benchmark = load_benchmark(f"simulated/IT/{scorer}")
    stimuli = benchmark.recording.stimuli
    responses = extract_responses(network, stimuli)
    order = np.random.default_rng(0).permutation(len(stimuli))  # rows may come in any order
    layers = {
        "1": responses["1"].values.reshape(-1, 8, 16, 16)[order],
        "4": responses["4"].values[order],
    }
    path = tmp_path / "net.safetensors"
    write_activations(path, layers, [stimuli.ids[each] for each in order])
    expected = runs.score(network, benchmark)
    with loaded(stored(checked(path, "activations")), path) as given:
        ((_, score),) = given.score_all([benchmark])
    assert score.raw == pytest.approx(expected.raw, abs=1e-9)
    assert (score.low, score.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert score.detail.layer_units.values.tolist() == [8 * 16 * 16, 10]


def test_both_sides_hold_only_blocks(tmp_path, benchmark, empty_home, monkeypatch):
    stimuli = benchmark.recording.stimuli
    path = tmp_path / "wide.safetensors"
    write_activations(path, {"wide": np.ones((64, 500), "f4").cumsum(1)}, stimuli.ids)
    monkeypatch.setattr("isocortex.geometry.BLOCK_BYTES", 8 * 64 * 100)
    asked = []
    read_block = module.GivenActivations.read_block

    def noted(self, tensor, rows, *, units):
        asked.append((units.start, units.stop))
        return read_block(self, tensor, rows, units=units)

    monkeypatch.setattr(module.GivenActivations, "read_block", noted)
    with loaded(stored(checked(path, "activations")), path) as given:
        geometry = given.answers(stimuli).layers()["wide"]
    assert asked == [(start, start + 100) for start in range(0, 500, 100)] * 2
    assert geometry.means == pytest.approx(np.full(64, 250.5))


def test_a_file_of_several_sets_is_asked_for_the_right_one(tmp_path, benchmark, empty_home):
    stimuli = benchmark.recording.stimuli
    layers = random_layers(64)
    sets = {
        "others": StimulusAnswers(("a", "b"), {"late": np.eye(2)}),
        "simulated": StimulusAnswers((*stimuli.ids, "more"), random_layers(65)),
    }
    path = tmp_path / "sets.safetensors"
    write_activation_sets(path, sets)
    found = checked(path, "activations")
    assert found.source["layers"] == ["late", "early"]
    with loaded(stored(found), path) as given:
        answers = given.answers(stimuli).layers()
        assert list(answers) == ["late", "early"]
        assert answers["late"].units == 7
        assert answers["late"].ids == stimuli.ids
    assert layers["late"].shape == (64, 7)


def test_missing_stimuli_are_named_before_anything_is_queued(tmp_path, listed_stimuli):
    path = tmp_path / "few.safetensors"
    write_activations(path, random_layers(60), listed_stimuli[:60])
    with pytest.raises(RejectedError, match=r"lacks 4 of the 64 stimuli of simulated: 61-"):
        checked(path, "activations", benchmarks=["simulated/IT/cka"])
    assert checked(path, "activations").benchmarks == ()


def test_missing_stimuli_fail_the_benchmark_and_not_the_others(tmp_path, benchmark, empty_home):
    path = tmp_path / "few.safetensors"
    write_activations(path, random_layers(60), benchmark.recording.stimuli.ids[:60])
    with loaded(stored(checked(path, "activations")), path) as given:
        ((_, error),) = given.score_all([benchmark])
    assert isinstance(error, MismatchError)


def test_the_layers_that_are_named_are_scored_and_others_refused(tmp_path):
    path = tmp_path / "given.safetensors"
    write_activations(path, random_layers(5), list("abcde"))
    assert checked(path, "activations", layers=["late"]).source["layers"] == ["late"]
    with pytest.raises(RejectedError, match="the file holds no 'lat'"):
        checked(path, "activations", layers=["lat"])


def test_names_in_the_file_are_held_to_the_rules_of_names(tmp_path):
    for name in ("=1+1", "../up", "a\x1b[0m", "<b>", "\u202eab"):
        path = tmp_path / "named.safetensors"
        write_activations(path, {name: np.eye(3)}, ["a", "b", "c"])
        with pytest.raises(RejectedError, match="layers: ") as caught:
            checked(path, "activations")
        assert str(caught.value).isascii()


def test_what_is_not_finite_is_not_written(tmp_path):
    path = tmp_path / "nan.safetensors"
    with pytest.raises(InputError, match="NaN"):
        write_activations(path, {"a": np.array([[1.0, np.nan]])}, ["x"])
    assert list(tmp_path.iterdir()) == []


def test_versions_follow_from_the_file(tmp_path):
    versions = []
    for number in (1.0, 2.0, 1.0):
        path = tmp_path / f"{len(versions)}.safetensors"
        write_activations(path, {"a": number * np.eye(3)}, ["a", "b", "c"])
        with loaded(stored(checked(path, "activations")), path) as given:
            versions.append(given.fingerprint)
            assert given.facts.layers == ("a",)
            json.dumps(dict(given.facts.card))
    assert versions[0] == versions[2] != versions[1]
