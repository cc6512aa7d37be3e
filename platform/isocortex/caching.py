"""The cache of what layers answer to a stimulus set, each entry named by all that decides it."""

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from . import settings
from .fingerprints import fingerprint
from .geometry import Geometry, Projection
from .responses import Responses
from .stimuli import StimulusSet

_SUFFIX: Final = ".safetensors"
_Tensors = dict[str, npt.NDArray[Any]]


def cache_key(
    *, network_hash: str, layer: str, stimuli: StimulusSet, engine: str, **form: Mapping[str, int]
) -> str:
    """The name of what a layer answers: network, layer, stimuli and the engine that computed it.

    `form` says, as facts, what was kept of the answers, if not the exact geometry.
    """
    facts = {"network": network_hash, "layer": layer, "stimuli": stimuli.content_hash}
    return fingerprint({**facts, "engine": engine, **form})


def is_cached(key: str) -> bool:
    """Whether something whole is stored under `key`; a damaged file is removed."""
    return _read(key, whole=False) is not None


def load_geometry(key: str) -> Geometry | None:
    """The geometry stored under `key`, or None; a damaged file counts as none and is removed."""
    found = _read(key)
    if found is None:
        return None
    tensors, facts = found
    means = tensors["means"]
    gram = np.zeros((len(means), len(means)))
    gram[np.triu_indices(len(means))] = tensors["gram"]
    lower = np.tril_indices(len(means), -1)
    gram[lower] = gram.T[lower]
    projection = facts["projection"] and Projection(**facts["projection"])
    return Geometry(tuple(facts["ids"]), gram, means, facts["units"], projection)


def store_geometry(key: str, geometry: Geometry) -> None:
    """Store a geometry under `key`, whole or not at all."""
    triangle = geometry.gram[np.triu_indices(len(geometry.means))]
    projection = geometry.projection and asdict(geometry.projection)
    facts = {"ids": geometry.ids, "units": geometry.units, "projection": projection}
    _write(key, {"gram": triangle, "means": geometry.means}, facts)


def load_responses(key: str) -> Responses | None:
    """The responses of units stored under `key`, or None, as `load_geometry`."""
    found = _read(key)
    if found is None:
        return None
    tensors, facts = found
    values = tensors["values"].astype(np.float64)
    return Responses(tuple(facts["ids"]), values, tensors.get("places"), facts["total"])


def store_responses(key: str, responses: Responses) -> None:
    """Store the responses of units under `key` in float32, whole or not at all."""
    tensors: _Tensors = {"values": responses.values.astype(np.float32)}
    if responses.places is not None:
        tensors["places"] = np.ascontiguousarray(responses.places)
    _write(key, tensors, {"ids": responses.ids, "total": responses.total})


def prune_cache() -> None:
    """Remove the least recently used entries until the cache is within its size."""
    found = []
    for path in _folder().glob(f"*/*{_SUFFIX}"):
        with suppress(FileNotFoundError):  # another process prunes as well
            found.append((path, path.stat()))
    excess = sum(facts.st_size for _, facts in found) - settings.cache_bytes()
    for path, facts in sorted(found, key=lambda item: item[1].st_mtime):
        if excess <= 0:
            return
        path.unlink(missing_ok=True)
        excess -= facts.st_size


def _read(key: str, *, whole: bool = True) -> tuple[_Tensors, dict[str, Any]] | None:
    """The tensors and facts stored under `key`; without `whole`, only the header is read."""
    path = _path(key)
    try:
        with safe_open(path, "numpy") as file:
            facts = json.loads(file.metadata()["facts"])
            tensors = {name: file.get_tensor(name) for name in file.keys() if whole}  # noqa: SIM118
    except FileNotFoundError:
        return None
    except (SafetensorError, KeyError, ValueError):
        path.unlink(missing_ok=True)
        return None
    with suppress(OSError):  # removed since, or another user's
        os.utime(path)  # the least recently used go first
    return tensors, facts


def _write(key: str, tensors: _Tensors, facts: Mapping[str, Any]) -> None:
    path = _path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
        written = Path(folder) / path.name
        save_file(tensors, written, metadata={"facts": json.dumps(facts)})
        os.replace(written, path)  # noqa: PTH105 - atomic on one file system


def _folder() -> Path:
    return settings.home() / "geometries"


def _path(key: str) -> Path:
    return _folder() / key[:2] / f"{key}{_SUFFIX}"
