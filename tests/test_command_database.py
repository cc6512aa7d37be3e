"""Journeys: the database is shown, backed up, restored and moved."""

import json

import pytest

from isocortex.store import open_store
from tests.made_up_scores import fill_store
from tests.test_command_line import failing, isocortex


@pytest.fixture
def filled(empty_home):
    with open_store() as store:
        fill_store(store)
    return empty_home


def scored() -> list[str]:
    return [row["model"] for row in json.loads(isocortex("leaderboard", "--json"))]


def test_a_backup_is_made_and_restored(filled, tmp_path, monkeypatch):
    before = scored()
    made = json.loads(isocortex("db", "backup", str(tmp_path / "all.zip"), "--json"))
    assert (made["rows"]["score"], made["missing"]) == (6, [])
    monkeypatch.setenv("ISOCORTEX_HOME", str(tmp_path / "other"))
    isocortex("db", "restore", str(tmp_path / "all.zip"))
    assert scored() == before
    assert json.loads(isocortex("db", "status", "--json"))["missing_files"] == []


def test_a_database_that_holds_something_is_replaced_by_force_only(
    filled, tmp_path, monkeypatch, capsys
):
    file = str(tmp_path / "all.zip")
    isocortex("db", "backup", file)
    status, text = failing("db", "restore", file, monkeypatch=monkeypatch, capsys=capsys)
    assert status == 9
    assert "the database is not empty" in text
    isocortex("db", "restore", file, "--force")
    assert len(scored()) == 3


def test_a_database_is_moved(filled, tmp_path, monkeypatch):
    before = scored()
    target = f"sqlite:///{tmp_path / 'moved.sqlite3'}"
    isocortex("db", "move", "--to", target)
    monkeypatch.setenv("ISOCORTEX_DATABASE", target)
    assert scored() == before


def test_the_state_of_the_database_is_shown(filled):
    found = json.loads(isocortex("db", "status", "--json"))
    assert found["schema"] == found["newest_schema"]
    assert found["rows"]["score"] == 6
    assert found["bytes"] > 10_000
    table = " ".join(isocortex("db", "status").split())
    assert "score_slice" in table
    assert "webhook" not in table  # which holds nothing


def test_files_that_are_missing_are_named(filled):
    for path in (filled / "artifacts").rglob("*.safetensors"):
        path.unlink()
    found = json.loads(isocortex("db", "status", "--json"))
    assert found["missing_files"]
    assert all(name.startswith("artifacts/") for name in found["missing_files"])


def test_a_database_that_was_never_used_is_shown_as_such(empty_home):
    empty_home.mkdir()
    found = json.loads(isocortex("db", "status", "--json"))
    assert (found["schema"], found["rows"]) == (None, {})


def test_a_worker_elsewhere_must_be_told_where(empty_home, monkeypatch, capsys):
    for arguments, message in (
        (("--executor", "dask"), "name a Dask scheduler"),
        (("--executor", "dask", "--slurm-jobs", "2"), "--worker-memory 16GB"),
        (("--server", "https://example.org"), "set ISOCORTEX_TOKEN"),
    ):
        status, text = failing("worker", *arguments, monkeypatch=monkeypatch, capsys=capsys)
        assert status == 7
        assert message in text
