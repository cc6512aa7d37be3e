"""Extraction: what the layers of a candidate answer to stimuli, as many in one pass as fit.

The rows of each layer are held only until the pass ends, where the plan says: in memory, on disk or
projected. Then they are folded into the layer's geometry, n × n, and dropped; of the units, those
that are read as they are stay besides.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
import xarray as xr

from .candidates import Candidate
from .forward import batches, require_taken_part, run_batch, tapped
from .geometry import Geometry
from .planning import LayerPlan, Plan, plan_extraction
from .responses import Array, Positions, Responses
from .rows import RowStore
from .stimuli import StimulusSet
from .units import map_places, own_places, sampled_units

EXTRACTION_VERSION: Final = 1
"""Counted up whenever a change of this file would change a response: it empties the cache."""

Progress = Callable[[int, int], None]
"""Called with the number of stimuli done and of all stimuli."""


@dataclass(frozen=True, eq=False)
class LayerAnswers:
    """What one layer answers: its geometry and, if the plan keeps units, a sample of them."""

    layer: str
    geometry: Geometry
    responses: Responses | None


def extract_answers(
    candidate: Candidate,
    stimuli: StimulusSet,
    plan: Plan,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Iterator[LayerAnswers]:
    """What each layer answers, one layer at a time, from as many passes as were planned.

    Whoever keeps none of them stays under the plan's cap. Raises InputError for stimuli the network
    can't take and responses that are not finite.
    """
    for layers in plan.passes:
        chosen = replace(candidate, layers=tuple(each.layer for each in layers))
        plans = {each.layer: each for each in layers}
        with _extracted(chosen, stimuli, plans, plan.batch_size, device, progress) as rows:
            for layer in chosen.layers:
                name = f"layer {layer} of {candidate.card.name}"
                geometry = rows.fold(layer, stimuli.ids, name=name)
                yield LayerAnswers(
                    layer, geometry, _responses(candidate, stimuli, plans[layer], rows)
                )


def extract_geometries(
    candidate: Candidate,
    stimuli: StimulusSet,
    *,
    batch_size: int = 32,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, Geometry]:
    """The geometry of each of the candidate's layers on the stimuli, from one forward pass.

    Activations are held as `plan_extraction` finds room for them. Raises InputError for stimuli the
    network can't take and responses that are not finite.
    """
    plan = plan_extraction(candidate, stimuli, batch_size=batch_size, device=device)
    found = extract_answers(candidate, stimuli, plan, device=device, progress=progress)
    geometries = {each.layer: each.geometry for each in found}
    return {layer: geometries[layer] for layer in candidate.layers}


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
    with _extracted(candidate, stimuli, {}, batch_size, device, progress) as rows:
        coords = {"stimulus": list(stimuli.ids)}
        return {
            layer: xr.DataArray(
                rows.layers[layer],
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
    plans: Mapping[str, LayerPlan],
    batch_size: int,
    device: str,
    progress: Progress | None,
) -> Iterator[RowStore]:
    """The rows of every layer after one pass; those on disk lie in a folder that goes away."""
    with tempfile.TemporaryDirectory(prefix="isocortex-", ignore_cleanup_errors=True) as folder:
        rows = RowStore(len(stimuli), Path(folder), plans, _sampled(plans))
        with tapped(candidate, device, rows.put):
            for start, batch in batches(candidate, stimuli, batch_size):
                rows.begin(start, len(batch))
                run_batch(candidate, batch.to(device))
                if progress:
                    progress(start + len(batch), len(stimuli))
        require_taken_part(candidate, rows.layers)
        yield rows


def _sampled(plans: Mapping[str, LayerPlan]) -> dict[str, Positions]:
    return {layer: sampled_units(plan.units) for layer, plan in plans.items() if plan.units_bytes}


def _responses(
    candidate: Candidate, stimuli: StimulusSet, plan: LayerPlan, rows: RowStore
) -> Responses | None:
    """The units that are read of a layer, with their places."""
    if not plan.units_bytes:
        return None
    units, values = rows.sampled[plan.layer], rows.units.pop(plan.layer)
    module = candidate.module.get_submodule(plan.layer)
    places = _places(module, plan, units)
    return Responses(stimuli.ids, values.astype(np.float64), places, plan.units)


def _places(module: torch.nn.Module, plan: LayerPlan, units: Positions) -> Array | None:
    """What the layer says of its units' places, else their places in the map."""
    own = getattr(module, "unit_places", None)
    if own is None:
        return map_places(plan.shape, units)
    places = own.detach().cpu().numpy() if isinstance(own, torch.Tensor) else np.asarray(own)
    return own_places(places, plan.shape, units, layer=plan.layer)
