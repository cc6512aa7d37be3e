"""Where things live on this computer. Every setting is an environment variable.

| variable | meaning | default |
|---|---|---|
| `ISOCORTEX_HOME` | folder of fetched files, caches, artifacts, database | the user's data folder |
| `ISOCORTEX_MIRROR` | folder or URL laid out as `<host>/<path>`, tried before the internet | none |
| `ISOCORTEX_DATABASE` | SQLAlchemy URL of the store | `isocortex.sqlite3` in the home folder |
| `ISOCORTEX_SERVER` | the server that commands and `isocortex.Client` speak to | none |
| `ISOCORTEX_TOKEN` | the token that is shown to it | none |
| `ISOCORTEX_PRIVATE_WEBHOOKS` | 1: webhooks may reach private addresses, and by http | no |
| `ISOCORTEX_CACHE_BYTES` | how much the geometry cache may hold | 4 GB |
| `ISOCORTEX_HUB_BYTES` | how much the files of hubs may hold that submissions name | 20 GB |
| `ISOCORTEX_MEMORY_BYTES` | what an extraction may add to the memory in use | half of the free |
| `ISOCORTEX_CIFAR10` | CIFAR-10: torchvision's folder, or a zip | `cifar10` in the home folder |
| `ISOCORTEX_CIFAR100` | CIFAR-100: likewise | `cifar100` in the home folder |
| `ISOCORTEX_STL10` | STL-10: torchvision's folder | `stl10` in the home folder |
| `ISOCORTEX_TINY_IMAGENET` | the archive, or its folder | `tiny-imagenet` in the home folder |
| `ISOCORTEX_IMAGENET` | ImageNet: torchvision's folder | `imagenet` in the home folder |
| `ISOCORTEX_FOLDER` | any folder or zip of images | `folder` in the home folder |
"""

import os
import re
from pathlib import Path
from typing import Final

import platformdirs

from . import machine
from .errors import InputError


def given() -> tuple[tuple[str, str], ...]:
    """The settings that are set, by name."""
    return tuple(sorted((k, v) for k, v in os.environ.items() if k.startswith("ISOCORTEX_")))


def home() -> Path:
    """The folder that holds fetched files, caches, artifacts and the database."""
    folder = os.environ.get("ISOCORTEX_HOME")
    return Path(folder).expanduser() if folder else platformdirs.user_data_path("isocortex")


def mirror() -> str | None:
    """The mirror that is tried before the internet, or None."""
    return os.environ.get("ISOCORTEX_MIRROR") or None


def database_url() -> str:
    """The SQLAlchemy URL of the store."""
    return os.environ.get("ISOCORTEX_DATABASE") or f"sqlite:///{home() / 'isocortex.sqlite3'}"


def server() -> str | None:
    """The address of the server that is spoken to, or None."""
    return os.environ.get("ISOCORTEX_SERVER") or None


def token() -> str | None:
    """The token that is shown to that server, or None."""
    return os.environ.get("ISOCORTEX_TOKEN") or None


def private_webhooks() -> bool:
    """Whether the operator lets webhooks reach private addresses, and speak http."""
    return os.environ.get("ISOCORTEX_PRIVATE_WEBHOOKS") == "1"


def own_images(diet: str) -> Path:
    """Where the user's own copy of a diet's images is: what `own_images_variable` is set to."""
    path = os.environ.get(own_images_variable(diet))
    return Path(path).expanduser() if path else home() / diet


def own_images_variable(diet: str) -> str:
    """The variable that says where the images of a diet are.

    >>> own_images_variable("tiny-imagenet")
    'ISOCORTEX_TINY_IMAGENET'
    """
    return f"ISOCORTEX_{diet.upper().replace('-', '_')}"


def cache_bytes() -> int:
    """How many bytes the geometry cache may hold."""
    return _bytes("ISOCORTEX_CACHE_BYTES", 4 * 10**9)


def hub_bytes() -> int:
    """How many bytes the files may hold that were fetched from hubs for submissions."""
    return _bytes("ISOCORTEX_HUB_BYTES", 20 * 10**9)


def memory_bytes() -> int:
    """How many bytes an extraction may add to the memory in use; by default half of the free."""
    return _bytes("ISOCORTEX_MEMORY_BYTES", machine.free_memory() // 2)


def parse_bytes(text: str, *, name: str = "the size") -> int:
    """The bytes that a text stands for. Raises InputError, with `name`, for anything else.

    >>> parse_bytes("4GB"), parse_bytes("1.5 GiB"), parse_bytes("2e9")
    (4000000000, 1610612736, 2000000000)
    """
    found = re.fullmatch(r"\s*(\d+\.?\d*(?:e\d+)?)\s*([a-z]*)\s*", text.lower())
    if found is None or found[2] not in _UNITS:
        raise InputError(
            f"{name} is {text!r}; give a number of bytes, or one with a unit (kB, MB, GB, TB, KiB, "
            "MiB, GiB or TiB), such as 4GB"
        )
    return int(float(found[1]) * _UNITS[found[2]])


_UNITS: Final = {
    "": 1,
    "b": 1,
    **{f"{prefix}b": 1000**power for power, prefix in enumerate("kmgt", start=1)},
    **{f"{prefix}ib": 1024**power for power, prefix in enumerate("kmgt", start=1)},
}


def _bytes(variable: str, default: int) -> int:
    text = os.environ.get(variable)
    return parse_bytes(text, name=variable) if text else default
