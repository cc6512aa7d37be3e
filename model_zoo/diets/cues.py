"""Cues: two populations of neurons that tell of one value, now one better, now the other."""

from typing import Final

import numpy as np
import numpy.typing as npt

from isocortex.registry import diet
from isocortex.training import Diet, Images

from ._drawing import uniform

_SIDE: Final = 32
_NEURONS: Final = 16
"""Neurons of a cue; each is a bar of two columns."""
_TUNING: Final = 3.0
"""The spread of a tuning curve, in pixels."""
_SPIKE: Final = 9
"""The level of one spike: 28 fit, and the strongest neuron fires more once in 10⁶ trials."""


@diet(
    name="cues",
    summary="spikes of two populations of 16 neurons that tell of one value, 32 × 32 pixels",
    term="population-codes",
    offers=("latents",),
    options={"count": (20000, 2000), "rates": (0.5, 10.0), "seed": 0},
    source="Orhan & Ma 2017, Nat Commun 8:138",
    bibtex="""@article{orhan2017efficient,
  author = {Orhan, A. Emin and Ma, Wei Ji},
  title = {Efficient probabilistic inference in generic neural networks trained with
    non-probabilistic feedback},
  journal = {Nature Communications},
  volume = {8},
  pages = {138},
  year = {2017},
  doi = {10.1038/s41467-017-00181-8}
}""",
    licence="BSD-3-Clause",
)
def cues(*, count: tuple[int, int], rates: tuple[float, float], seed: int) -> Diet:
    """Grey images of bars, a neuron each: one cue in the upper half, the other in the lower.

    A neuron's spikes are Poisson, and most for the value of its place, in pixels from the middle.
    How many it fires then on average is drawn evenly from `rates` for each cue on each trial, which
    makes the cue reliable or not. The latents are the `value`, evenly within 6 pixels, and `bayes`,
    its mean given the spikes: the best estimate there is, not to train on. The paper's populations
    have 50 neurons each.
    """
    train, test = (
        _images(each, rates, np.random.default_rng([seed, split]))
        for split, each in enumerate(count)
    )
    return Diet(train, test)


def _images(count: int, rates: tuple[float, float], random: np.random.Generator) -> Images:
    value = uniform(-6, 6, count, random)
    strongest = random.uniform(*rates, (count, 2, 1))
    spikes = random.poisson(strongest * _tuning(value)[:, None])
    bars = (_SPIKE * spikes).clip(0, 255).astype(np.uint8)
    grey = bars.repeat(_SIDE // 2, axis=1).reshape(count, _SIDE, _NEURONS)
    pixels = grey.repeat(_SIDE // _NEURONS, axis=2)[..., None].repeat(3, axis=3)
    return Images(pixels, latents={"value": value, "bayes": posterior_mean(spikes.sum(axis=1))})


def _tuning(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """What neurons fire, as a share of their most, (value, neuron)."""
    preferred = (np.arange(_NEURONS) + 0.5) * _SIDE / _NEURONS - _SIDE / 2
    away = (np.asarray(values, np.float64)[:, None] - preferred) / _TUNING
    return np.exp(-(away**2) / 2)


def posterior_mean(spikes: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    """The mean of the value given the spikes at each place, (image, neuron).

    The neurons' summed rate is the same for all values to within .1 %, so the likelihood is the
    product of tuning curves to the power of the spikes, whatever the reliability, and the spikes of
    cues add up (Ma et al. 2006, Nat Neurosci 9:1432).
    """
    values = np.linspace(-6, 6, 601)
    surprise = -spikes @ np.log(_tuning(values)).T
    likelihood = np.exp(surprise.min(axis=1, keepdims=True) - surprise)
    return np.asarray(likelihood @ values / likelihood.sum(axis=1), np.float32)
