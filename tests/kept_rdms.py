"""Made-up scores that keep the RDM of their layer, on the stimuli of the simulated recordings."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from isocortex.benchmarks import load_dataset
from isocortex.geometry import geometry_of
from isocortex.matrices import layer_rdm
from isocortex.store import CandidateFacts, Store
from tests.made_up_scores import benchmark_facts, candidate_facts, made_up_score


@cache
def stimuli() -> tuple[str, ...]:
    """The ids of the simulated recordings' stimuli, in their order."""
    return load_dataset("simulated").stimuli.ids


def answers(seed: int, *, units: int = 20) -> xr.DataArray:
    """What a made-up layer answers to the stimuli of the simulated recordings."""
    values = np.random.default_rng(seed).normal(size=(len(stimuli()), units))
    coords = {"stimulus": list(stimuli())}
    return xr.DataArray(values, dims=("stimulus", "unit"), coords=coords)


def record_with_rdm(
    store: Store,
    model: str | CandidateFacts,
    benchmark: str = "simulated/IT/rsa",
    *,
    layer: xr.DataArray,
    raw: float = 0.4,
    **facts: Any,
) -> int:
    """Record a score that keeps this layer's RDM and `facts` of its layers; the score's id."""
    named = candidate_facts(model) if isinstance(model, str) else model
    measured = benchmark_facts(benchmark, simulated=True)
    score = made_up_score(named, measured, raw)
    rdm = layer_rdm(geometry_of(layer), [str(each) for each in layer.stimulus.values])
    layers = {name: ("layer", np.full(4, value)) for name, value in facts.items()}
    kept = replace(score, detail=score.detail.assign(**rdm, **layers))
    with store.record(named, measured, seed=0) as run:
        return run.keep(kept)
