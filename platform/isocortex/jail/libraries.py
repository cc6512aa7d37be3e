"""What a jailed process may read: Python's own libraries, our package, and facts of the machine."""

import functools
import importlib.util
import os
import re
import site
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .. import settings
from ..errors import JailError

_FACTS: Final = ("/etc/ld.so.cache", "/dev/urandom", "/proc/cpuinfo")
"""Where the loader looks up libraries, chance, and what the processor can: the same for all."""
_PROCESSORS: Final = "/sys/devices/system/cpu"
_LOADED: Final = re.compile(r"/lib(?:c|m|ffi|python[\d.]*|stdc\+\+|gcc_s|z)[-.\d]*\.so[.\d]*$")
_PACKAGES: Final = ("isocortex", "isocortex.model_zoo", "isocortex.scorers")
_FOREIGN: Final = ("numpy", "onnx", "onnxruntime", "safetensors", "torch")


@dataclass(frozen=True)
class Libraries:
    """Where a jailed process finds its modules, and all it may read."""

    folders: tuple[str, ...]
    """What may be read, with all below it."""
    files: tuple[str, ...]
    path: tuple[str, ...]
    """Where other people's packages are imported from."""
    packages: dict[str, str]
    """The folders of our packages, by name: in a checkout they lie apart."""


def libraries() -> Libraries:
    """The libraries of this Python. Raises JailError if private files lie among them."""
    found = _found()
    private = _private_places()
    for folder in found.folders:
        for place in private:
            if place.is_relative_to(folder):
                raise JailError(
                    f"{place} lies in {folder}, which every jailed process may read; move "
                    "ISOCORTEX_HOME, the database or the mirror elsewhere"
                )
    return found


@functools.cache
def _found() -> Libraries:
    packages = {name: _folder_of(name) for name in _PACKAGES}
    path = _site_folders()
    folders = {
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib")),
        *_loader_folders(),
        *packages.values(),
        *path,
        _PROCESSORS,
    }
    return Libraries(
        folders=tuple(
            sorted({str(Path(each).resolve()) for each in folders if Path(each).is_dir()})
        ),
        files=tuple(each for each in _FACTS if Path(each).exists()),
        path=path,
        packages=packages,
    )


def _folder_of(package: str) -> str:
    specification = importlib.util.find_spec(package)
    places = specification.submodule_search_locations if specification else None
    if not places:
        raise JailError(f"the folder of {package} can't be found; is isocortex installed?")
    return str(Path(places[0]).resolve())


def _site_folders() -> tuple[str, ...]:
    """Where packages are installed, as far as this Python looks there."""
    known = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    if site.ENABLE_USER_SITE:
        known.add(site.getusersitepackages())
    for package in _FOREIGN:
        specification = importlib.util.find_spec(package)
        for place in (specification.submodule_search_locations or ()) if specification else ():
            if Path(place).parent.name in ("site-packages", "dist-packages"):
                known.add(str(Path(place).parent))
    return tuple(each for each in sys.path if each in known and Path(each).is_dir())


def _loader_folders() -> set[str]:
    """The folders that the C library and its like were loaded from, and Python's own."""
    mapped = Path("/proc/self/maps").read_text().split()
    folders = {os.path.dirname(each) for each in mapped if _LOADED.search(each)}  # noqa: PTH120
    own = Path(sys.base_prefix) / "lib"
    return folders if sys.base_prefix == "/usr" else {*folders, str(own)}


def _private_places() -> set[Path]:
    places = {settings.home(), Path.home()}
    mirror, database = settings.mirror(), settings.database_url()
    if mirror and "://" not in mirror:
        places.add(Path(mirror))
    if database.startswith("sqlite:///"):
        places.add(Path(database.removeprefix("sqlite:///")))
    return {each.expanduser().resolve() for each in places}
