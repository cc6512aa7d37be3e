"""Journeys: what an extraction will take, and all scorers on one candidate."""

import json

import pytest

from isocortex import registry
from isocortex.cli._benchmarks import load_fitting, wanted_names
from tests.test_command_line import failing, isocortex

BENCHMARK = "simulated/V1/cka"
PLAN = ("plan", "gabor_energy", "-b", BENCHMARK, "--memory", "2GB")


def test_a_plan_is_shown_as_a_table_and_as_json(empty_home):
    (found,) = json.loads(isocortex(*PLAN, "--json")).values()
    assert found["memory_bytes"] <= found["cap"] == 2 * 10**9
    (layers,) = found["passes"]
    table = isocortex(*PLAN)
    for each in layers:
        assert each["layer"] in table
        assert f"{each['units']:,}" in table


def test_a_plan_says_what_is_projected(empty_home):
    table = " ".join(isocortex(*PLAN, "--reduce", "500").split())
    assert "projected to 500" in table


def test_what_is_cached_is_not_planned_again(empty_home):
    isocortex("score", "pixels", "-b", BENCHMARK)
    found = json.loads(isocortex("plan", "pixels", "-b", BENCHMARK, "--json"))
    assert list(found.values()) == [None]
    with_units = ("plan", "pixels", "-b", "simulated/V1/soft-matching", "--json")
    assert list(json.loads(isocortex(*with_units)).values()) != [None]


def test_a_memory_that_is_none_or_too_small_is_refused(empty_home, monkeypatch, capsys):
    for memory, message in (("4 gigs", "--memory is '4 gigs'"), ("1kB", "takes 1")):
        arguments = ("score", "pixels", "-b", BENCHMARK, "--memory", memory)
        status, text = failing(*arguments, monkeypatch=monkeypatch, capsys=capsys)
        assert status == 7
        assert message in text


def test_a_scorer_is_meant_for_each_region_that_is_named():
    assert wanted_names(["simulated/V1"], ["cka", "rsa"]) == (
        "simulated/V1/cka",
        "simulated/V1/rsa",
    )
    assert wanted_names(["simulated"], ["cka"]) == ("simulated/V1/cka", "simulated/IT/cka")
    every = wanted_names(["simulated/V1"], ["all"])
    assert every == wanted_names(["simulated/V1/all"], [])
    assert len(every) > 40


def test_scorers_that_do_not_suit_the_data_are_said_in_one_line(capsys):
    wanted = wanted_names(["cichy2014/IT"], ["all"])
    others = len(registry.entries("scorer")) - len(wanted)
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line == f"left out {others} scorers that do not take dissimilarities (cichy2014)"


def test_splits_that_the_data_do_not_allow_are_said_in_one_line_unless_asked_for(capsys):
    """Brain-Score's draws of 90 % leave 7 of 64 stimuli, too few for 8 categories."""
    names = ["simulated/V1/brain-score-ridge", "simulated/V1/brain-score-linear", BENCHMARK]
    found = load_fitting(names, asked=[])
    assert [each.name for each in found] == [BENCHMARK]
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "left out brain-score-ridge, brain-score-linear: 64 stimuli can't be drawn" in line
    assert [each.name for each in load_fitting(names[:1], asked=names[:1])] == names[:1]


@pytest.mark.parametrize("command", ["score", "plan"])
def test_something_to_score_on_must_be_named(command):
    from typer.testing import CliRunner

    from isocortex.cli import app

    result = CliRunner().invoke(app, [command, "pixels"])
    assert result.exit_code == 2
    assert "name a benchmark with -b" in " ".join(result.stderr.split())
