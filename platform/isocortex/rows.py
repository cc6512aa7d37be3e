"""Room for what layers answer: each layer's rows as the plan says, until they are folded."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from .errors import InputError
from .forward import require_stimuli_first
from .geometry import Geometry, gather_geometry
from .planning import LayerPlan
from .projection import ProjectedRows
from .responses import Array, Positions


class SpilledRows:
    """Rows (stimulus, unit) in a file. It is mapped for each access only: what stays mapped would
    count as memory in use."""

    def __init__(self, path: Path, shape: tuple[int, int]) -> None:
        self.path = path
        self.shape = shape
        np.memmap(path, np.float32, "w+", shape=shape)

    def __getitem__(self, block: tuple[slice, slice]) -> npt.NDArray[np.float32]:
        return np.array(np.memmap(self.path, np.float32, "r", shape=self.shape)[block])

    def __setitem__(self, stimuli: slice, rows: npt.NDArray[np.float32]) -> None:
        np.memmap(self.path, np.float32, "r+", shape=self.shape)[stimuli] = rows


KeptRows = npt.NDArray[np.float32] | SpilledRows | ProjectedRows
"""Rows (stimulus, unit), float32, that are written by stimuli and folded by units."""


class RowStore:
    """Room for each layer's rows (stimulus, unit): in memory, on disk or projected, as planned.

    A layer without a plan is held in memory. Of each layer in `sampled`, the units at these
    positions are kept besides, as they are.
    """

    def __init__(
        self,
        stimuli: int,
        folder: Path,
        plans: Mapping[str, LayerPlan],
        sampled: Mapping[str, Positions],
    ) -> None:
        self.stimuli = stimuli
        self.folder = folder
        self.plans = plans
        self.sampled = sampled
        self.layers: dict[str, KeptRows] = {}
        self.means: dict[str, Array] = {}
        self.units: dict[str, npt.NDArray[np.float32]] = {
            layer: np.empty((stimuli, len(units)), np.float32) for layer, units in sampled.items()
        }
        self.batch = slice(0, 0)

    def begin(self, start: int, size: int) -> None:
        """From now on, rows are those of `size` stimuli from the position `start`."""
        self.batch = slice(start, start + size)

    def put(self, layer: str, answer: torch.Tensor) -> None:
        """Keep what a layer answers to the present batch; a second answer replaces the first."""
        size = self.batch.stop - self.batch.start
        require_stimuli_first(layer, answer, size)
        flat = answer.detach().reshape(size, -1).to("cpu", torch.float32).numpy()
        if layer not in self.layers:
            self.layers[layer] = self._room(layer, flat.shape[1])
            self.means[layer] = np.empty(self.stimuli)
        room = self.layers[layer]
        if flat.shape[1] != room.shape[1]:
            raise InputError(
                f"layer {layer} answers with {room.shape[1]} and with {flat.shape[1]} units: "
                "stimuli must reach the network in one size (see Preprocessing), and a part used "
                "more than once, such as a shared ReLU, is no layer; name what holds it"
            )
        room[self.batch] = flat
        self.means[layer][self.batch] = flat.mean(axis=1, dtype=np.float64)
        if layer in self.sampled:
            self.units[layer][self.batch] = flat[:, self.sampled[layer]]

    def fold(self, layer: str, ids: Sequence[str], *, name: str) -> Geometry:
        """The layer's geometry; its rows are given up. Raises InputError for responses that are
        not finite."""
        rows = self.layers.pop(layer)
        if isinstance(rows, ProjectedRows):
            return rows.geometry(ids, self.means[layer], name=name)
        return gather_geometry(ids, rows, name=name, means=self.means[layer])

    def _room(self, layer: str, units: int) -> KeptRows:
        plan = self.plans.get(layer)
        if plan is not None and plan.dimensions is not None:
            return ProjectedRows(self.stimuli, units, plan.dimensions)
        if plan is not None and plan.spilled:
            path = self.folder / f"{len(self.layers)}.float32"
            return SpilledRows(path, (self.stimuli, units))
        return np.empty((self.stimuli, units), np.float32)
