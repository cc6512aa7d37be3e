"""Converting activations to the form that is submitted, and handing out what to show a model.

This runs on the submitter's side: it opens files of any format. On the server nothing of it runs.
h5py, h5netcdf and zarr come with `pip install 'isocortex[convert]'`.
"""

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import IncompatibleError, InputError, MismatchError

BLOCK_BYTES: Final = 64 * 10**6

_DTYPES: Final = {"float16": "F16", "float32": "F32", "float64": "F64"}
_ID_NAMES: Final = ("stimuli", "stimulus", "stimulus_id", "ids")


class ArrayLike(Protocol):
    """What is read in slices of stimuli: arrays of NumPy, h5py, zarr, and variables of xarray."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each dimension, the stimuli first."""

    @property
    def dtype(self) -> Any:
        """The type of the numbers."""

    def __getitem__(self, rows: slice, /) -> Any: ...


@dataclass(frozen=True)
class StimulusAnswers:
    """What the layers of a model answer to one stimulus set, stimuli in the order of `ids`."""

    ids: tuple[str, ...]
    layers: Mapping[str, ArrayLike]


@dataclass(frozen=True)
class Converted:
    """What was written: its layers, the stimuli of each set (of one set: ""), and its size."""

    path: Path
    layers: tuple[str, ...]
    stimuli: Mapping[str, int]
    bytes: int


def write_activations(
    target: Path, layers: Mapping[str, ArrayLike], ids: Sequence[str]
) -> Converted:
    """Write a file of one stimulus set: each layer (stimulus, …), in the order of `ids`.

    Values are float16, float32 or float64 and are written as they are, other numbers as float32.
    Memory for 64 MB is enough. Raises MismatchError for another number of stimuli, InputError for
    what is no number or not finite.
    """
    return write_activation_sets(target, {"": StimulusAnswers(tuple(ids), layers)})


def write_activation_sets(target: Path, sets: Mapping[str, StimulusAnswers]) -> Converted:
    """Write a file of several stimulus sets by their names, such as "cichy2014"."""
    if not sets or ("" in sets and len(sets) > 1):
        raise InputError("each of several stimulus sets needs its name")
    tensors: dict[str, ArrayLike] = {}
    metadata: dict[str, str] = {}
    for name, answers in sets.items():
        _check_ids(answers.ids)
        metadata[f"stimuli:{name}" if name else "stimuli"] = json.dumps(list(answers.ids))
        for layer, values in answers.layers.items():
            _check_layer(layer, values, len(answers.ids))
            tensors[f"{name}/{layer}" if name else layer] = values
    if not tensors:
        raise InputError("there is no layer to write")
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        size = _write(unfinished, tensors, metadata)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    layers = tuple(dict.fromkeys(layer for each in sets.values() for layer in each.layers))
    return Converted(target, layers, {name: len(each.ids) for name, each in sets.items()}, size)


def convert(source: Path, target: Path, *, ids: Sequence[str] | None = None) -> Converted:
    """Write the activations in `source` as safetensors to `target`, told by how its name ends.

    .npy (one layer, named as the file), .npz, .nc, .zarr (NetCDF and Zarr through xarray or as
    groups), .h5 and .hdf5: every array of numbers whose first dimension is the stimuli is a layer.
    `ids` are the stimuli's ids in the rows' order, unless the file holds them: as an array of text
    named stimulus, stimuli, stimulus_id or ids. Raises InputError for another format or no ids.
    """
    openers = {
        ".npy": _opened_npy,
        ".npz": _opened_npz,
        **dict.fromkeys((".nc", ".nc4", ".netcdf"), _opened_netcdf),
        ".zarr": _opened_zarr,
        **dict.fromkeys((".h5", ".hdf5"), _opened_hdf5),
    }
    if source.suffix.lower() not in openers:
        raise InputError(f"{source.name} ends in {source.suffix!r}; known are {', '.join(openers)}")
    with openers[source.suffix.lower()](source) as arrays:
        return write_activations(target, *_sorted_out(arrays, ids, source))


def from_xarray(layers: Mapping[str, Any]) -> StimulusAnswers:
    """What `write_activation_sets` takes, of xarray's arrays with the dim and coord `stimulus`."""
    found, ids = {}, None
    for name, values in layers.items():
        if "stimulus" not in values.dims or "stimulus" not in values.coords:
            raise InputError(f"layer {name} has no dim `stimulus` with the ids of the stimuli")
        own = tuple(str(each) for each in values.stimulus.values)
        if ids is not None and own != ids:
            raise MismatchError(
                f"layer {name} holds other stimuli than the first, or another order"
            )
        ids = own
        found[name] = values.transpose("stimulus", ...).values
    return StimulusAnswers(ids or (), found)


Arrays = dict[str, Any]


def _sorted_out(
    arrays: Arrays, ids: Sequence[str] | None, source: Path
) -> tuple[dict[str, ArrayLike], tuple[str, ...]]:
    """The layers among the arrays of a file, and the ids."""
    named = next((name for name in _ID_NAMES if name in arrays), None)
    if ids is None and named is not None:
        ids = [_text(each) for each in np.asarray(arrays[named][:]).reshape(-1).tolist()]
    if ids is None:
        raise InputError(
            f"{source.name} names no stimuli; give their ids in the order of its rows, or an array "
            f"of text named {' or '.join(_ID_NAMES)}"
        )
    layers = {
        name: values
        for name, values in arrays.items()
        if name not in _ID_NAMES and np.dtype(values.dtype).kind in "fiu" and len(values.shape) > 1
    }
    return layers, tuple(ids)


@contextmanager
def _opened_npy(source: Path) -> Iterator[Arrays]:
    try:
        values = np.load(source, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise InputError(f"{source.name} can't be read: {error}") from None
    yield {source.stem: values}


@contextmanager
def _opened_npz(source: Path) -> Iterator[Arrays]:
    with np.load(source, allow_pickle=False) as archive:
        yield {name: archive[name] for name in archive.files}


@contextmanager
def _opened_netcdf(source: Path) -> Iterator[Arrays]:
    import xarray as xr

    _require("h5netcdf", "NetCDF")
    with xr.open_dataset(source, engine="h5netcdf") as dataset:
        yield _variables(dataset)


@contextmanager
def _opened_zarr(source: Path) -> Iterator[Arrays]:
    _require("zarr", "Zarr")
    import zarr

    group = zarr.open(source, mode="r")
    if isinstance(group, zarr.Array):
        yield {source.stem: group}
    else:
        yield {name: _stimuli_first(each) for name, each in group.arrays()}


@contextmanager
def _opened_hdf5(source: Path) -> Iterator[Arrays]:
    _require("h5py", "HDF5")
    import h5py

    found: Arrays = {}
    with h5py.File(source, "r") as file:
        file.visititems(
            lambda name, each: (
                found.update({name: each}) if isinstance(each, h5py.Dataset) else None
            )
        )
        yield found


def _stimuli_first(array: Any) -> Any:
    """The array, turned if xarray wrote it with the stimuli in another place."""
    dims = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    if not dims or "stimulus" not in dims or dims[0] == "stimulus":
        return array
    return np.moveaxis(array[:], list(dims).index("stimulus"), 0)


def _variables(dataset: Any) -> Arrays:
    """The variables of an xarray dataset with the stimuli first, and the ids where it has them."""
    found: Arrays = {
        str(name): each.transpose("stimulus", ...).variable if "stimulus" in each.dims else each
        for name, each in dataset.data_vars.items()
    }
    if "stimulus" in dataset.coords:
        found["stimulus"] = dataset["stimulus"]
    return found


def _require(package: str, form: str) -> None:
    import importlib.util

    if importlib.util.find_spec(package) is None:
        raise IncompatibleError(
            f"{form} needs {package}: pip install 'isocortex[convert]' brings it"
        )


def _check_ids(ids: Sequence[str]) -> None:
    if not ids or len(set(ids)) != len(ids):
        raise InputError("the ids of the stimuli are missing, or one stands there twice")


def _check_layer(layer: str, values: ArrayLike, stimuli: int) -> None:
    if len(values.shape) < 2 or values.shape[0] != stimuli or 0 in values.shape:
        raise MismatchError(
            f"layer {layer} has shape {tuple(values.shape)}; ({stimuli} stimuli, units …) is "
            "expected"
        )
    if np.dtype(values.dtype).kind not in "fiu":
        raise InputError(f"layer {layer} holds {values.dtype}; numbers are expected")


def _write(path: Path, tensors: Mapping[str, ArrayLike], metadata: Mapping[str, str]) -> int:
    """Write header and blocks of values; the number of bytes."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    position = 0
    for name, values in tensors.items():
        kind = _kept_dtype(values)
        size = prod(values.shape) * kind.itemsize
        header[name] = {
            "dtype": _DTYPES[kind.name],
            "shape": [int(each) for each in values.shape],
            "data_offsets": [position, position + size],
        }
        position += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, values in tensors.items():
            for block in _blocks(values):
                if not np.isfinite(block).all():
                    raise InputError(f"layer {name} holds NaN or infinity")
                file.write(block.tobytes())
    return 8 + len(text) + position


def _kept_dtype(values: ArrayLike) -> np.dtype[Any]:
    kind = np.dtype(values.dtype)
    return np.dtype(f"<f{kind.itemsize}") if kind.name in _DTYPES else np.dtype("<f4")


def _blocks(values: ArrayLike) -> Iterator[npt.NDArray[Any]]:
    each = prod(values.shape[1:]) * 8
    step = max(1, BLOCK_BYTES // each)
    for start in range(0, values.shape[0], step):
        yield np.ascontiguousarray(values[start : start + step], _kept_dtype(values))


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
