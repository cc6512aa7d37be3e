"""What this computer has to spare: memory and disk, in bytes, and threads."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

UNKNOWN_MEMORY: Final = 4 * 10**9
"""What counts as free where the system does not say (anything but Linux)."""

_SPARED_DISK: Final = 10**9
"""What is left to others on a disk."""


def free_memory(root: Path = Path("/")) -> int:
    """The bytes of memory a process can still take: what is available, and what its group may use.

    `root` is where `proc` and `sys` are found.
    """
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:
        return UNKNOWN_MEMORY
    facts = {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
    available = 1024 * int(facts["MemAvailable"][0])
    return max(0, min([available, *_group_limits(root)]))


def free_disk(folder: Path) -> int:
    """The bytes that may be written to the file system of `folder`; 1 GB is left to others."""
    return max(0, shutil.disk_usage(folder).free - _SPARED_DISK)


def threads() -> int:
    """How many threads may compute at once: OMP_NUM_THREADS, else one for each processor.

    Who starts several processes side by side gives each its share by that variable, as BLAS and
    torch read it.
    """
    share = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(share) if share.isdecimal() and int(share) else os.cpu_count() or 1


def _group_limits(root: Path) -> Iterator[int]:
    """What is left of each limit that containers and job schedulers put on this process."""
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for group in groups:
        _, controllers, path = group.split(":", 2)
        if controllers in ("", "memory"):
            top = root / "sys/fs/cgroup" / controllers
            names = ("memory.max", "memory.current")
            if controllers:  # version 1
                names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            own = top / path.lstrip("/")
            for folder in (own, *own.parents):
                if folder.is_relative_to(top):
                    yield from _left(folder, *names)


def _left(folder: Path, limit: str, usage: str) -> Iterator[int]:
    """The limit less what is in use, without the file cache, which gives way."""
    try:
        most, used = (folder / limit).read_text().strip(), (folder / usage).read_text()
        facts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except OSError:
        return
    if most != "max":
        yield int(most) - int(used) + int(facts.get("inactive_file", 0))
