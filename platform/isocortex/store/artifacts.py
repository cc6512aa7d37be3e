"""Arrays outside the database: one file per content, named by the SHA-256 of its bytes.

A detail is written as safetensors: numbers and truth values as arrays; dims, strings and attributes
as JSON under the key `xarray` of the header. Equal details are equal bytes, hence one file.
"""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
from safetensors.numpy import load, save

from ..errors import InputError, StoreError

SPARE_BYTES: Final = 50 * 10**6
"""Without this much room on the disk no job is begun: its score might not be kept."""


@dataclass(frozen=True)
class Artifacts:
    """The folder of all artifacts, `ab/abcdef….safetensors`."""

    folder: Path

    def require_room(self) -> None:
        """Raise StoreError if the disk is as good as full: what is computed could not be kept."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise StoreError(f"scores can't be kept in {self.folder}: {error}") from None
        if free < SPARE_BYTES:
            raise StoreError(
                f"the disk of {self.folder} has {free:,} bytes left, and no job is begun with less "
                f"than {SPARE_BYTES:,}; make room, and the queue goes on by itself"
            )

    def save_detail(self, detail: xr.Dataset) -> str:
        """The SHA-256 under which the detail now lies; raises InputError for what can't be kept.

        The file appears whole or not at all.
        """
        content = _as_bytes(detail)
        sha256 = hashlib.sha256(content).hexdigest()
        target = self._path(sha256)
        if not target.exists():
            _write_at_once(target, content)
        return sha256

    def load_detail(self, sha256: str) -> xr.Dataset:
        """The detail of that SHA-256. Raises StoreError if it is missing or damaged."""
        return _as_detail(self.read(sha256))

    def load_array(self, sha256: str, name: str) -> np.ndarray[Any, Any] | None:
        """One array of a detail, or None if the detail does not hold it; quicker than the whole."""
        return load(self.read(sha256)).get(name)

    def _path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / f"{sha256}.safetensors"

    def read(self, sha256: str) -> bytes:
        """The bytes of a detail, as safetensors. Raises StoreError if missing or damaged."""
        path = self._path(sha256)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise StoreError(
                f"the detail of a score can't be read: {error}; bring back the folder "
                f"{self.folder}, or score again with --force"
            ) from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise StoreError(f"{path} is damaged: delete it, and score again with --force")
        return content


def encode_detail(detail: xr.Dataset) -> bytes:
    """The detail as a safetensors file. Raises InputError for what can't be kept."""
    return _as_bytes(detail)


def decode_detail(content: bytes) -> xr.Dataset:
    """The detail that `encode_detail` wrote; anything may be raised for other bytes."""
    return _as_detail(content)


def _as_bytes(detail: xr.Dataset) -> bytes:
    arrays, described = {}, {}
    for name, variable in detail.variables.items():
        facts: dict[str, Any] = {"dims": list(variable.dims), "attrs": dict(variable.attrs)}
        if variable.dtype.kind in "biuf":
            arrays[str(name)] = np.array(variable.values, order="C")
        else:
            facts["strings"] = _strings(str(name), variable.values)
        described[str(name)] = facts
    coordinates = [str(name) for name in detail.coords]
    header = {"variables": described, "coordinates": coordinates, "attrs": dict(detail.attrs)}
    return bytes(
        save(arrays, metadata={"xarray": json.dumps(header, sort_keys=True, default=_plain)})
    )


def _as_detail(content: bytes) -> xr.Dataset:
    length = int.from_bytes(content[:8], "little")
    header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["xarray"])
    arrays = load(content)
    variables = {
        name: (facts["dims"], _values(facts, arrays.get(name)), facts["attrs"])
        for name, facts in header["variables"].items()
    }
    return xr.Dataset(variables, attrs=header["attrs"]).set_coords(header["coordinates"])


def _values(facts: dict[str, Any], array: np.ndarray[Any, Any] | None) -> np.ndarray[Any, Any]:
    return np.array(facts["strings"], dtype=str) if array is None else array


def _strings(name: str, values: np.ndarray[Any, Any]) -> Any:
    listed = values.tolist()
    flat = values.reshape(-1).tolist()
    if not all(isinstance(value, str) for value in flat):
        raise InputError(
            f"the detail {name!r} is {values.dtype}; a detail is numbers, truth values or strings"
        )
    return listed


def _plain(value: object) -> Any:
    """What JSON needs for a numpy number or array among the attributes."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise InputError(f"the detail's attribute {value!r} can't be written as JSON")


def _write_at_once(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)  # noqa: PTH105 - atomic on one file system
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
