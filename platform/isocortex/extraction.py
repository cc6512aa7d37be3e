"""Extraction: what the layers of a candidate answer to stimuli, all layers in one forward pass.

The rows of each layer are held only until the pass ends: in memory up to a cap, on disk past it.
Then they are folded into the layer's geometry, n × n, and dropped.
"""

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import torch
import xarray as xr

from .candidates import Candidate
from .errors import InputError, IsocortexError
from .geometry import Geometry, gather_geometry
from .rows import KeptRows, RowStore
from .stimuli import StimulusSet

EXTRACTION_VERSION: Final = 1
"""Counted up whenever a change of this file would change a response: it empties the cache."""

Progress = Callable[[int, int], None]
"""Called with the number of stimuli done and of all stimuli."""


def extract_geometries(
    candidate: Candidate,
    stimuli: StimulusSet,
    *,
    batch_size: int = 32,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, Geometry]:
    """The geometry of each of the candidate's layers on the stimuli, from one forward pass.

    Activations are held in memory up to `ISOCORTEX_MEMORY_BYTES`, the rest in a temporary file.
    Raises InputError for stimuli the network can't take and responses that are not finite.
    """
    with _extracted(candidate, stimuli, batch_size, device, progress) as rows:
        geometries = {}
        for layer in candidate.layers:
            name = f"layer {layer} of {candidate.card.name}"
            geometries[layer] = gather_geometry(stimuli.ids, rows.pop(layer), name=name)
        return geometries


def extract_responses(
    candidate: Candidate,
    stimuli: StimulusSet,
    *,
    batch_size: int = 32,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, xr.DataArray]:
    """The responses of each of the candidate's layers, (stimulus, unit), float32, in memory.

    Units are the layer's output in C order: channel, row, column for a convolution.
    """
    with _extracted(candidate, stimuli, batch_size, device, progress) as rows:
        coords = {"stimulus": list(stimuli.ids)}
        return {
            layer: xr.DataArray(
                rows[layer][:, :],
                dims=("stimulus", "unit"),
                coords=coords,
                attrs={"units": "arbitrary", "candidate": candidate.card.name, "layer": layer},
            )
            for layer in candidate.layers
        }


@contextmanager
def _extracted(
    candidate: Candidate,
    stimuli: StimulusSet,
    batch_size: int,
    device: str,
    progress: Progress | None,
) -> Iterator[dict[str, KeptRows]]:
    """The rows of every layer; those that do not fit into memory lie in a file that goes away."""
    with tempfile.TemporaryDirectory(prefix="isocortex-", ignore_cleanup_errors=True) as folder:
        rows = RowStore(len(stimuli), Path(folder))
        module = candidate.module.to(device)
        with _deterministic(), _evaluating(module), _tapped(candidate, rows):
            for start, batch in _batches(candidate, stimuli, batch_size):
                rows.begin(start, len(batch))
                _run(candidate, batch.to(device))
                if progress:
                    progress(start + len(batch), len(stimuli))
        for layer in candidate.layers:
            if layer not in rows.layers:
                raise InputError(
                    f"layer {layer} of {candidate.card.name} takes no part in a forward pass"
                )
        yield rows.layers


def _batches(
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


def _run(candidate: Candidate, batch: torch.Tensor) -> None:
    """One forward pass. Not `inference_mode`: networks that relax call autograd in `forward`."""
    try:
        with torch.no_grad():
            candidate.module(batch)
    except IsocortexError:  # from a hook
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        raise InputError(
            f"{candidate.card.name} failed on stimuli of shape {tuple(batch.shape)} and dtype "
            f"{batch.dtype}: {str(error).splitlines()[0]}. Check the size, channels and dtype that "
            "its preprocessing makes"
        ) from error


@contextmanager
def _tapped(candidate: Candidate, rows: RowStore) -> Iterator[None]:
    """Hooks that put each layer's output into `rows` at once, before an in-place operation."""
    modules = dict(candidate.module.named_modules())

    def tap(layer: str) -> Callable[..., None]:
        return lambda module, inputs, output: rows.put(layer, output)

    handles = [modules[layer].register_forward_hook(tap(layer)) for layer in candidate.layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


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
