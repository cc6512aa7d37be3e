"""The probe: what one stimulus shows of a network before all of them go through it."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

from .candidates import Candidate
from .forward import batches, require_stimuli_first, require_taken_part, run_batch, tapped
from .stimuli import StimulusSet


@dataclass(frozen=True)
class Probe:
    """What one stimulus shows of a network: each layer's shape, bytes at work, and seconds."""

    shapes: dict[str, tuple[int, ...]]
    working_bytes: int
    seconds: float


def probed(candidate: Candidate, stimuli: StimulusSet, *, device: str = "cpu") -> Probe:
    """What one stimulus shows, from one forward pass of it; raises InputError as a pass does."""
    first = replace(stimuli, ids=stimuli.ids[:1], sources=stimuli.sources[:1], metadata={})
    shapes: dict[str, tuple[int, ...]] = {}

    def tap(layer: str, answer: torch.Tensor) -> None:
        require_stimuli_first(layer, answer, 1)
        shapes[layer] = tuple(answer.shape[1:])

    _, batch = next(batches(candidate, first, 1))
    with tapped(candidate, device, tap), _measured(candidate.module) as moved:
        start = time.perf_counter()
        run_batch(candidate, batch.to(device))
        seconds = time.perf_counter() - start
    require_taken_part(candidate, shapes)
    widest = max(4 * math.prod(shape) for shape in shapes.values())
    working = 2 * (batch.nbytes + max(moved, default=0) + widest)
    return Probe({layer: shapes[layer] for layer in candidate.layers}, working, seconds)


@contextmanager
def _measured(module: torch.nn.Module) -> Iterator[list[int]]:
    """The bytes that go into and come out of each part of the network without parts of its own."""
    moved: list[int] = []

    def measure(module: torch.nn.Module, inputs: Any, output: Any) -> None:
        moved.append(sum(each.nbytes for each in _tensors((inputs, output))))

    leaves = [part for part in module.modules() if next(part.children(), None) is None]
    handles = [part.register_forward_hook(measure) for part in leaves]
    try:
        yield moved
    finally:
        for handle in handles:
            handle.remove()


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, (tuple, list)):
        for part in output:
            yield from _tensors(part)
