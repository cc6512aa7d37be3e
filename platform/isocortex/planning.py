"""The plan of an extraction: what it will hold, and where, decided before it runs.

One stimulus goes through the network first. From the shapes of its answers follow the bytes of all
others: those of n stimuli at a layer of p units are 4np until they are folded into n × n. What does
not fit under the cap is spilled to disk, left for another pass, or, where one layer alone fits
neither, reduced by a random projection.
"""

import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from . import machine, settings
from .candidates import Candidate
from .errors import InputError
from .geometry import BLOCK_BYTES, GATHERED_SQUARES
from .probing import Probe, probed
from .projection import error_bound, matrix_bytes
from .stimuli import StimulusSet
from .units import UNITS_READ

BASE_BYTES: Final = 100 * 10**6
"""What libraries take for themselves on first use: threads, compiled kernels, loaded code."""

_DISK_RATE: Final = 1e9
"""Bytes a second that a disk is taken to write, and to read back."""


@dataclass(frozen=True)
class LayerPlan:
    """What becomes of one layer. `shape` is its answer to one stimulus; bytes are of all stimuli.

    `dimensions` is what its units are projected to, None where its geometry will be exact.
    """

    layer: str
    shape: tuple[int, ...]
    rows_bytes: int
    units_bytes: int
    spilled: bool = False
    dimensions: int | None = None
    bound: float = 0.0
    seconds: float = 0.0

    @property
    def units(self) -> int:
        """The number of units."""
        return math.prod(self.shape)

    @property
    def memory_bytes(self) -> int:
        """What is held in memory until the layer is folded."""
        return self.units_bytes + (0 if self.spilled else self.rows_bytes)

    @property
    def disk_bytes(self) -> int:
        """What is held on disk until the pass ends."""
        return self.rows_bytes if self.spilled else 0


@dataclass(frozen=True)
class Plan:
    """How an extraction will go: the layers of each forward pass, in the order they are folded.

    `working_bytes` is what the network takes for a batch, `fold_bytes` what the folding of a layer
    does; `pass_seconds` is one forward pass over all stimuli. All bytes are upper bounds.
    """

    cap: int
    stimuli: int
    batch_size: int
    working_bytes: int
    fold_bytes: int
    pass_seconds: float
    passes: tuple[tuple[LayerPlan, ...], ...]

    @property
    def layers(self) -> tuple[LayerPlan, ...]:
        """The layers of all passes."""
        return tuple(each for layers in self.passes for each in layers)

    @property
    def memory_bytes(self) -> int:
        """The most that is added to the memory in use, at any time; never above the cap."""
        rows = (sum(each.memory_bytes for each in layers) for layers in self.passes)
        return max(rows, default=0) + max(self.working_bytes, self.fold_bytes)

    @property
    def disk_bytes(self) -> int:
        """The most that lies on disk at any time."""
        rows = (sum(each.disk_bytes for each in layers) for layers in self.passes)
        return max(rows, default=0)

    @property
    def seconds(self) -> float:
        """All passes and all folding, on one thread."""
        return len(self.passes) * self.pass_seconds + sum(each.seconds for each in self.layers)

    @property
    def summary(self) -> str:
        """The plan in one line."""
        reduced = sum(each.dimensions is not None for each in self.layers)
        passes = "one pass" if len(self.passes) == 1 else f"{len(self.passes)} passes"
        return (
            f"{len(self.layers)} layers ({reduced} reduced) in {passes} of {self.stimuli} stimuli; "
            f"{shown_bytes(self.memory_bytes)} of memory, "
            f"{shown_bytes(self.disk_bytes)} of disk, about {self.seconds:.0f} s"
        )


def shown_bytes(size: float) -> str:
    """A number of bytes for people.

    >>> shown_bytes(2.5e9), shown_bytes(3e6)
    ('2.50 GB', '3.0 MB')
    """
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


@dataclass(frozen=True)
class Allowance:
    """What an extraction may use: bytes of memory and disk; `reduce` projects wider layers."""

    memory: int
    disk: int
    reduce: int | None = None


def plan_extraction(
    candidate: Candidate,
    stimuli: StimulusSet,
    *,
    units: bool = False,
    batch_size: int = 32,
    device: str = "cpu",
    memory: int | None = None,
    reduce: int | None = None,
) -> Plan:
    """The plan under a cap of `memory` bytes, by default `ISOCORTEX_MEMORY_BYTES`.

    With `units`, a sample of each layer's units is kept besides. With `reduce`, layers wider than
    that are projected to so many dimensions. Batches are made smaller where the network would take
    more than a fourth of the cap. Raises InputError where the cap is too small for one layer.
    """
    cap = settings.memory_bytes() if memory is None else memory
    allowance = Allowance(cap, machine.free_disk(Path(tempfile.gettempdir())), reduce)
    probe = probed(candidate, stimuli, device=device)
    return make_plan(
        probe, allowance, stimuli=len(stimuli), batch_size=batch_size, units_read=units
    )


def make_plan(
    probe: Probe, allowance: Allowance, *, stimuli: int, batch_size: int, units_read: bool
) -> Plan:
    """The plan that follows from what was probed and what is allowed."""
    batch = max(1, min(batch_size, stimuli, allowance.memory // 4 // probe.working_bytes))
    plan = Plan(
        cap=allowance.memory,
        stimuli=stimuli,
        batch_size=batch,
        working_bytes=BASE_BYTES + batch * probe.working_bytes,
        fold_bytes=BASE_BYTES
        + GATHERED_SQUARES * 8 * stimuli**2
        + 3 * BLOCK_BYTES
        + (8 * stimuli * UNITS_READ if units_read else 0),
        pass_seconds=stimuli * probe.seconds,
        passes=(),
    )
    room = replace(allowance, memory=allowance.memory - max(plan.working_bytes, plan.fold_bytes))
    rate = _product_rate()
    layers = [
        _layer_plan(layer, shape, stimuli, units_read, rate)
        for layer, shape in probe.shapes.items()
    ]
    _require_room(plan, room, layers)
    return replace(plan, passes=tuple(_passes(layers, room, stimuli)))


def _layer_plan(
    layer: str, shape: tuple[int, ...], stimuli: int, units_read: bool, rate: float
) -> LayerPlan:
    """The layer exact and in memory."""
    units = math.prod(shape)
    read = 4 * stimuli * min(units, UNITS_READ) if units_read else 0
    return LayerPlan(layer, shape, 4 * stimuli * units, read, seconds=stimuli**2 * units / rate)


def _passes(
    layers: Sequence[LayerPlan], room: Allowance, stimuli: int
) -> Iterator[tuple[LayerPlan, ...]]:
    """The layers of each pass: in order, in memory while it lasts, then on disk, then later."""
    waiting = [_fitted(each, room, stimuli) for each in layers]
    while waiting:
        memory, disk = room.memory, room.disk
        chosen: list[LayerPlan] = []
        for layer in waiting:
            placed = _placed(layer, memory, disk)
            if placed is not None:
                memory, disk = memory - placed.memory_bytes, disk - placed.disk_bytes
                chosen.append(placed)
        yield tuple(chosen)
        taken = {each.layer for each in chosen}
        waiting = [each for each in waiting if each.layer not in taken]


def _placed(layer: LayerPlan, memory: int, disk: int) -> LayerPlan | None:
    """The layer in memory or else on disk; None where it does not fit into what is left."""
    if layer.memory_bytes <= memory:
        return layer
    moving = 2 * layer.rows_bytes / _DISK_RATE
    spilled = replace(layer, spilled=True, seconds=layer.seconds + moving)
    fits = spilled.memory_bytes <= memory and spilled.disk_bytes <= disk
    return spilled if fits and layer.dimensions is None else None


def _reduced(layer: LayerPlan, dimensions: int | None, stimuli: int) -> LayerPlan:
    """The layer projected to so many dimensions, if it is wider."""
    if dimensions is None or dimensions >= layer.units:
        return layer
    return replace(
        layer,
        rows_bytes=4 * stimuli * dimensions + matrix_bytes(layer.units, dimensions),
        dimensions=dimensions,
        bound=error_bound(stimuli, dimensions),
        seconds=layer.seconds * dimensions / layer.units,
    )


def _fitted(layer: LayerPlan, room: Allowance, stimuli: int) -> LayerPlan:
    """The layer as it is if it fits by itself, else projected into half of the room for rows.

    Raises InputError where the number of dimensions was given and they do not fit.
    """
    asked = _reduced(layer, room.reduce, stimuli)
    if _placed(asked, room.memory, room.disk) is not None:
        return asked
    if asked.dimensions is not None:
        raise InputError(
            f"layer {asked.layer}, projected to {asked.dimensions} dimensions, takes "
            f"{shown_bytes(asked.memory_bytes)} of memory, and {shown_bytes(room.memory)} are left "
            "for it: allow more memory or fewer dimensions"
        )
    each = 4 * stimuli + matrix_bytes(layer.units, 1)
    most = (room.memory - layer.units_bytes) // each
    return _reduced(layer, max(min(most, _LEAST_DIMENSIONS), most // 2), stimuli)


_LEAST_DIMENSIONS: Final = 64
"""Fewer dimensions than these tell nothing: then the cap is refused."""


def _require_room(plan: Plan, room: Allowance, layers: Sequence[LayerPlan]) -> None:
    """Raise InputError unless each layer fits by itself, projected if need be."""
    least = max(_least_bytes(each, room.disk, plan.stimuli) for each in layers)
    if least > room.memory:
        squares = GATHERED_SQUARES * 8 * plan.stimuli**2
        raise InputError(
            f"{shown_bytes(plan.cap)} of memory are too little for {plan.stimuli} stimuli: one "
            f"layer takes {shown_bytes(plan.cap - room.memory + least)}. {GATHERED_SQUARES} "
            f"matrices of {plan.stimuli} × {plan.stimuli} are {shown_bytes(squares)} of it, the "
            f"network's own work on {plan.batch_size} stimuli {shown_bytes(plan.working_bytes)}. "
            "Allow more (--memory, or ISOCORTEX_MEMORY_BYTES)"
        )


def _least_bytes(layer: LayerPlan, disk: int, stimuli: int) -> int:
    """The least memory that a layer can do with: as it is, on disk, or projected."""
    if layer.rows_bytes <= disk:
        return layer.units_bytes
    reduced = _reduced(layer, _LEAST_DIMENSIONS, stimuli)
    return min(layer.memory_bytes, reduced.memory_bytes)


def _product_rate() -> float:
    """Multiplications a second of a symmetric product, X Xᵀ, as measured now."""
    x = np.ones((256, 4096))
    work = partial(np.matmul, x, x.T)
    return x.shape[0] ** 2 * x.shape[1] / min(_timed(work) for _ in range(2))


def _timed(work: partial[Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
