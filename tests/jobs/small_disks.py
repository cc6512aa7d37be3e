"""Disks of a few megabytes that are filled to their last byte; they need root, or are not had.

Each is mounted in a mount namespace, and goes with the last process in it: nobody else sees it, and
nothing stays mounted.
"""

import errno
import os
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

SIZE = 16 * 2**20
APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
"""What runs a command where it may mount what it likes, and kills all that it leaves behind."""

_MOUNT = f"mount -t tmpfs -o size={SIZE} small-disk"


OUTSIDE = "ISOCORTEX_TESTS_OUTSIDE"
"""The variable that names the mount namespace from which `APART` was run."""


def mounts_seen() -> str:
    """The name of the mount namespace of this process."""
    return str(Path("/proc/self/ns/mnt").readlink())


@cache
def obstacle() -> str | None:
    """Why no small disk can be had here, or None."""
    if os.geteuid() != 0:
        return "needs root, to mount a small disk"
    try:
        trial = [*APART, *_MOUNT.split(), "/mnt"]
        done = subprocess.run(trial, capture_output=True, text=True)
    except FileNotFoundError as error:
        return str(error)
    return None if done.returncode == 0 else f"no disk can be mounted: {done.stderr.strip()}"


def mount(folder: Path) -> None:
    """Mount a small disk, in a namespace of its own: this process is run by `APART`."""
    assert mounts_seen() != os.environ[OUTSIDE], "others would see what is mounted"
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([*_MOUNT.split(), str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leave no byte of room on the disk of this folder."""
    with (folder / "filler").open("ab", buffering=0) as file:
        for size in (2**20, 4096, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        (folder / "one more").write_bytes(b"!")
    (folder / "one more").unlink()


def make_room(folder: Path) -> None:
    """Remove what fills it."""
    (folder / "filler").unlink()


class HeldDisk:
    """A small disk at `folder` for the processes that `joining` starts; a process holds it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        script = f'{_MOUNT} "$0" && echo mounted && exec sleep infinity'
        command = ["unshare", "--mount", "sh", "-c", script, str(folder)]
        self._holder = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"mounted\n"
        self.inside = Path(f"/proc/{self._holder.pid}/root{folder}")
        """Where it is seen from outside."""

    @property
    def joining(self) -> list[str]:
        """What is put before a command that is to see the disk."""
        return ["nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", f"--wd={Path.cwd()}"]

    def close(self) -> None:
        """Let go of it."""
        self._holder.kill()
        self._holder.communicate()
