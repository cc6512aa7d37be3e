"""Journeys through the command line on the simulated data set."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from isocortex.cli import app, main
from isocortex.cli._benchmarks import expanded

BENCHMARK = "simulated/V1/cka"


def isocortex(*arguments: str) -> str:
    """What a command prints on standard output."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def failing(*arguments: str, monkeypatch, capsys) -> tuple[int, str]:
    """The exit status and the message of a command that ends in an isocortex error."""
    monkeypatch.setattr(sys, "argv", ["isocortex", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code), " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("kind", ["models", "datasets", "scorers", "benchmarks"])
def test_every_kind_is_listed_as_a_table_and_as_json(kind):
    listed = json.loads(isocortex(kind, "--json"))
    names = [item if isinstance(item, str) else item["name"] for item in listed]
    table = isocortex(kind)
    assert len(names) > 5
    for name in names:
        assert name in table


@pytest.mark.parametrize(
    ("kind", "name", "fact"),
    [
        ("models", "mobilenet_v1/imagenet", "imagenet-1k"),
        ("datasets", "cichy2014", "EVC"),
        ("scorers", "cka", "arXiv:1905.00414"),
        ("benchmarks", "cichy2014/IT/rsa", "Are stimuli that differ for the model"),
    ],
)
def test_one_entry_is_shown_with_its_facts(kind, name, fact):
    assert fact in isocortex(kind, name)
    assert json.loads(isocortex(kind, name, "--json"))["name"] == name


def test_a_benchmark_cites_its_data_and_its_scorer():
    keys = re.findall(r"^@\w+\{([^,]+),", isocortex("cite", "cichy2014/IT/rsa"), re.MULTILINE)
    assert "kriegeskorte2008rsa" in keys
    assert any("cichy" in key for key in keys)


def test_a_score_is_stored_shown_on_the_leaderboard_and_compared(empty_home):
    scored = json.loads(
        isocortex("score", "pixels", "gabor_energy", "--benchmark", BENCHMARK, "--json")
    )
    assert [each["candidate"] for each in scored] == ["pixels", "gabor_energy"]
    board = json.loads(isocortex("leaderboard", "--simulated", "--json"))
    values = {row["model"]: row["scores"][BENCHMARK]["value"] for row in board}
    assert values == {each["candidate"]: each["value"] for each in scored}
    (found,) = json.loads(isocortex("compare", "gabor_energy", "pixels", "-b", BENCHMARK, "--json"))
    assert found["difference"] == pytest.approx(scored[1]["raw"] - scored[0]["raw"])
    assert found["low"] < found["difference"] < found["high"]
    assert json.loads(isocortex("leaderboard", "--json")) == []


def test_a_dataset_stands_for_all_its_benchmarks(empty_home):
    scored = json.loads(isocortex("score", "pixels", "--benchmark", "simulated", "--json"))
    offered = [
        n for n in json.loads(isocortex("benchmarks", "--json")) if n.startswith("simulated/")
    ]
    assert [each["benchmark"] for each in scored] == offered


def test_all_stands_for_every_scorer_that_fits():
    cards = json.loads(isocortex("scorers", "--json"))
    on_responses = {card["name"] for card in cards if "responses" in card["accepts"]}
    on_rdms = {card["name"] for card in cards if "dissimilarities" in card["accepts"]}
    for region, fitting in (("simulated/V1", on_responses), ("cichy2014/IT", on_rdms)):
        assert set(expanded([f"{region}/all"])) == {f"{region}/{name}" for name in fitting}


def test_one_benchmark_that_fails_does_not_stop_the_others(empty_home, monkeypatch, capsys):
    from isocortex import runs
    from isocortex.errors import InputError

    evaluate = runs.evaluate

    def failing_on_cka(benchmark, layers, **facts):
        if benchmark.card.name == "cka":
            raise InputError("this one is bad")
        return evaluate(benchmark, layers, **facts)

    monkeypatch.setattr(runs, "evaluate", failing_on_cka)
    arguments = ("score", "pixels", "-b", BENCHMARK, "-b", "simulated/V1/rsa")
    status, text = failing(*arguments, monkeypatch=monkeypatch, capsys=capsys)
    assert status == 7
    assert f"pixels on {BENCHMARK}: this one is bad" in text
    (row,) = json.loads(isocortex("leaderboard", "--simulated", "--json"))
    assert list(row["scores"]) == ["simulated/V1/rsa"]


def test_a_scorer_that_does_not_fit_all_recordings_is_used_on_those_it_fits(empty_home):
    places = ("-b", "cichy2014", "-b", "simulated/V1", "--scorer", "cka")
    result = CliRunner().invoke(app, ["score", "pixels", *places, "--json"])
    assert [each["benchmark"] for each in json.loads(result.stdout)] == [BENCHMARK]
    assert "left out cka: cka needs responses; cichy2014 holds dissimilarities" in " ".join(
        result.stderr.split()
    )


def test_other_layers_are_another_candidate(empty_home):
    arguments = ("gabor_energy", "--layer", "complex", "--benchmark", BENCHMARK, "--json")
    (scored,) = json.loads(isocortex("score", *arguments))
    assert scored["candidate"] == "gabor_energy[complex]"
    assert scored["layer"] == "complex"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("score", "pixel", "-b", BENCHMARK), 3, "no candidate is named 'pixel'; did you mean pix"),
        (("score", "pixels", "-b", "simulated/V1/ckaa"), 3, "no scorer is named 'ckaa'"),
        (("score", "pixels", "-b", "simulated/V9/cka"), 3, "no region of simulated is named 'V9'"),
        (
            ("score", "pixels", "-b", BENCHMARK, "--layer", "x"),
            3,
            "no layer of pixels is named 'x'",
        ),
        (("score", "pixels", "-b", BENCHMARK, "--device", "gpu"), 7, "the device 'gpu' can't be"),
        (
            ("score", "pixels", "-b", BENCHMARK, "--scorer", "rsa"),
            7,
            "with --scorer name a dataset",
        ),
        (("score", "pixels", "-b", "cichy2014", "--scorer", "ridge"), 8, "ridge needs responses"),
        (("benchmarks", "cichy2014/IT/ridge"), 8, "ridge needs responses; cichy2014 holds dissim"),
        (("compare", "pixels", "pixels2", "-b", BENCHMARK), 3, "pixels"),
    ],
)
def test_an_error_is_one_message_and_an_exit_status(
    arguments, status, message, empty_home, monkeypatch, capsys
):
    found, text = failing(*arguments, monkeypatch=monkeypatch, capsys=capsys)
    assert found == status
    assert message in text


def test_one_model_that_fails_does_not_stop_the_others(empty_home, monkeypatch, capsys):
    arguments = ("score", "nosuch", "pixels", "-b", BENCHMARK)
    status, text = failing(*arguments, monkeypatch=monkeypatch, capsys=capsys)
    assert status == 3
    assert "nosuch: no candidate is named" in text
    board = json.loads(isocortex("leaderboard", "--simulated", "--json"))
    assert [row["model"] for row in board] == ["pixels"]


def test_an_empty_leaderboard_says_what_to_do(empty_home, capsys):
    isocortex("leaderboard")
    assert "run `isocortex demo`" in CliRunner().invoke(app, ["leaderboard"]).stderr


def test_a_database_that_is_none_is_refused(empty_home, tmp_path, monkeypatch, capsys):
    path = tmp_path / "store.sqlite3"
    path.write_text("this is no database, and long enough not to pass for an empty one" * 20)
    monkeypatch.setenv("ISOCORTEX_DATABASE", f"sqlite:///{path}")
    status, text = failing("leaderboard", monkeypatch=monkeypatch, capsys=capsys)
    assert status == 9
    assert "file is not a database" in text


def test_the_demo_without_recordings_says_so_and_uses_simulated_data(empty_home, monkeypatch):
    """Neither mirror nor internet: a proxy that refuses stands for the latter."""
    environment = {
        "PATH": str(Path(sys.executable).parent),
        "ISOCORTEX_HOME": str(empty_home),
        "https_proxy": "http://127.0.0.1:9",
    }
    command = [sys.executable, "-m", "isocortex.cli", "demo"]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500)
    assert found.returncode == 0, found.stderr
    assert "This goes on with SIMULATED data" in " ".join(found.stderr.split())
    assert "Leaderboard (SIMULATED data, not a brain)" in found.stdout
    assert "gabor_energy" in found.stdout
    assert "Left out, because their weights can't be fetched: cifar_resnet/20," in " ".join(
        found.stderr.split()
    )


def test_the_help_has_a_section_for_every_command():
    told = isocortex("--help")
    assert "\nSubmit:\n" in told
    assert "Others:" not in told
