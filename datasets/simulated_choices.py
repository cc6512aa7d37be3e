"""Simulated observers who name pictures: not a recording, but choices whose cause is known."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import xarray as xr

from isocortex.cards import DatasetCard
from isocortex.recordings import Recording
from isocortex.registry import dataset
from isocortex.stimuli import StimulusSet

from ._drawing import SHAPES, drawn_picture

Floats = npt.NDArray[np.float64]


@dataset(
    name="simulated_choices",
    summary="simulated, not an observer: 128 drawn pictures, named by 5 made-up observers",
    version=1,
    species="none",
    method="simulation",
    recorded="choices",
    regions=("behaviour",),
    benchmarks=(
        ("behaviour", "error-consistency"),
        ("behaviour", "confusion-similarity"),
        ("behaviour", "i2n"),
    ),
    simulated=True,
    options={"seed": 0, "pictures": 128, "observers": 5, "trials": 20, "noise": 0.3, "own": 0.2},
    source="isocortex",
    bibtex="",
    licence="BSD-3-Clause",
)
def simulated_choices(card: DatasetCard) -> Recording:
    """Which of eight shapes made-up observers saw in drawn pictures, the same for the same `seed`.

    Each observer adds up evidence for each shape as a linear readout of `spectral_energies`, fitted
    to all pictures; `own` is how far an observer's weights scatter about it, as a share of their
    size. Each of `trials` adds noise of standard deviation `noise` to the evidence, which is 1 for
    the right and −1 for the wrong shapes where the energies tell; the most of it is chosen.
    """
    seeds = np.random.SeedSequence(card.options["seed"]).spawn(3)
    drawing, weighting, choosing = [np.random.default_rng(seed) for seed in seeds]
    shapes = [name for name in SHAPES for _ in range(card.options["pictures"] // len(SHAPES))]
    pictures = [drawn_picture(shape, drawing) for shape in shapes]
    ids = tuple(f"{number:03d}-{shape}" for number, shape in enumerate(shapes, 1))
    features = spectral_energies(np.stack(pictures).mean(axis=-1))
    evidence = _evidence(features, shapes, card, weighting)
    return Recording(
        card=card,
        stimuli=StimulusSet(
            name="simulated_choices", ids=ids, sources=pictures, metadata={"category": shapes}
        ),
        regions={"behaviour": _choices(evidence, ids, card, choosing)},
    )


def spectral_energies(grey: Floats) -> Floats:
    """The logarithm of the energy in 6 bands of spatial frequency, (picture, band), standardised.

    `grey` is (picture, row, column). Bands are rings of the power spectrum between one cycle a
    picture and half a cycle a pixel: they do not change when a picture moves or turns.
    """
    size = grey.shape[1]
    frequency = np.fft.fftfreq(size)
    radius = np.hypot(frequency[:, None], frequency)
    power = np.abs(np.fft.fft2(grey)) ** 2
    edges = np.geomspace(0.5 / size, 0.5, 7)
    rings = [(radius > low) & (radius <= high) for low, high in pairwise(edges)]
    energies = np.log(np.stack([power[:, ring].sum(axis=1) for ring in rings], axis=1))
    standardised: Floats = (energies - energies.mean(axis=0)) / energies.std(axis=0)
    return standardised


def _evidence(
    features: Floats, shapes: list[str], card: DatasetCard, rng: np.random.Generator
) -> Floats:
    """The evidence of each observer for each shape in each picture: (observer, picture, shape)."""
    targets = np.where(np.array(shapes)[:, None] == list(SHAPES), 1.0, -1.0)
    inputs = np.column_stack([np.ones(len(features)), features])
    weights = np.linalg.lstsq(inputs, targets, rcond=None)[0]
    scatter = (
        card.options["own"]
        * weights.std()
        * rng.normal(size=(card.options["observers"], *weights.shape))
    )
    evidence: Floats = inputs @ (weights + scatter)
    return evidence


def _choices(
    evidence: Floats, ids: tuple[str, ...], card: DatasetCard, rng: np.random.Generator
) -> xr.DataArray:
    trials = card.options["trials"]
    noise = rng.normal(scale=card.options["noise"], size=(trials, *evidence.shape))
    chosen = (evidence + noise).argmax(axis=-1)
    shares = (chosen[..., None] == np.arange(len(SHAPES))).mean(axis=0)
    return xr.DataArray(
        shares,
        dims=("subject", "stimulus", "choice"),
        coords={
            "subject": [f"simulated-{number + 1}" for number in range(len(shares))],
            "stimulus": list(ids),
            "choice": list(SHAPES),
        },
        attrs={"units": "share of trials", "provenance": "simulated"},
    )
