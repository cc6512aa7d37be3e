"""Databases are backed up, restored and moved whole, or not at all."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import uuid
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, Table, delete, insert, update
from tests.made_up_scores import benchmark_facts, candidate_facts, fill_store, record_score
from tests.store.seeded import ROWS, fill_tables, largest_id, rows_of

from isocortex.errors import StoreError
from isocortex.store import Store, backups, moving, open_store, opening, schema, service
from isocortex.submissions.blobs import Blobs

TABLES = {table.name for table in schema.Table.metadata.sorted_tables}

RESTORING = """
import os, signal, sys
from pathlib import Path
from isocortex.store import backups, moving, open_store

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

url, home, file, stage = sys.argv[1:]
if stage == "before the rows":
    backups.replace_rows = die
if stage == "before the commit":
    moving._set_sequences = die
with open_store(url) as store:
    backups.restore_backup(store.engine, Path(file), home=Path(home), force=True)
"""


@pytest.fixture
def other_url(tmp_path: Path, request: pytest.FixtureRequest, url: str) -> str:
    """The URL of an empty database of the other kind."""
    if url.startswith("postgresql"):
        return f"sqlite:///{tmp_path / 'other.sqlite3'}"
    psycopg = pytest.importorskip("psycopg", reason="pip install 'isocortex[postgres]'")
    folder, name = request.getfixturevalue("postgres"), f"other_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(f"host={folder} user=postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql://postgres@/{name}?host={folder}"


def contents(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """All rows but the revision's, whose identity is each database's own."""
    return {name: rows_of(engine, name) for name in TABLES - {"revision"}}


def backed_up(store: Store, folder: Path) -> Path:
    file = folder / f"{uuid.uuid4().hex}.zip"
    backups.write_backup(store.engine, file, home=store.artifacts.folder.parent)
    return file


def test_a_move_brings_every_row_of_every_table(store: Store, url: str, other_url: str) -> None:
    fill_tables(store.engine)
    before = contents(store.engine)
    moved = moving.move_database(url, other_url)
    assert set(moved) == TABLES
    assert {name: facts.rows for name, facts in moved.items()} == {
        name: 1 if name == "revision" else ROWS for name in TABLES
    }
    with open_store(other_url) as other:
        assert contents(other.engine) == before
    assert contents(store.engine) == before


def test_there_and_back_is_the_same(store: Store, url: str, other_url: str, tmp_path: Path) -> None:
    fill_tables(store.engine)
    there = moving.move_database(url, other_url)
    back = moving.move_database(other_url, f"sqlite:///{tmp_path / 'back.sqlite3'}")
    assert {name: back[name] for name in TABLES - {"revision"}} == {
        name: there[name] for name in TABLES - {"revision"}
    }


def test_rows_that_come_after_a_move_follow_the_largest_id(
    store: Store, url: str, other_url: str
) -> None:
    fill_tables(store.engine, only=["candidate"])
    moving.move_database(url, other_url)
    with open_store(other_url) as other, opening.writing(other.engine) as connection:
        assert largest_id(connection, "candidate") == 10 * ROWS
        for table, expected in ((schema.Candidate, 10 * ROWS + 1), (schema.Benchmark, 1)):
            made = connection.execute(insert(table).values(name="next"))
            assert made.inserted_primary_key == (expected,)


def test_a_moved_database_is_never_taken_for_the_old_one(
    store: Store, url: str, other_url: str
) -> None:
    fill_store(store)
    moving.move_database(url, other_url)
    with open_store(other_url) as other:
        (old, count), (new, same) = (each.data_version().split("-") for each in (store, other))
        assert old != new
        assert count == same
        assert contents(other.engine) == contents(store.engine)


def test_only_an_empty_database_is_moved_into(store: Store, url: str, other_url: str) -> None:
    fill_store(store)
    with open_store(other_url) as other:
        record_score(other, candidate_facts("other"), benchmark_facts())
        with pytest.raises(StoreError, match=r"is not empty.*--force"):
            moving.move_database(url, other_url)
        assert [row[1] for row in rows_of(other.engine, "candidate")] == ["other"]


@pytest.mark.parametrize("what", ["changed", "lost", "made twice"])
def test_a_row_that_changes_on_its_way_is_seen(
    store: Store, url: str, other_url: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_store(store)
    copy = moving._copy

    def damaged(origin: Connection, goal: Connection, table: Table) -> moving.TableFacts:
        facts = copy(origin, goal, table)
        if table.name == "score_slice":
            goal.execute(changes[what])
        return facts

    part = schema.ScoreSlice
    changes = {
        "changed": update(part).values(value=part.value * (1 + 1e-15)).where(part.id == 1),
        "lost": delete(part).where(part.id == 1),
        "made twice": insert(part).values(id=9999, score_id=1, kind="fold", position=99, name=""),
    }
    monkeypatch.setattr(moving, "_copy", damaged)
    with open_store(other_url) as other:
        with pytest.raises(StoreError, match="score_slice did not arrive as it left"):
            moving.move_database(url, other_url)
        assert rows_of(other.engine, "candidate") == []


def test_a_backup_restores_rows_and_files_on_the_other_kind(
    store: Store, other_url: str, tmp_path: Path
) -> None:
    fill_store(store)
    file, home = backed_up(store, tmp_path), tmp_path / "elsewhere"
    with open_store(other_url) as other:
        made = backups.restore_backup(other.engine, file, home=home)
        assert made.files == len(backups.named_files(store.engine)) > 1
        assert contents(other.engine) == contents(store.engine)
        assert backups.missing_files(other.engine, home) == ()
        assert backups.named_files(other.engine) == {
            str(path.relative_to(home)) for path in home.rglob("*.safetensors")
        }


def test_uploaded_files_are_backed_up_where_blobs_lie(small_store: Store, tmp_path: Path) -> None:
    content = b"an uploaded file"
    blobs = Blobs(small_store.submissions)
    path = blobs.path(hashlib.sha256(content).hexdigest())
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with opening.writing(small_store.engine) as connection:
        row = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        connection.execute(insert(service.Blob).values(**row))
    file = backed_up(small_store, tmp_path)
    path.unlink()
    backups.restore_backup(small_store.engine, file, home=blobs.folder.parent, force=True)
    assert path.read_bytes() == content


def test_a_backup_holds_every_table(store: Store, other_url: str, tmp_path: Path) -> None:
    fill_tables(store.engine)
    file = backed_up(store, tmp_path)
    assert backups.read_backup(file).rows == dict.fromkeys(TABLES, ROWS) | {"revision": 1}
    with open_store(other_url) as other:
        backups.restore_backup(other.engine, file, home=tmp_path)
        assert contents(other.engine) == contents(store.engine)


def test_a_backup_is_one_state_while_others_write(store: Store, url: str, tmp_path: Path) -> None:
    """A writer adds a candidate and its score in two tables; a backup has both or neither."""
    stop = threading.Event()
    record_score(store, candidate_facts("net"), benchmark_facts())

    def write() -> None:
        with open_store(url) as own:
            for count in range(10_000):
                if stop.is_set():
                    return
                record_score(own, candidate_facts(f"net{count}"), benchmark_facts())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        files = [backed_up(store, tmp_path) for _ in range(3)]
    finally:
        stop.set()
        writer.join()
    for number, file in enumerate(files):
        with open_store(f"sqlite:///{tmp_path / f'copy{number}.sqlite3'}") as copy:
            made = backups.restore_backup(copy.engine, file, home=tmp_path / f"copy{number}")
            assert made.missing == ()
            assert made.rows["score"] == int(copy.data_version().partition("-")[2])
            assert backups.missing_files(copy.engine, tmp_path / f"copy{number}") == ()


def test_a_backup_is_its_owners_alone_and_never_overwrites(small_store: Store, tmp_path) -> None:
    file = backed_up(small_store, tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(StoreError, match="is there already"):
        backups.write_backup(small_store.engine, file, home=tmp_path)
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_without_files_only_the_database_is_kept(small_store: Store, tmp_path: Path) -> None:
    fill_store(small_store)
    file = tmp_path / "bare.zip"
    made = backups.write_backup(small_store.engine, file, home=tmp_path, with_files=False)
    assert (made.files, made.with_files) == (0, False)
    assert zipfile.ZipFile(file).namelist() == ["database.sqlite3", "manifest.json"]


def test_files_that_are_gone_are_told(small_store: Store, tmp_path: Path) -> None:
    fill_store(small_store)
    gone = sorted(backups.named_files(small_store.engine))[0]
    (small_store.artifacts.folder.parent / gone).unlink()
    assert backups.read_backup(backed_up(small_store, tmp_path)).missing == (gone,)
    assert backups.missing_files(small_store.engine, small_store.artifacts.folder.parent) == (gone,)


def test_only_an_empty_database_is_restored_into_unless_forced(
    store: Store, tmp_path: Path
) -> None:
    fill_store(store)
    file, before = backed_up(store, tmp_path), contents(store.engine)
    version = store.data_version()
    record_score(store, candidate_facts("later"), benchmark_facts())
    with pytest.raises(StoreError, match="not empty"):
        backups.restore_backup(store.engine, file, home=tmp_path)
    backups.restore_backup(store.engine, file, home=tmp_path, force=True)
    assert contents(store.engine) == before
    assert store.data_version() != version  # or what follows would pass for what was lost
    record_score(store, candidate_facts("after"), benchmark_facts())


@pytest.mark.parametrize("stage", ["before the rows", "before the commit"])
def test_a_killed_restore_leaves_the_old_rows(
    store: Store, url: str, tmp_path: Path, stage: str
) -> None:
    fill_store(store)
    file = backed_up(store, tmp_path)
    record_score(store, candidate_facts("later"), benchmark_facts())
    before, version = contents(store.engine), store.data_version()
    arguments = [url, str(tmp_path / "home"), str(file), stage]
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run([sys.executable, "-c", RESTORING, *arguments], env=os.environ | paths)
    assert killed.returncode == -signal.SIGKILL
    assert contents(store.engine) == before
    assert store.data_version() == version
    record_score(store, candidate_facts("goes on"), benchmark_facts())


def damage(file: Path, how: str) -> None:
    if how == "cut short":
        file.write_bytes(file.read_bytes()[:-200])
        return
    if how == "a bit turned":
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        return
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    artifact = next(name for name in members if name.startswith("artifacts"))
    if how == "a file left out":
        del members[artifact]
    elif how == "a file changed":
        members[artifact] += b" "
    elif how == "another database":
        members["database.sqlite3"] += b" "
    elif how == "a path that climbs":
        members[f"artifacts/../{artifact}"] = members.pop(artifact)
    elif how == "another format":
        members["manifest.json"] = members["manifest.json"].replace(b"backup/1", b"backup/2")
    elif how == "no manifest":
        del members["manifest.json"]
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    "how",
    [
        *("cut short", "a bit turned", "a file left out", "a file changed", "another database"),
        *("a path that climbs", "another format", "no manifest"),
    ],
)
def test_a_damaged_backup_changes_nothing(small_store: Store, tmp_path: Path, how: str) -> None:
    fill_store(small_store)
    file, before = backed_up(small_store, tmp_path), contents(small_store.engine)
    damage(file, how)
    home = tmp_path / "elsewhere"
    with pytest.raises(StoreError, match=r"damaged|expected|no backup"):
        backups.restore_backup(small_store.engine, file, home=home, force=True)
    assert contents(small_store.engine) == before
    assert list(home.rglob("*")) == []


def test_what_is_no_zip_file_is_refused(small_store: Store, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    for name in ("notes.txt", "nothing.zip"):
        with pytest.raises(StoreError, match=name):
            backups.restore_backup(small_store.engine, tmp_path / name, home=tmp_path)


def test_a_damaged_artifact_is_mended_by_a_restore(small_store: Store, tmp_path: Path) -> None:
    fill_store(small_store)
    file, home = backed_up(small_store, tmp_path), small_store.artifacts.folder.parent
    path = home / min(backups.named_files(small_store.engine))
    whole = path.read_bytes()
    path.write_bytes(b"damaged")
    backups.restore_backup(small_store.engine, file, home=home, force=True)
    assert path.read_bytes() == whole


def test_a_backup_of_an_older_schema_is_brought_up_to_date(
    empty_home: Path, tmp_path: Path
) -> None:
    from tests.store.test_migrations import migrate

    engine = opening.open_engine(f"sqlite:///{tmp_path / 'old.sqlite3'}")
    opening.upgrade_schema(engine)
    fill_tables(engine, only=["candidate"])
    migrate(engine, "0001")
    engine.dispose()
    file = tmp_path / "old.zip"
    with open_store() as store:
        backups.write_backup(store.engine, tmp_path / "new.zip", home=tmp_path)
        rewrite_database(tmp_path / "new.zip", file, tmp_path / "old.sqlite3")
        backups.restore_backup(store.engine, file, home=tmp_path)
        assert len(rows_of(store.engine, "candidate")) == ROWS
        assert rows_of(store.engine, "job") == []


def rewrite_database(origin: Path, target: Path, database: Path) -> None:
    """The backup `origin` with another database in it, and its manifest set right."""
    with zipfile.ZipFile(origin) as old, zipfile.ZipFile(target, "w") as new:
        facts = json.loads(old.read("manifest.json"))
        facts["database_sha256"] = hashlib.sha256(database.read_bytes()).hexdigest()
        new.write(database, "database.sqlite3")
        new.writestr("manifest.json", json.dumps(facts))


def test_jobs_that_beat_are_not_overwritten(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_tables(store.engine)
    file = backed_up(store, tmp_path)
    job = service.Job

    def beat() -> None:
        with opening.writing(store.engine) as connection:
            connection.execute(update(job).values(beat=job.beat + 1).where(job.state == "running"))

    monkeypatch.setattr(moving.time, "sleep", lambda _: beat())
    with pytest.raises(StoreError, match="stop `isocortex serve` and all workers"):
        backups.restore_backup(store.engine, file, home=tmp_path, force=True)
    monkeypatch.setattr(moving, "WATCHED_SECONDS", 0.01)
    monkeypatch.setattr(moving.time, "sleep", lambda _: None)
    backups.restore_backup(store.engine, file, home=tmp_path, force=True)
