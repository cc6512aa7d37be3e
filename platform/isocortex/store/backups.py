"""Backups: one zip file with the database, the arrays of its scores and the files of submissions.

    manifest.json      what it is: schema, rows, SHA-256 of the database, files that were missing
    database.sqlite3   all tables, whatever kind of database they come from
    artifacts/ab/…     the details of scores, named by their SHA-256
    blobs/ab/…         uploaded files, likewise

The database is copied first, in one snapshot, while others write. Files are written before the rows
that name them, never change, and are only added; so all that the snapshot names is there after it.
"""

import hashlib
import json
import logging
import os
import re
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Final

from sqlalchemy import Engine, select

from .. import __version__
from ..errors import StoreError
from . import service
from .moving import replace_rows, row_counts
from .opening import check_schema, open_engine, reading, schema_revision, upgrade_schema
from .schema import Score, now

log = logging.getLogger(__name__)

FORMAT: Final = "isocortex-backup/1"
_DATABASE: Final = "database.sqlite3"
_MANIFEST: Final = "manifest.json"
_ARTIFACT: Final = re.compile(r"artifacts/([0-9a-f]{2})/\1([0-9a-f]{62})\.safetensors")
_BLOB: Final = re.compile(r"blobs/([0-9a-f]{2})/([0-9a-f]{62})")
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Backup:
    """What a backup says of itself. `missing` names files that were gone when it was made."""

    format: str
    isocortex: str
    schema: str
    made_at: str
    database_sha256: str
    rows: Mapping[str, int]
    files: int
    with_files: bool
    missing: tuple[str, ...]


def write_backup(engine: Engine, file: Path, *, home: Path, with_files: bool = True) -> Backup:
    """What was written to `file`, which appears whole or not at all and only its owner may read.

    Others may write meanwhile. Without files, it holds the database alone, and to restore it takes
    the `artifacts` and `blobs` of the home folder as well. Raises StoreError.
    """
    check_schema(engine)
    if file.exists():
        raise StoreError(f"{file} is there already; name another file, it is not overwritten")
    with _written_at_once(file) as written, tempfile.TemporaryDirectory(dir=file.parent) as folder:
        copy = Path(folder) / _DATABASE
        _snapshot(engine, copy)
        opened = open_engine(f"sqlite:///{copy}")
        try:
            backup = _write(opened, written, copy, home=home if with_files else None)
        finally:
            opened.dispose()
    log.info("backup %s: %s rows, %s files", file, sum(backup.rows.values()), backup.files)
    return backup


def restore_backup(engine: Engine, file: Path, *, home: Path, force: bool = False) -> Backup:
    """What was restored: the database now holds what the backup holds, its files are in `home`.

    All of it is checked before anything changes; then files are added, and at last all rows are
    replaced in one transaction. So a restore that is killed leaves the database as it was. Raises
    StoreError for a damaged or newer backup, and for a database that is not empty, unless `force`.
    """
    with _opened(file) as archive, tempfile.TemporaryDirectory(dir=_made(home)) as folder:
        backup = _read_manifest(archive, file)
        copy = Path(folder) / _DATABASE
        _check(archive, backup, copy, file=file)
        source = open_engine(f"sqlite:///{copy}")
        try:
            _check_database(source, copy, file=file)
            upgrade_schema(source)
            upgrade_schema(engine)
            _add_files(archive, home, file=file)
            replace_rows(source, engine, force=force)
        finally:
            source.dispose()
    return backup


def read_backup(file: Path) -> Backup:
    """What a backup says of itself, after every byte of it was checked. Raises StoreError."""
    with _opened(file) as archive, tempfile.TemporaryDirectory() as folder:
        backup = _read_manifest(archive, file)
        _check(archive, backup, Path(folder) / _DATABASE, file=file)
    return backup


def named_files(engine: Engine) -> set[str]:
    """The files that the rows of a database name, relative to the home folder."""
    blobs = select(service.Blob.sha256).union(
        select(service.Submission.blob).where(service.Submission.blob.is_not(None))
    )
    with reading(engine) as connection:
        details = connection.scalars(select(Score.detail).distinct()).all()
        return {
            *(f"artifacts/{each[:2]}/{each}.safetensors" for each in details),
            *(f"blobs/{each[:2]}/{each[2:]}" for each in connection.scalars(blobs)),
        }


def missing_files(engine: Engine, home: Path) -> tuple[str, ...]:
    """The files that the rows of a database name and that are not in the home folder."""
    return tuple(sorted(name for name in named_files(engine) if not (home / name).is_file()))


def _snapshot(engine: Engine, copy: Path) -> None:
    """The database as it is at one moment, as a file of SQLite."""
    if engine.dialect.name == "sqlite":
        with closing(engine.raw_connection()) as source, closing(sqlite3.connect(copy)) as target:
            origin: sqlite3.Connection = source.driver_connection  # type: ignore[assignment]
            origin.backup(target)  # all pages in one step: one state, whoever writes
        return
    target_engine = open_engine(f"sqlite:///{copy}")
    try:
        upgrade_schema(target_engine)
        replace_rows(engine, target_engine)
    finally:
        target_engine.dispose()


def _write(engine: Engine, written: IO[bytes], copy: Path, *, home: Path | None) -> Backup:
    """Write the archive of a copied database and, from `home`, of the files that it names."""
    names = sorted(named_files(engine)) if home else []
    missing: list[str] = []
    with reading(engine) as connection:
        rows = row_counts(connection)
    schema = schema_revision(engine)
    engine.dispose()  # the last connection writes the log into the file
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        archive.write(copy, _DATABASE, zipfile.ZIP_DEFLATED, 1)
        for name in names:
            try:
                archive.write(Path(str(home)) / name, name)
            except FileNotFoundError:
                missing.append(name)
        backup = Backup(
            format=FORMAT,
            isocortex=__version__,
            schema=str(schema),
            made_at=now().isoformat(timespec="seconds"),
            database_sha256=_sha256(copy.open("rb")),
            rows=rows,
            files=len(names) - len(missing),
            with_files=home is not None,
            missing=tuple(missing),
        )
        archive.writestr(_MANIFEST, json.dumps(asdict(backup), indent=1))
    return backup


@contextmanager
def _written_at_once(file: Path) -> Iterator[IO[bytes]]:
    """A file beside `file` that takes its name at the end, on disk and readable by its owner."""
    try:
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=".writing-")
        try:
            with os.fdopen(handle, "wb") as written:
                yield written
                written.flush()
                os.fsync(written.fileno())
            os.replace(name, file)  # noqa: PTH105 - atomic on one file system
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"the backup {file} can't be written: {error}") from None


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise StoreError(f"{file} is damaged, or no backup: {error}") from None
    except OSError as error:
        raise StoreError(f"{file} can't be read or restored: {error}") from None


def _read_manifest(archive: zipfile.ZipFile, file: Path) -> Backup:
    try:
        facts = json.loads(archive.read(_MANIFEST))
        backup = Backup(**{**facts, "missing": tuple(facts["missing"])})
    except (KeyError, TypeError, ValueError):
        raise StoreError(
            f"{file} is no backup of isocortex: its {_MANIFEST} is not right"
        ) from None
    if backup.format != FORMAT:
        raise StoreError(f"{file} is {backup.format!r}, expected {FORMAT!r}; update isocortex")
    return backup


def _check(archive: zipfile.ZipFile, backup: Backup, copy: Path, *, file: Path) -> None:
    """Raise StoreError unless each file in it has the SHA-256 that it should; the database is put
    into `copy`.
    """
    members = [member for member in archive.infolist() if member.filename != _MANIFEST]
    names = [member.filename for member in members]
    if len(set(names)) != len(names) or len(names) != backup.files + 1:
        raise StoreError(f"{file} is damaged: it holds {len(names) - 1} files of {backup.files}")
    for name in names:
        expected = backup.database_sha256 if name == _DATABASE else _content_of(name, file)
        with archive.open(name) as content:
            if name == _DATABASE:
                with copy.open("wb") as target:
                    found = _sha256(content, target)
            else:
                found = _sha256(content)
        if found != expected:
            raise StoreError(f"{file} is damaged: {name} has the SHA-256 {found}")


def _content_of(name: str, file: Path) -> str:
    """The SHA-256 in a file's name; the name can be no other than that of an artifact or blob."""
    found = _ARTIFACT.fullmatch(name) or _BLOB.fullmatch(name)
    if found is None:
        raise StoreError(f"{file} holds {name!r}, which no backup of isocortex holds")
    return "".join(found.groups())


def _check_database(engine: Engine, copy: Path, *, file: Path) -> None:
    schema_revision(engine)
    with closing(sqlite3.connect(copy)) as connection:
        faults = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        if faults != ["ok"] or connection.execute("PRAGMA foreign_key_check").fetchall():
            raise StoreError(f"the database in {file} is damaged: {faults[0]}")


def _add_files(archive: zipfile.ZipFile, home: Path, *, file: Path) -> None:
    for name in set(archive.namelist()) - {_DATABASE, _MANIFEST}:
        target, sha256 = home / name, _content_of(name, file)
        if _is_whole(target, sha256):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, written = tempfile.mkstemp(dir=target.parent, prefix=".writing-")
        try:
            with os.fdopen(handle, "wb") as goal, archive.open(name) as content:
                if _sha256(content, goal) != sha256:
                    raise StoreError(f"{file} changed while it was read, at {name}")
                goal.flush()
                os.fsync(goal.fileno())
            os.replace(written, target)  # noqa: PTH105 - atomic on one file system
        except BaseException:
            Path(written).unlink(missing_ok=True)
            raise


def _is_whole(path: Path, sha256: str) -> bool:
    """Whether the file is there with that content; a damaged one is not."""
    return path.is_file() and _sha256(path.open("rb")) == sha256


def _sha256(content: IO[bytes], target: IO[bytes] | None = None) -> str:
    """The SHA-256 of what is read to its end, and written to `target` if there is one."""
    digest = hashlib.sha256()
    with content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            if target is not None:
                target.write(chunk)
    return digest.hexdigest()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
