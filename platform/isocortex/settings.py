"""Where things live on this computer. Every setting is an environment variable.

| variable | meaning | default |
|---|---|---|
| `ISOCORTEX_HOME` | folder of fetched files, caches, artifacts, database | the user's data folder |
| `ISOCORTEX_MIRROR` | folder or URL laid out as `<host>/<path>`, tried before the internet | none |
| `ISOCORTEX_DATABASE` | SQLAlchemy URL of the store | `isocortex.sqlite3` in the home folder |
| `ISOCORTEX_CACHE_BYTES` | how much the geometry cache may hold | 4 GB |
| `ISOCORTEX_MEMORY_BYTES` | what one extraction may hold before it spills to disk | 2 GB |
"""

import os
from pathlib import Path

import platformdirs

from .errors import InputError


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


def cache_bytes() -> int:
    """How many bytes the geometry cache may hold."""
    return _bytes("ISOCORTEX_CACHE_BYTES", 4 * 10**9)


def memory_bytes() -> int:
    """How many bytes of activations one extraction may hold before it spills to disk."""
    return _bytes("ISOCORTEX_MEMORY_BYTES", 2 * 10**9)


def _bytes(variable: str, default: int) -> int:
    text = os.environ.get(variable)
    if not text:
        return default
    try:
        return int(float(text))
    except ValueError:
        raise InputError(f"{variable} is {text!r}; give a number of bytes, such as 2e9") from None
