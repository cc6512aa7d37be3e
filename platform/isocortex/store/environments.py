"""Where a run ran: what a reader needs to run it again, or to explain a difference."""

import os
import platform
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

_PACKAGES: Final = (
    "isocortex",
    "numpy",
    "scipy",
    "scikit-learn",
    "xarray",
    "torch",
    "torchvision",
    "pillow",
    "nilearn",
)


def environment_facts() -> dict[str, Any]:
    """Package versions, Python, platform, processor, GPU (if torch runs on one) and git state."""
    return {
        "packages": _package_versions(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "gpu": _gpu(),
        "git": git_state(Path(__file__).resolve().parents[3]),
    }


@cache
def _package_versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


@cache
def _processor() -> dict[str, Any]:
    listing = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", listing.read_text()) if listing.exists() else None
    return {"model": model[1] if model else platform.processor(), "cores": os.cpu_count()}


def _gpu() -> str | None:
    """The GPU's name; torch is only asked if somebody else has imported it."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name())


@cache
def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit and whether files differ from it, if `folder` is the root of isocortex's checkout."""
    if not (folder / ".git").exists() or not (folder / "platform" / "isocortex").is_dir():
        return None
    commit, changes = _git(folder, "rev-parse", "HEAD"), _git(folder, "status", "--porcelain")
    return None if commit is None else {"commit": commit, "dirty": bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):  # no git on this computer, or a very slow disk
        return None
    return done.stdout.strip() if done.returncode == 0 else None
