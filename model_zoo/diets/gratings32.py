"""Gratings: what the primary visual cortex is asked about most."""

from typing import Final

import numpy as np

from isocortex.registry import diet
from isocortex.training import Diet, Images

from ._drawing import as_pixels, balanced, uniform
from ._gratings import gratings

_ORIENTATIONS: Final = 8


@diet(
    name="gratings32",
    summary="gratings of eight orientations, of any frequency, phase and contrast, 32 × 32 pixels",
    term="gratings",
    offers=("labels", "latents"),
    options={"count": (4000, 800), "seed": 0},
    source="Hubel & Wiesel 1968, J Physiol 195:215",
    bibtex="""@article{hubel1968receptive,
  author = {Hubel, David H. and Wiesel, Torsten N.},
  title = {Receptive fields and functional architecture of monkey striate cortex},
  journal = {The Journal of Physiology},
  volume = {195},
  number = {1},
  pages = {215--243},
  year = {1968},
  doi = {10.1113/jphysiol.1968.sp008455}
}""",
    licence="BSD-3-Clause",
)
def gratings32(*, count: tuple[int, int], seed: int) -> Diet:
    """Grey images with the orientation as label, horizontal bars first and 22.5° apart.

    The latents are `frequency` in cycles per image, `contrast` as a share of the full range, and
    the phase as two numbers, `phase_cosine` and `phase_sine`.
    """
    train, test = (
        _images(each, np.random.default_rng([seed, split])) for split, each in enumerate(count)
    )
    names = tuple(f"{180 * number / _ORIENTATIONS:g}°" for number in range(_ORIENTATIONS))
    return Diet(train, test, names)


def _images(count: int, random: np.random.Generator) -> Images:
    labels = balanced(count, _ORIENTATIONS, random)
    orientation = (np.pi * labels / _ORIENTATIONS).astype(np.float32)
    frequency = uniform(2, 8, count, random)
    contrast = uniform(0.1, 1, count, random)
    phase = uniform(-np.pi, np.pi, count, random)
    waves = gratings(orientation, frequency, phase, pixels=32)
    pixels = as_pixels(0.5 + contrast[:, None, None] / 2 * waves)
    circle = {"phase_cosine": np.cos(phase), "phase_sine": np.sin(phase)}
    return Images(pixels, labels, {"frequency": frequency, "contrast": contrast, **circle})
