"""1/f noise: the spectrum of photographs, and nothing else of them."""

import numpy as np
import numpy.typing as npt

from isocortex.registry import diet
from isocortex.training import Diet, Images

from ._drawing import as_pixels


@diet(
    name="noise32",
    summary="grey noise with the 1/f spectrum of photographs, 32 × 32 pixels",
    term="coloured-noise",
    options={"count": (8000, 1000), "contrast": 0.2, "seed": 0},
    source="Field 1987, J Opt Soc Am A 4:2379",
    bibtex="""@article{field1987relations,
  author = {Field, David J.},
  title = {Relations between the statistics of natural images and the response properties of
    cortical cells},
  journal = {Journal of the Optical Society of America A},
  volume = {4},
  number = {12},
  pages = {2379--2394},
  year = {1987},
  doi = {10.1364/JOSAA.4.002379}
}""",
    licence="BSD-3-Clause",
)
def noise32(*, count: tuple[int, int], contrast: float, seed: int) -> Diet:
    """Images without labels, whose spread is `contrast` as a share of the full range.

    The amplitude falls as 1/f and so the images go on over their edges, left to right and top to
    bottom.
    """
    train, test = (
        0.5 + contrast * _noise(each, 32, np.random.default_rng([seed, split]))
        for split, each in enumerate(count)
    )
    return Diet(Images(as_pixels(train)), Images(as_pixels(test)))


def _noise(count: int, side: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Noise (image, side, side), each image with mean 0 and spread 1."""
    white = np.fft.rfft2(random.standard_normal((count, side, side)))
    along = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    frequency = np.hypot(*along)
    frequency[0, 0] = np.inf  # no mean
    noise: npt.NDArray[np.float64] = np.fft.irfft2(white / frequency, s=(side, side))
    return np.asarray(noise / noise.std(axis=(1, 2), keepdims=True))
