"""The comparisons. Each returns measurements of equal work, checked for equal results."""

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
import torch
import xarray as xr

from isocortex.candidates import Preprocessing, as_candidate
from isocortex.extraction import extract_geometries
from isocortex.geometry import geometry_of
from isocortex.registry import entries
from isocortex.statistics import upper_triangle
from isocortex.stimuli import StimulusSet

from .streaming import streaming
from .timing import Measurement, timed


def labelled(values: np.ndarray, dim: str = "unit") -> xr.DataArray:
    """A plain array with the dims (stimulus, `dim`)."""
    ids = [f"stimulus-{position:05}" for position in range(len(values))]
    return xr.DataArray(values, dims=("stimulus", dim), coords={"stimulus": ids})


def rdm_pearson() -> list[Measurement]:
    """A Pearson RDM of 1,000 stimuli × 50,000 units, against rsatoolbox and against one product."""
    import rsatoolbox
    from isocortex.scorers._rdm import pearson_dissimilarities

    x = np.random.default_rng(0).normal(size=(1000, 50_000))
    ours, mine = timed(lambda: pearson_dissimilarities(geometry_of(labelled(x))))
    measurements = rsatoolbox.data.Dataset(x)
    theirs, their = timed(
        lambda: rsatoolbox.rdm.calc_rdm(measurements, method="correlation"), repeats=1
    )
    difference = np.abs(upper_triangle(mine) - their.dissimilarities[0]).max()
    product, _ = timed(lambda: x @ x.T)
    return [
        Measurement(ours, theirs, "rsatoolbox", float(difference)),
        Measurement(ours, product, "the one symmetric product X Xᵀ", 0.0),
    ]


def extraction() -> list[Measurement]:
    """ResNet-18 untrained, 64 images at 224 px, 8 blocks to geometries, against the bare pass."""
    import torchvision

    torch.manual_seed(0)
    network = torchvision.models.resnet18(weights=None).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (64, 224, 224, 3), dtype=np.uint8)
    stimuli = StimulusSet("noise", tuple(f"{each}" for each in range(64)), list(pixels))
    layers = [f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)]
    preprocessing = Preprocessing(224, 224)
    candidate = as_candidate(network, preprocessing, name="resnet18", layers=layers)
    ours, geometries = timed(lambda: extract_geometries(candidate, stimuli), repeats=2)

    def bare() -> torch.Tensor:
        ready = torch.stack([preprocessing(image) for image in pixels])
        with torch.no_grad():
            return torch.cat([network(batch) for batch in ready.split(32)])

    theirs, _ = timed(bare, repeats=2)
    assert len(geometries) == len(layers)
    return [Measurement(ours, theirs, "bare forward pass", 0.0)]


def listing() -> list[Measurement]:
    """Listing all cards, against importing what they describe."""

    def process(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - start

    kinds = ("candidate", "dataset", "scorer")
    cards = f"import isocortex.registry as r; [r.entries(kind) for kind in {kinds}]"
    loaded = f"{cards}; [e.load() for kind in {kinds} for e in r.entries(kind)]"
    assert all(entries(kind) for kind in kinds)
    return [Measurement(process(cards), process(loaded), "loading every entry", 0.0, "wall s")]


CASES: Final[dict[str, Callable[[], list[Measurement]]]] = {
    "rdm-pearson": rdm_pearson,
    "extraction": extraction,
    "streaming": partial(streaming, 1000),
    "streaming-100": partial(streaming, 100, cap="600MB"),
    "listing": listing,
}
