"""Extraction: what the layers of a candidate answer to stimuli, all layers in one forward pass.

The rows of each layer are held only until the pass ends: in memory up to a cap, on disk past it.
Then they are folded into the layer's geometry, n × n, and dropped.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr

from . import settings
from .candidates import Candidate
from .errors import InputError
from .geometry import Geometry, gather_geometry
from .stimuli import StimulusSet

EXTRACTION_VERSION: Final = 1
"""Counted up whenever a change of this file would change a response: it empties the cache."""

Rows = npt.NDArray[np.float32]
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
                np.array(rows[layer]),
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
) -> Iterator[dict[str, Rows]]:
    """The rows of every layer; those that do not fit into memory lie in a file that goes away."""
    with tempfile.TemporaryDirectory(prefix="isocortex-", ignore_cleanup_errors=True) as folder:
        rows = _RowStore(len(stimuli), Path(folder))
        module = candidate.module.to(device)
        with _deterministic(), _evaluating(module), _tapped(candidate) as outputs:
            for start, batch in _batches(candidate, stimuli, batch_size):
                outputs.clear()
                _run(candidate, batch.to(device))
                for layer in candidate.layers:
                    rows.put(layer, start, _flat_output(layer, outputs, batch, candidate))
                if progress:
                    progress(start + len(batch), len(stimuli))
        yield rows.layers


class _RowStore:
    """Room for each layer's rows (stimulus, unit): in memory while the cap allows, else on disk."""

    def __init__(self, stimuli: int, folder: Path) -> None:
        self.stimuli = stimuli
        self.folder = folder
        self.free = settings.memory_bytes()
        self.layers: dict[str, Rows] = {}

    def put(self, layer: str, start: int, rows: Rows) -> None:
        if layer not in self.layers:
            self.layers[layer] = self._room(rows.shape[1])
        room = self.layers[layer]
        if rows.shape[1] != room.shape[1]:
            raise InputError(
                f"layer {layer} has {room.shape[1]} units for some stimuli and {rows.shape[1]} for "
                "others: stimuli must reach the network in one size; see Preprocessing"
            )
        room[start : start + len(rows)] = rows

    def _room(self, units: int) -> Rows:
        shape = (self.stimuli, units)
        size = 4 * self.stimuli * units
        if size <= self.free:
            self.free -= size
            return np.empty(shape, np.float32)
        path = self.folder / f"{len(self.layers)}.float32"
        return np.memmap(path, np.float32, "w+", shape=shape)


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
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        raise InputError(
            f"{candidate.card.name} failed on stimuli of shape {tuple(batch.shape)} and dtype "
            f"{batch.dtype}: {str(error).splitlines()[0]}. Check the size, channels and dtype that "
            "its preprocessing makes"
        ) from error


@contextmanager
def _tapped(candidate: Candidate) -> Iterator[dict[str, Any]]:
    """The latest output of each layer, filled by hooks. A layer called twice keeps the last one."""
    outputs: dict[str, Any] = {}
    modules = dict(candidate.module.named_modules())

    def tap(layer: str) -> Callable[..., None]:
        def keep(module: torch.nn.Module, inputs: Any, output: Any) -> None:
            # A copy: a later in-place operation (such as ReLU) would change what was kept.
            outputs[layer] = _tensor_of(output).detach().clone()

        return keep

    handles = [modules[layer].register_forward_hook(tap(layer)) for layer in candidate.layers]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


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


def _flat_output(
    layer: str, outputs: Mapping[str, torch.Tensor], batch: torch.Tensor, candidate: Candidate
) -> Rows:
    if layer not in outputs:
        raise InputError(f"layer {layer} of {candidate.card.name} takes no part in a forward pass")
    output = outputs[layer]
    if output.ndim == 0 or output.shape[0] != len(batch):
        raise InputError(
            f"layer {layer} of {candidate.card.name} answers with shape {tuple(output.shape)} to "
            f"{len(batch)} stimuli: the first dimension must be the stimuli"
        )
    flat: Rows = output.reshape(len(batch), -1).to(torch.float32).cpu().numpy()
    return flat


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
