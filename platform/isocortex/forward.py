"""The forward pass: stimuli through a network, each layer's answer tapped as it comes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from .candidates import Candidate
from .errors import InputError, IsocortexError
from .stimuli import StimulusSet

Tap = Callable[[str, torch.Tensor], None]
"""Called with a layer and what it answers to the present batch, (stimulus, …)."""


def batches(
    candidate: Candidate, stimuli: StimulusSet, batch_size: int
) -> Iterator[tuple[int, torch.Tensor]]:
    """Batches of stimuli as the network takes them, each with the position of its first one."""
    with ThreadPoolExecutor(max_workers=2) as readers:
        for start in range(0, len(stimuli), batch_size):
            positions = range(start, min(start + batch_size, len(stimuli)))
            ready = list(readers.map(lambda each: _input(candidate, stimuli, each), positions))
            shapes = {tuple(tensor.shape) for tensor in ready}
            if len(shapes) > 1:
                raise InputError(
                    f"stimuli of {stimuli.name} reach {candidate.card.name} in different sizes: "
                    f"{sorted(shapes)}; its preprocessing must bring them to one"
                )
            yield start, torch.stack(ready)


def run_batch(candidate: Candidate, batch: torch.Tensor) -> None:
    """One forward pass. Not `inference_mode`: networks that relax call autograd in `forward`.

    Raises InputError for stimuli that the network can't take.
    """
    try:
        with torch.no_grad():
            candidate.module(batch)
    except IsocortexError:  # from a tap
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        raise InputError(
            f"{candidate.card.name} failed on stimuli of shape {tuple(batch.shape)} and dtype "
            f"{batch.dtype}: {str(error).splitlines()[0]}. Check the size, channels and dtype that "
            "its preprocessing makes"
        ) from error


@contextmanager
def tapped(candidate: Candidate, device: str, tap: Tap) -> Iterator[None]:
    """The candidate on `device`, evaluating, deterministic, its layers tapped.

    A layer's answer is given over at once, before an operation in place changes it. Afterwards
    each part of the network is back in its own mode.
    """
    module = candidate.module.to(device)
    modules = dict(module.named_modules())

    def hook(layer: str) -> Callable[..., None]:
        return lambda module, inputs, output: tap(layer, tensor_of(output))

    with _deterministic(), _evaluating(module):
        handles = [modules[layer].register_forward_hook(hook(layer)) for layer in candidate.layers]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def tensor_of(output: Any) -> torch.Tensor:
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


def require_stimuli_first(layer: str, answer: torch.Tensor, stimuli: int) -> None:
    """Raise InputError unless the first dimension of a layer's answer is the stimuli."""
    if answer.ndim == 0 or answer.shape[0] != stimuli:
        raise InputError(
            f"layer {layer} answers with shape {tuple(answer.shape)} to {stimuli} stimuli: the "
            "first dimension must be the stimuli"
        )


def require_taken_part(candidate: Candidate, answered: Mapping[str, Any]) -> None:
    """Raise InputError for a layer that gave no answer in a forward pass."""
    for layer in candidate.layers:
        if layer not in answered:
            raise InputError(
                f"layer {layer} of {candidate.card.name} takes no part in a forward pass"
            )


def _input(candidate: Candidate, stimuli: StimulusSet, position: int) -> torch.Tensor:
    stimulus = stimuli.read(position)
    if candidate.preprocessing is not None:
        if stimuli.modality != "image":
            raise InputError(
                f"{candidate.card.name} takes images; the stimuli of {stimuli.name} are of the "
                f"modality {stimuli.modality!r}. Give it no preprocessing to pass arrays on"
            )
        return candidate.preprocessing(stimulus)
    if stimulus.dtype.kind not in "fiub":
        raise InputError(
            f"stimulus {stimuli.ids[position]!r} has dtype {stimulus.dtype}; numbers are expected"
        )
    return torch.from_numpy(np.ascontiguousarray(stimulus)).to(torch.float32)


@contextmanager
def _evaluating(module: torch.nn.Module) -> Iterator[None]:
    """The module in evaluation mode, and each part back in its own mode afterwards."""
    training = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, mode in training.items():
            part.training = mode


@contextmanager
def _deterministic() -> Iterator[None]:
    """Full float32 precision and the same algorithm on every run, also on CUDA."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = (cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32)
    cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32 = True, False, False
    matmul.allow_tf32 = False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before
