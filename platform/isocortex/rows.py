"""Room for what layers answer: rows of each layer, in memory while a cap allows, else on disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from . import settings
from .errors import InputError


class SpilledRows:
    """Rows (stimulus, unit) in a file. It is mapped for each access only: what stays mapped would
    count as memory in use."""

    def __init__(self, path: Path, shape: tuple[int, int]) -> None:
        self.path = path
        self.shape = shape
        np.memmap(path, np.float32, "w+", shape=shape)

    def __getitem__(self, block: tuple[slice, slice]) -> npt.NDArray[np.float32]:
        return np.array(np.memmap(self.path, np.float32, "r", shape=self.shape)[block])

    def __setitem__(self, block: tuple[slice, slice], rows: npt.NDArray[np.float32]) -> None:
        np.memmap(self.path, np.float32, "r+", shape=self.shape)[block] = rows


KeptRows = npt.NDArray[np.float32] | SpilledRows
"""Rows (stimulus, unit), float32, that are read and written in blocks."""


class RowStore:
    """Room for each layer's rows (stimulus, unit): in memory while the cap allows, else on disk."""

    def __init__(self, stimuli: int, folder: Path) -> None:
        self.stimuli = stimuli
        self.folder = folder
        self.free = settings.memory_bytes()
        self.layers: dict[str, KeptRows] = {}
        self.batch = slice(0, 0)

    def begin(self, start: int, size: int) -> None:
        """From now on, rows are those of `size` stimuli from the position `start`."""
        self.batch = slice(start, start + size)

    def put(self, layer: str, output: Any) -> None:
        """Keep what a layer answers to the present batch; a second answer replaces the first."""
        tensor, size = _tensor_of(output), self.batch.stop - self.batch.start
        if tensor.ndim == 0 or tensor.shape[0] != size:
            raise InputError(
                f"layer {layer} answers with shape {tuple(tensor.shape)} to {size} stimuli: the "
                "first dimension must be the stimuli"
            )
        flat = tensor.detach().reshape(size, -1).to("cpu", torch.float32).numpy()
        if layer not in self.layers:
            self.layers[layer] = self._room(flat.shape[1])
        room = self.layers[layer]
        if flat.shape[1] != room.shape[1]:
            raise InputError(
                f"layer {layer} has {room.shape[1]} units for some stimuli and {flat.shape[1]} for "
                "others: stimuli must reach the network in one size; see Preprocessing"
            )
        room[self.batch, :] = flat

    def _room(self, units: int) -> KeptRows:
        shape = (self.stimuli, units)
        size = 4 * self.stimuli * units
        if size <= self.free:
            self.free -= size
            return np.empty(shape, np.float32)
        return SpilledRows(self.folder / f"{len(self.layers)}.float32", shape)


def _tensor_of(output: Any) -> torch.Tensor:
    """The layer's output, or the first tensor among several."""
    if isinstance(output, torch.Tensor):
        return output
    parts: Sequence[Any] = ()
    if isinstance(output, Mapping):
        parts = tuple(output.values())
    elif isinstance(output, (tuple, list)):
        parts = output
    for part in parts:
        if isinstance(part, torch.Tensor):
            return part
    raise InputError(f"a layer's output is a {type(output).__name__} without any tensor in it")
