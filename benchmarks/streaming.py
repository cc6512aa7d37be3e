"""ResNet-18 streamed under a cap: time against the bare forward pass, memory against the cap.

`python -m benchmarks.streaming 1000 2GB` runs the streamed work by itself, since peak memory is
that of a whole process, and prints what it took as JSON.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from threadpoolctl import threadpool_limits

from isocortex.benchmarks import load_scorer
from isocortex.candidates import Candidate, Preprocessing, as_candidate
from isocortex.extraction import extract_answers, extract_responses
from isocortex.geometry import Brain, Geometry, geometry_of
from isocortex.planning import Plan, plan_extraction
from isocortex.settings import parse_bytes
from isocortex.splits import make_splits
from isocortex.stimuli import StimulusSet

from .timing import Measurement

BATCH = 32
NEUROIDS = 168


def blocks() -> list[str]:
    """The 20 block-level layers: the stem, then of each block its first half, the shortcut where it
    has weights, and its end."""
    names = ["maxpool"]
    for block in (f"layer{stage}.{number}" for stage in (1, 2, 3, 4) for number in (0, 1)):
        shortcut = [f"{block}.downsample"] if block in ("layer2.0", "layer3.0", "layer4.0") else []
        names += [f"{block}.bn1", *shortcut, block]
    return names


def resnet18() -> Candidate:
    """ResNet-18 with random weights, read out at its blocks."""
    import torchvision

    torch.manual_seed(0)
    network = torchvision.models.resnet18(weights=None)
    return as_candidate(network, Preprocessing(224, 224), name="resnet18", layers=blocks())


def noise(count: int) -> StimulusSet:
    """Random pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)
    return StimulusSet("noise", tuple(f"image-{each:04}" for each in range(count)), list(pixels))


def recorded(stimuli: StimulusSet) -> xr.DataArray:
    """Responses (stimulus, neuroid) to compare the layers with."""
    values = np.random.default_rng(1).normal(size=(len(stimuli), NEUROIDS))
    return xr.DataArray(
        values,
        dims=("stimulus", "neuroid"),
        coords={"stimulus": list(stimuli.ids), "neuroid": [f"n{i}" for i in range(NEUROIDS)]},
    )


def compared(geometry: Geometry, responses: xr.DataArray) -> np.ndarray:
    """RSA, CKA and the predictions of ridge regression, in one vector."""
    brain = Brain(("one",), (geometry_of(responses),))
    splits = make_splits(len(responses), {"kind": "k-fold", "folds": 5, "seed": 0})
    similarities = [load_scorer(name)(geometry, brain).values for name in ("rsa", "cka")]
    folds = load_scorer("ridge")(geometry, responses, splits)
    return np.concatenate([*similarities, *(each.prediction.ravel() for each in folds)])


@dataclass(frozen=True)
class Streamed:
    """What the streamed work took: CPU seconds of its parts, bytes, and the scores by layer."""

    extracting: float
    comparing: float
    peak: int
    plan: Plan
    compared: Mapping[str, np.ndarray]


def streamed(stimuli: StimulusSet, cap: int) -> Streamed:
    """All layers extracted under the cap, each compared as soon as it is folded, and dropped."""
    candidate, responses = resnet18(), recorded(stimuli)
    before, start = _peak(), time.process_time()
    plan = plan_extraction(candidate, stimuli, memory=cap, batch_size=BATCH)
    comparing, found = 0.0, {}
    for each in extract_answers(candidate, stimuli, plan):
        began = time.process_time()
        found[each.layer] = compared(each.geometry, responses)
        comparing += time.process_time() - began
    extracting = time.process_time() - start - comparing
    return Streamed(extracting, comparing, _peak() - before, plan, found)


def bare_seconds(stimuli: StimulusSet) -> float:
    """The forward pass of the same batches, and nothing else."""
    candidate = resnet18()
    start = time.process_time()
    with torch.no_grad():
        for positions in _batches(len(stimuli)):
            ready = [candidate.preprocessing(stimuli.read(each)) for each in positions]
            candidate.module(torch.stack(ready))
    return time.process_time() - start


def streaming(count: int, *, cap: str = "2GB") -> list[Measurement]:
    """RSA + CKA + ridge on 20 layers, against the bare forward pass, the cap and the plan."""
    command = [sys.executable, "-m", "benchmarks.streaming", str(count), cap]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    difference = _largest_difference()
    whole = found["extracting"] + found["comparing"]
    return [
        Measurement(whole, found["bare"], "bare forward pass (20 layers, all)", difference),
        Measurement(found["extracting"], found["bare"], "the same (geometries only)", 0.0),
        Measurement(found["peak"] / 1e6, found["cap"] / 1e6, "the cap", 0.0, "MB"),
        Measurement(found["peak"] / 1e6, found["planned"] / 1e6, "as planned", 0.0, "MB"),
    ]


def _largest_difference(count: int = 48) -> float:
    """Of all scores and predictions, between a cap that spills most layers and no streaming."""
    stimuli = noise(count)
    under_cap = streamed(stimuli, parse_bytes("300MB"))
    assert under_cap.plan.disk_bytes
    whole = extract_responses(resnet18(), stimuli, batch_size=BATCH)
    responses = recorded(stimuli)
    return max(
        float(np.abs(under_cap.compared[layer] - compared(geometry_of(rows), responses)).max())
        for layer, rows in whole.items()
    )


def _batches(count: int) -> Iterator[range]:
    for start in range(0, count, BATCH):
        yield range(start, min(start + BATCH, count))


def _peak() -> int:
    """The most memory that this process held so far. Not getrusage: its peak begins with that of
    the process which started this one."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status)[1])


def main() -> None:
    """Run the streamed work and the bare pass in this process; print what they took."""
    torch.set_num_threads(1)
    stimuli, cap = noise(int(sys.argv[1])), parse_bytes(sys.argv[2])
    with threadpool_limits(1):
        found = streamed(stimuli, cap)
        bare = bare_seconds(stimuli)
    facts = {"extracting": found.extracting, "comparing": found.comparing, "peak": found.peak}
    plan = {"planned": found.plan.memory_bytes, "cap": cap, "summary": found.plan.summary}
    print(json.dumps({**facts, **plan, "bare": bare}))


if __name__ == "__main__":
    main()
