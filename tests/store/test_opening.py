"""A database that can't be used says why, and what to do."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.made_up_scores import benchmark_facts, candidate_facts, record_score

from isocortex import settings
from isocortex.errors import StoreError
from isocortex.store import open_store, opening


def set_revision(path: Path, revision: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.close()


def test_the_default_database_lies_in_the_home_folder(empty_home: Path) -> None:
    open_store().close()
    assert (empty_home / "isocortex.sqlite3").exists()


def test_sqlite_runs_in_wal_mode_with_foreign_keys(empty_home: Path) -> None:
    with open_store() as store, store.engine.connect() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
    assert found == ["wal", 1, 1, 1000 * opening.BUSY_SECONDS]


def test_an_empty_database_is_only_upgraded_on_demand(url: str) -> None:
    with pytest.raises(StoreError, match="isocortex db upgrade"):
        open_store(url, upgrade=False)
    open_store(url).close()
    open_store(url, upgrade=False).close()


def test_a_newer_database_is_left_alone(empty_home: Path) -> None:
    open_store().close()
    set_revision(empty_home / "isocortex.sqlite3", "9999")
    with pytest.raises(StoreError, match=r"9999, which is newer.*update isocortex"):
        open_store()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database " * 100)
    with pytest.raises(StoreError, match=r"notes.txt.*not a database"):
        open_store(f"sqlite:///{tmp_path / 'notes.txt'}")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file"):
        open_store(f"sqlite:///{tmp_path / 'file' / 'scores.sqlite3'}")


@pytest.mark.parametrize("url", ["scores.sqlite3", "mysql://user:secret@host/name", "ftp://x"])
def test_a_url_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="expected sqlite:///") as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError, match="set ISOCORTEX_DATABASE") as caught:
        open_store(f"postgresql://me:secret@/scores?host={tmp_path}")
    assert "secret" not in str(caught.value)


def test_a_locked_database_is_reported(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.05)
    with open_store() as store:
        other = sqlite3.connect(empty_home / "isocortex.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            record_score(store, candidate_facts(), benchmark_facts())
        assert store.models() == ()  # readers are not kept waiting
        other.close()


def test_two_databases_have_different_data_versions(tmp_path: Path, empty_home: Path) -> None:
    with open_store() as one, open_store(f"sqlite:///{tmp_path / 'other.sqlite3'}") as other:
        assert one.data_version() != other.data_version()


def test_the_store_never_imports_torch() -> None:
    program = "import sys, isocortex.store; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_database_can_be_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCORTEX_DATABASE", f"sqlite:///{tmp_path / 'mine.sqlite3'}")
    open_store().close()
    assert settings.database_url().endswith("mine.sqlite3")
    assert (tmp_path / "mine.sqlite3").exists()
