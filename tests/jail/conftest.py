"""Decoys: things that are made to be attacked, and nothing else."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import isocortex.jail

ROOT = Path(__file__).parents[2]

DECOY_PROCESS = """
import ctypes, sys
room = ctypes.create_string_buffer(b"secret!")
print(ctypes.addressof(room), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="session")
def decoy_process() -> Iterator[tuple[int, int]]:
    """A process to be attacked: its number, and where eight bytes of its memory are."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", DECOY_PROCESS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"DECOY": "secret"},
    )
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield process.pid, int(process.stdout.readline())
        process.stdin.close()


@pytest.fixture(scope="session")
def listeners(tmp_path_factory) -> Iterator[dict[str, object]]:
    """Sockets that take every connection: by TCP, by a file and by an abstract name."""
    path = str(tmp_path_factory.mktemp("sockets") / "socket")
    abstract = f"isocortex decoy {os.getpid()}"
    with (
        socket.create_server(("127.0.0.1", 0), backlog=64) as tcp,
        socket.socket(socket.AF_UNIX) as local,
        socket.socket(socket.AF_UNIX) as nameless,
    ):
        local.bind(path)
        nameless.bind(f"\0{abstract}")
        local.listen(64)
        nameless.listen(64)
        yield {"port": tcp.getsockname()[1], "socket": path, "abstract": abstract}


@pytest.fixture
def decoy(tmp_path, decoy_process, listeners, monkeypatch) -> Iterator[dict[str, object]]:
    """Everything an attack may aim at, by name."""
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    (tmp_path / "link").symlink_to(secret)
    (tmp_path / "hard").hardlink_to(secret)
    (tmp_path / "given").write_text("given")
    folder = tmp_path / "folder"
    (folder / "empty").mkdir(parents=True)
    (folder / "plain").write_text("plain")
    # In a folder that the jail may read, so that only a lock on writing can keep it.
    library = Path(isocortex.jail.__file__).parent / "__pycache__" / f"decoy-{os.getpid()}"
    library.parent.mkdir(exist_ok=True)
    library.write_text("library")
    monkeypatch.setenv("ISOCORTEX_DECOY", "secret")
    leftover = os.open(secret, os.O_RDONLY)
    os.set_inheritable(leftover, True)
    name = f"isocortex-decoy-{os.getpid()}"
    yield {
        **listeners,
        "secret": str(secret),
        "link": str(tmp_path / "link"),
        "hard": str(tmp_path / "hard"),
        "given": str(tmp_path / "given"),
        "folder": str(folder),
        "plain": str(folder / "plain"),
        "library": str(library),
        "checkout": str(ROOT),
        "home": str(tmp_path),
        "process": decoy_process[0],
        "address": decoy_process[1],
        "leftover": leftover,
        "name": name,
        "program": shutil.which("echo"),
        "device": "/dev/kmsg",
    }
    os.close(leftover)
    library.unlink()
    Path("/dev/shm", name).unlink(missing_ok=True)
