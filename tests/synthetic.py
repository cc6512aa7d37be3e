"""Small made-up layers and brains that many tests share."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from isocortex.cards import DatasetCard
from isocortex.geometry import Brain, Geometry, geometry_of
from isocortex.recordings import Recording
from isocortex.stimuli import StimulusSet


def stimulus_ids(count: int) -> list[str]:
    return [f"stimulus-{position:03}" for position in range(count)]


def responses(stimuli: int = 20, units: int = 30, *, seed: int = 0) -> xr.DataArray:
    values = np.random.default_rng(seed).normal(size=(stimuli, units))
    coords = {"stimulus": stimulus_ids(stimuli)}
    return xr.DataArray(values, dims=("stimulus", "unit"), coords=coords)


def layer(stimuli: int = 20, units: int = 30, *, seed: int = 0) -> Geometry:
    return geometry_of(responses(stimuli, units, seed=seed))


def brain(stimuli: int = 20, subjects: int = 3, *, seed: int = 100) -> Brain:
    names = tuple(f"subject-{position}" for position in range(subjects))
    return Brain(names, tuple(layer(stimuli, seed=seed + each) for each in range(subjects)))


def blank_stimuli(ids: Sequence[str], **metadata: Sequence[object]) -> StimulusSet:
    images = [np.full((8, 8, 3), position % 256, np.uint8) for position in range(len(ids))]
    return StimulusSet("blank", tuple(ids), images, metadata=metadata)


def recorded_trials(
    signal: np.ndarray, *, noise: float, repeats: int = 8, seed: int = 1
) -> xr.DataArray:
    """Trials (stimulus, repeat, neuroid) of a signal (stimulus, neuroid) in white noise."""
    stimuli, neuroids = signal.shape
    generator = np.random.default_rng(seed)
    trials = signal[:, None] + noise * generator.normal(size=(stimuli, repeats, neuroids))
    coords = {
        "stimulus": stimulus_ids(stimuli),
        "neuroid": [f"n{each}" for each in range(neuroids)],
        "subject": ("neuroid", ["monkey"] * neuroids),
    }
    dims = ("stimulus", "repeat", "neuroid")
    return xr.DataArray(trials, dims=dims, coords=coords, attrs={"units": "spikes/second"})


def recorded_rdms(matrices: np.ndarray) -> xr.DataArray:
    """Dissimilarities (subject, stimulus, other_stimulus) of plain matrices."""
    names = stimulus_ids(matrices.shape[1])
    coords = {
        "subject": [f"subject-{each}" for each in range(len(matrices))],
        "stimulus": names,
        "other_stimulus": names,
    }
    dims = ("subject", "stimulus", "other_stimulus")
    return xr.DataArray(matrices, dims=dims, coords=coords, attrs={"units": "1 - Pearson r"})


def recording(
    region: xr.DataArray, *, name: str = "toy", **metadata: Sequence[object]
) -> Recording:
    """A dataset of one region, "IT", on blank images."""
    kinds = {"neuroid": "responses", "other_stimulus": "dissimilarities", "choice": "choices"}
    recorded = next(kind for dim, kind in kinds.items() if dim in region.dims)
    card = DatasetCard(
        name=name,
        summary="made up by a test",
        version=1,
        species="none",
        method="none",
        recorded=recorded,
        regions=("IT",),
        benchmarks=(),
        source="none",
        bibtex="",
        licence="none",
    )
    ids = [str(each) for each in region.stimulus.values]
    return Recording(card, blank_stimuli(ids, **metadata), {"IT": region})
