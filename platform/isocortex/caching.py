"""The geometry cache: a layer's geometry on a stimulus set, named by all that decides it."""

import json
import os
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from . import settings
from .fingerprints import fingerprint
from .geometry import Geometry
from .stimuli import StimulusSet

_SUFFIX: Final = ".safetensors"


def geometry_key(*, network_hash: str, layer: str, stimuli: StimulusSet, engine: str) -> str:
    """The name of a layer's geometry: network, layer, stimuli and the engine that computed it."""
    facts = {"network": network_hash, "layer": layer, "stimuli": stimuli.content_hash}
    return fingerprint({**facts, "engine": engine})


def load_geometry(key: str) -> Geometry | None:
    """The geometry stored under `key`, or None; a damaged file counts as none and is removed."""
    path = _path(key)
    try:
        with safe_open(path, "numpy") as file:
            triangle, means = file.get_tensor("gram"), file.get_tensor("means")
            facts = json.loads(file.metadata()["facts"])
    except FileNotFoundError:
        return None
    except (SafetensorError, KeyError, ValueError):
        path.unlink(missing_ok=True)
        return None
    os.utime(path)  # the least recently used go first
    gram = np.zeros((len(means), len(means)))
    rows, columns = np.triu_indices(len(means))
    gram[rows, columns] = gram[columns, rows] = triangle
    return Geometry(tuple(facts["ids"]), gram, means, facts["units"])


def store_geometry(key: str, geometry: Geometry) -> None:
    """Store a geometry under `key`, whole or not at all."""
    path = _path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    triangle = geometry.gram[np.triu_indices(len(geometry.means))]
    facts = {"facts": json.dumps({"ids": geometry.ids, "units": geometry.units})}
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
        written = Path(folder) / path.name
        save_file({"gram": triangle, "means": geometry.means}, written, metadata=facts)
        os.replace(written, path)  # noqa: PTH105 - atomic on one file system


def prune_cache() -> None:
    """Remove the least recently used geometries until the cache is within its size."""
    found = [(path, path.stat()) for path in _folder().glob(f"*/*{_SUFFIX}")]
    excess = sum(facts.st_size for _, facts in found) - settings.cache_bytes()
    for path, facts in sorted(found, key=lambda item: item[1].st_mtime):
        if excess <= 0:
            return
        path.unlink(missing_ok=True)
        excess -= facts.st_size


def _folder() -> Path:
    return settings.home() / "geometries"


def _path(key: str) -> Path:
    return _folder() / key[:2] / f"{key}{_SUFFIX}"
