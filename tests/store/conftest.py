"""Stores to test: SQLite always, and PostgreSQL in a cluster of its own that lasts for the run."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from isocortex.store import Store, open_store

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Path]:
    """The socket folder of a running PostgreSQL server, which trusts the user `postgres`."""
    if not BINARIES:
        pytest.skip("needs PostgreSQL's server: apt install postgresql")
    with postgres_server() as folder:
        yield folder


@contextmanager
def postgres_server() -> Iterator[Path]:
    """Such a server, as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="isocortex-postgres-"))
    user = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
        user = {"user": "postgres", "group": "postgres"}
    control, cluster = BINARIES[-1] / "pg_ctl", folder / "cluster"
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder, **user}
    try:
        made = ["initdb", "-o", "--auth=trust --username=postgres --no-sync"]
        subprocess.run([control, "-D", cluster, *made], **quiet)
        subprocess.run([control, "-D", cluster, "-w", "-o", options, "start"], **quiet)
        yield folder
    finally:
        subprocess.run(
            [control, "-D", cluster, "-m", "immediate", "stop"], **{**quiet, "check": False}
        )
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, empty_home: Path) -> str:
    """The URL of an empty database, and an empty home folder."""
    if request.param == "sqlite":
        return f"sqlite:///{empty_home / 'scores.sqlite3'}"
    return new_database(request)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An empty store, on each kind of database."""
    with open_store(url) as opened:
        yield opened


def new_database(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database of PostgreSQL, of whatever scope the fixture is that asks."""
    psycopg = pytest.importorskip("psycopg", reason="pip install 'isocortex[postgres]'")
    folder = request.getfixturevalue("postgres")
    name = f"scores_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(f"host={folder} user=postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql://postgres@/{name}?host={folder}"


@pytest.fixture
def small_store(empty_home: Path) -> Iterator[Store]:
    """An empty store on SQLite, for what does not depend on the kind of database."""
    with open_store() as opened:
        yield opened
