"""Submitting from the command line: to the own store, and to a server that runs."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from isocortex.web.app import create_app
from typer.testing import CliRunner

from isocortex.cli import app
from isocortex.cli._card_examples import KINDS, example
from isocortex.errors import InputError, RejectedError, UnknownNameError
from isocortex.store import open_store
from isocortex.submissions.forms import read_form
from tests.handed_in import BENCHMARK, new_account, served, write_onnx

CARD = """
layers = ["rectified"]
[card]
summary = "A small random network."
architecture = "feedforward"
objective = "none"
learning_rule = "untrained"
diet = "none"
licence = "CC0"
[preprocessing]
resize = 32
crop = 32
"""


@pytest.fixture
def folder(empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a network and its card."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "card.toml").write_text(CARD)
    write_onnx(tmp_path)
    return tmp_path


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that the commands speak to, with a token of Ada's."""
    application = create_app()
    _, token = new_account(application.state.store)
    with served(application) as address:
        monkeypatch.setenv("ISOCORTEX_SERVER", address)
        monkeypatch.setenv("ISOCORTEX_TOKEN", token)
        yield address


def isocortex(*arguments: str) -> str:
    """What a command prints on standard output."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def as_json(*arguments: str) -> Any:
    return json.loads(isocortex(*arguments, "--json"))


def submit(*more: str) -> Any:
    return as_json("submit", "small.onnx", "--card", "card.toml", "-b", BENCHMARK, *more)


def test_an_own_network_goes_from_a_file_to_the_leaderboard(folder: Path) -> None:
    made = submit()
    assert (made["visibility"], made["kind"]) == ("public", "onnx")
    assert [job["state"] for job in made["jobs"]] == ["queued"]
    work = [sys.executable, "-m", "isocortex.cli", "worker", "--once"]
    done = subprocess.run(work, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (job,) = as_json("submissions", "small")["jobs"]
    assert (job["state"], job["error"]) == ("done", None)
    (row,) = as_json("leaderboard", "--simulated")
    assert row["model"] == made["model"]
    told = CliRunner().invoke(app, ["leaderboard"]).stderr
    assert "leaderboard --simulated" in told
    assert "Nothing is scored" not in told
    assert "--force" in CliRunner().invoke(app, ["rerun", str(job["id"])]).stderr
    assert as_json("submit", "small.onnx", "--card", "card.toml", "--wait")["key"] == made["key"]


def test_everything_is_checked_and_nothing_kept_in_a_dry_run(folder: Path) -> None:
    assert submit("--dry-run")["benchmarks"] == [BENCHMARK]
    assert as_json("submissions") == []


def test_a_dry_run_tells_what_scoring_will_take(folder: Path) -> None:
    told = isocortex("submit", "small.onnx", "--card", "card.toml", "-b", BENCHMARK, "--dry-run")
    assert "1 model, 1 score in 1 pass:" in " ".join(told.split())


def test_a_dry_run_on_a_server_tells_what_it_knows(server: str, folder: Path) -> None:
    arguments = ("submit", "small.onnx", "--card", "card.toml", "-b", BENCHMARK, "--dry-run")
    told = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    text = " ".join(told.stdout.split())
    assert "ada/small, by earlier jobs" in text
    assert "1 score in 1 pass: about 0 s of one worker" in text
    assert "not counted is the scoring of 1, as nothing like it was timed there" in text
    assert "It would be the next in line; no worker is running now" in told.stderr
    made = submit()
    plan = as_json(*arguments)["plan"]
    assert plan["submission"] == made["key"]
    again = " ".join(isocortex(*arguments).split())
    assert "1 queued" in again
    assert "0 scores in 0 passes" in again


def test_a_dry_run_at_home_holds_the_same_plan(folder: Path) -> None:
    plan = submit("--dry-run")["plan"]
    assert [(each["stimuli"], each["passes"]) for each in plan["sets"]] == [("simulated", 1)]
    assert plan["position"] == {"place": 1, "ahead": 0, "starts_in": None, "workers": 0}


def test_what_no_benchmark_is_asked_for_takes_nothing(server: str, folder: Path) -> None:
    arguments = ["submit", "small.onnx", "--card", "card.toml", "--dry-run"]
    told = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "nothing would be scored" in told.stderr


def test_all_faults_are_told_at_once(folder: Path) -> None:
    (folder / "card.toml").write_text(CARD.replace("CC0", "").replace("= 32", "= 0"))
    with pytest.raises(RejectedError) as raised:
        submit("--name", "a b", "--layer", "..")
    places = {fault.partition(":")[0] for fault in raised.value.faults}
    assert places == {
        *("model", "layers", "card.licence", "preprocessing.resize", "preprocessing.crop"),
    }


def test_without_a_card_it_is_told_how_to_get_one(folder: Path) -> None:
    with pytest.raises(InputError, match="submit --example onnx > card"):
        isocortex("submit", "small.onnx", "-b", BENCHMARK)


def test_a_submission_is_published_hidden_and_withdrawn(folder: Path) -> None:
    made = submit("--visibility", "private")
    isocortex("publish", "small")
    assert as_json("submissions", made["key"])["visibility"] == "public"
    isocortex("publish", made["model"], "--visibility", "unlisted")
    assert as_json("submissions", "small")["visibility"] == "unlisted"
    isocortex("withdraw", "small")
    assert as_json("submissions") == []
    assert as_json("submissions", "--withdrawn")[0]["jobs"][0]["state"] == "cancelled"
    with pytest.raises(UnknownNameError, match="did you mean"):
        isocortex("withdraw", "smal")
    with pytest.raises(InputError, match="expected public, unlisted, private"):
        isocortex("publish", "small", "--visibility", "secret")


def test_a_server_is_spoken_to_by_the_same_commands(server: str, folder: Path) -> None:
    checked = submit("--dry-run")
    assert checked["model"] == "ada/small"
    made = submit()
    assert (made["account"], made["visibility"]) == ("ada", "private")
    assert [one["key"] for one in as_json("submissions")] == [made["key"]]
    isocortex("publish", "small")
    isocortex("withdraw", "ada/small")
    with open_store() as store:
        found = store.submissions.find(made["key"])
    assert (found.visibility, found.withdrawn_at is None) == ("public", False)


def test_faults_come_from_a_server_as_well(server: str, folder: Path) -> None:
    with pytest.raises(RejectedError) as raised:
        submit("--name", "a b")
    assert [fault.partition(":")[0] for fault in raised.value.faults] == ["model"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_of_each_kind_is_a_card_that_fits(kind: str, empty_home: Path) -> None:
    printed = isocortex("submit", "--example", kind)
    assert printed == example(kind, visibility="public")
    card = tomllib.loads(printed)
    needs_file = {} if kind == "hub" else {"sha256": "0" * 64}
    form = read_form({**card, **needs_file})
    assert form.kind == kind
    uncommented = "\n".join(
        line.removeprefix("# ") if " = " in line or line.startswith("# [") else line
        for line in printed.splitlines()
    )
    assert read_form({**tomllib.loads(uncommented), **needs_file}).layers


@pytest.mark.parametrize(
    ("what", "hint"),
    [
        ("nothing.onnx", "there is no file nothing.onnx"),
        ("card.toml", "give --kind"),
        ("torchvision/resnet18", "names no revision"),
        ("", "name a file or a reference"),
    ],
)
def test_what_can_not_be_submitted_is_told_plainly(folder: Path, what: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        isocortex("submit", what, "--card", "card.toml")


def test_a_card_that_is_no_toml_is_told_plainly(folder: Path) -> None:
    (folder / "card.toml").write_text("layers = [")
    with pytest.raises(InputError, match=r"card\.toml is no TOML"):
        submit()
    with pytest.raises(InputError, match="can't be read"):
        isocortex("submit", "small.onnx", "--card", "nowhere.toml")


def test_stimuli_are_listed_and_written(empty_home: Path, tmp_path: Path) -> None:
    lines = isocortex("stimuli", "simulated").splitlines()
    assert lines[0] == "position,id,file,width,height,degrees"
    assert lines[1] == "0,01-bar,00000.png,64,64," or lines[1].startswith("0,01-")
    assert len(lines) == 65
    isocortex("stimuli", "simulated", "--folder", str(tmp_path / "shown"))
    listed = json.loads((tmp_path / "shown" / "list.json").read_text())
    files = {path.name for path in (tmp_path / "shown").iterdir()}
    assert files == {"list.json", *(one["file"] for one in listed["stimuli"])}


def test_images_come_from_a_server_where_the_licence_allows(server: str, tmp_path: Path) -> None:
    isocortex("stimuli", "simulated", "--folder", str(tmp_path / "shown"))
    assert len(list((tmp_path / "shown").iterdir())) == 65
    listed = as_json("stimuli", "simulated")
    assert (listed["handed_out"], len(listed["items"])) == (True, 64)


def test_activations_are_converted_and_submitted(folder: Path) -> None:
    values = np.random.default_rng(0).normal(size=(64, 20)).astype(np.float32)
    np.save(folder / "first.npy", values)
    converted = as_json("convert", "first.npy", "mine.safetensors", "--stimuli", "simulated")
    assert (converted["layers"], converted["stimuli"]) == (["first"], {"": 64})
    card = CARD.replace('layers = ["rectified"]', "").partition("[preprocessing]")[0]
    (folder / "card.toml").write_text(card)
    made = as_json("submit", "mine.safetensors", "--card", "card.toml", "-b", BENCHMARK)
    assert (made["kind"], made["source"]["layers"]) == ("activations", ["first"])


def test_rows_without_ids_are_not_converted(folder: Path) -> None:
    np.save(folder / "first.npy", np.zeros((3, 4)))
    with pytest.raises(InputError, match="names no stimuli"):
        isocortex("convert", "first.npy", "mine.safetensors")
    (folder / "ids.txt").write_text("a\nb\nc\n")
    isocortex("convert", "first.npy", "mine.safetensors", "--ids", "ids.txt")
    assert (folder / "mine.safetensors").exists()
