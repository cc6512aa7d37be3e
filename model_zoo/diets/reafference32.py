"""Reafference: films of things outside, and over them what one's own command brings about."""

import numpy as np
import numpy.typing as npt

from isocortex.registry import diet
from isocortex.training import Diet, Images
from isocortex.training.diets import Pixels

from ._sweeps import sweeps

_SELF, _OUTSIDE = 60.0, 0.5
"""The wave is as bright as the outside, and their sum is never clipped."""


@diet(
    name="reafference32",
    summary="the films of sweeps32 at half contrast, with a wave that spreads alike in all",
    term="reafference",
    offers=("labels", "latents", "sequence"),
    options={"count": (2700, 450), "frames": 8, "seed": 0},
    source="drawn by isocortex; after Bell et al. 1997, Nature 387:278",
    bibtex="""@article{bell1997synaptic,
  author = {Bell, Curtis C. and Han, Victor Z. and Sugawara, Yoshiko and Grant, Kirsty},
  title = {Synaptic plasticity in a cerebellum-like structure depends on temporal order},
  journal = {Nature},
  volume = {387},
  pages = {278--281},
  year = {1997},
  doi = {10.1038/387278a0}
}""",
    licence="BSD-3-Clause",
)
def reafference32(*, count: tuple[int, int], frames: int, seed: int) -> Diet:
    """Grey films that begin with a command, whose wave is added to what happens to be outside.

    Labels and latents are those of what is outside, as in `sweeps32`.
    """
    outside = sweeps(count, frames, seed)
    wave = own_wave(frames, *outside.image_size)
    train, test = (_joined(each, wave) for each in (outside.train, outside.test))
    return Diet(train, test, outside.categories)


def own_wave(frames: int, height: int, width: int) -> npt.NDArray[np.float64]:
    """What follows a command, (frame, height, width), −1 … 1: a ring that spreads and darkens."""
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2)
    time = np.arange(frames)[:, None, None]
    front = np.exp(-(((distance - 2.0 * time) / 3.0) ** 2) / 2)
    wave: npt.NDArray[np.float64] = front * np.cos(np.pi * time / frames)
    return wave


def _joined(outside: Images, wave: npt.NDArray[np.float64]) -> Images:
    assert outside.sequences is not None  # those of sweeps32
    middle = 127.5
    films = np.empty_like(outside.sequences)
    for film, seen in zip(films, outside.sequences, strict=True):  # in float one by one
        film[:] = np.rint(middle + _OUTSIDE * (seen - middle) + _SELF * wave[..., None])
    ended: Pixels = films[:, -1]
    return Images(ended, outside.labels, outside.latents, films)
