"""A simulated brain: not a recording, but a truth that is known, and a demonstration offline."""

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
    name="simulated",
    summary="simulated, not a brain: 64 drawn pictures, 2 made-up subjects with V1 and IT",
    version=1,
    species="none",
    method="simulation",
    recorded="responses",
    regions=("V1", "IT"),
    benchmarks=(
        ("V1", "rsa"),
        ("V1", "ridge"),
        ("V1", "cka"),
        ("IT", "rsa"),
        ("IT", "ridge"),
        ("IT", "cka"),
    ),
    simulated=True,
    options={"seed": 0, "pictures": 64, "subjects": 2, "neuroids": 30, "repeats": 8, "noise": 1.0},
    source="isocortex; V1 after Adelson & Bergen 1985, J Opt Soc Am A 2:284",
    bibtex="""@article{adelson1985spatiotemporal,
  title = {Spatiotemporal Energy Models for the Perception of Motion},
  author = {Adelson, Edward H. and Bergen, James R.},
  journal = {Journal of the Optical Society of America A},
  volume = {2},
  number = {2},
  pages = {284--299},
  year = {1985},
  doi = {10.1364/JOSAA.2.000284},
}""",
    licence="BSD-3-Clause",
)
def simulated(card: DatasetCard) -> Recording:
    """The responses of made-up neurons to drawn pictures, the same for the same `seed`.

    V1 neurons are the energy of a quadrature pair of Gabor filters at one place; IT neurons are
    rectified random mixtures of such energies pooled over all places. Each neuron's signal has mean
    0 and variance 1 over the pictures; each trial adds noise of standard deviation `noise`. So the
    mean of n trials has the reliability 1 / (1 + noise² / n), whatever the neuron.
    """
    seeds = np.random.SeedSequence(card.options["seed"]).spawn(5)
    drawing, *sampling = [np.random.default_rng(seed) for seed in seeds]
    shapes = [name for name in SHAPES for _ in range(card.options["pictures"] // len(SHAPES))]
    pictures = [drawn_picture(shape, drawing) for shape in shapes]
    ids = tuple(f"{number:02d}-{shape}" for number, shape in enumerate(shapes, 1))
    energies = _gabor_energies(np.stack(pictures).mean(axis=-1))
    v1 = _v1_signals(energies, card, sampling[0])
    it = _it_signals(energies, card, sampling[1])
    return Recording(
        card=card,
        stimuli=StimulusSet(
            name="simulated", ids=ids, sources=pictures, metadata={"category": shapes}
        ),
        regions={
            "V1": _trials(v1, ids, card, sampling[2]),
            "IT": _trials(it, ids, card, sampling[3]),
        },
    )


def _gabor_energies(grey: Floats) -> Floats:
    """The energy at 8 orientations × 2 spatial frequencies, (picture, filter, row, column)."""
    frequency_y = np.fft.fftfreq(grey.shape[1])[:, None]
    frequency_x = np.fft.fftfreq(grey.shape[2])
    spectra = np.fft.fft2(grey)
    energies = []
    for cycles_per_pixel in (0.06, 0.12):
        for angle in np.arange(8) * np.pi / 8:
            # A filter with positive frequencies only: its real and imaginary parts are the pair.
            along = frequency_x - cycles_per_pixel * np.cos(angle)
            across = frequency_y - cycles_per_pixel * np.sin(angle)
            gabor = np.exp(-(along**2 + across**2) / (2 * (0.35 * cycles_per_pixel) ** 2))
            energies.append(np.abs(np.fft.ifft2(spectra * gabor)))
    return np.stack(energies, axis=1)


def _v1_signals(energies: Floats, card: DatasetCard, rng: np.random.Generator) -> Floats:
    """The energies at random filters and places, (picture, neuroid)."""
    count = card.options["subjects"] * card.options["neuroids"]
    size = energies.shape[-1]
    which = rng.integers(energies.shape[1], size=count)
    row, column = rng.integers(size // 4, 3 * size // 4, size=(2, count))
    chosen: Floats = energies[:, which, row, column]
    return chosen


def _it_signals(energies: Floats, card: DatasetCard, rng: np.random.Generator) -> Floats:
    """Rectified random mixtures of energies pooled over all places, (picture, neuroid)."""
    count = card.options["subjects"] * card.options["neuroids"]
    pooled = _standardised(np.concatenate([energies.mean((2, 3)), energies.std((2, 3))], axis=1))
    mixed = pooled @ rng.normal(size=(pooled.shape[1], count)) / np.sqrt(pooled.shape[1])
    rectified: Floats = np.logaddexp(0, 3 * mixed)
    return rectified


def _standardised(signals: Floats) -> Floats:
    standardised: Floats = (signals - signals.mean(axis=0)) / signals.std(axis=0)
    return standardised


def _trials(
    signals: Floats, ids: tuple[str, ...], card: DatasetCard, rng: np.random.Generator
) -> xr.DataArray:
    repeats, neuroids = card.options["repeats"], card.options["neuroids"]
    noise = rng.normal(scale=card.options["noise"], size=(len(ids), repeats, signals.shape[1]))
    trials = _standardised(signals)[:, None, :] + noise
    subjects = [f"simulated-{number + 1}" for number in range(card.options["subjects"])]
    return xr.DataArray(
        # Rounded, so that the last bits of another machine's FFT do not make another dataset.
        trials.round(6),
        dims=("stimulus", "repeat", "neuroid"),
        coords={
            "stimulus": list(ids),
            "neuroid": [f"{subject}/{i:02d}" for subject in subjects for i in range(neuroids)],
            "subject": ("neuroid", np.repeat(subjects, neuroids)),
        },
        attrs={"units": "standard deviations of the signal", "provenance": "simulated"},
    )
