"""What this process uses: memory and processor time."""

import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

_STATUS: Final = Path("/proc/self/status")


def cpu_seconds() -> float:
    """Processor seconds of this process so far, and of its children that have ended."""
    return sum(os.times()[:4])


def resident_bytes() -> int | None:
    """The memory that this process holds now; None where the system does not say."""
    return _kilobytes("VmRSS")


def peak_bytes() -> int | None:
    """The most memory that this process held since `forget_peak`."""
    found = _kilobytes("VmHWM")
    if found is not None:
        return found
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def forget_peak() -> None:
    """Let the peak begin anew, where the system allows it."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _kilobytes(name: str) -> int | None:
    try:
        found = re.search(rf"{name}:\s+(\d+)", _STATUS.read_text())
    except OSError:
        return None
    return None if found is None else 1024 * int(found[1])
