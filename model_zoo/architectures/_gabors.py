"""Gabor kernels as in primary visual cortex, and what of an image they see."""

from typing import Final

import torch
from torch import Tensor

LUMINANCE: Final = (0.2126, 0.7152, 0.0722)  # Rec. 709
_ACROSS: Final = 0.42
"""Standard deviation across the bars over the wavelength: a bandwidth of 1.4 octaves, the median of
De Valois et al. 1982, Vision Res 22:545."""
_ASPECT: Final = 0.75
"""Standard deviation across over that along the bars: cells see rather few, longer bars."""


def gabor_pairs(wavelength: float, angles: Tensor) -> Tensor:
    """Even and odd Gabor kernels of that many pixels' wavelength, (phase, angle, row, column).

    At angle 0 bars are vertical. Even grey excites none; a grating of amplitude 1 excites its own
    by 1.
    """
    across = _ACROSS * wavelength
    reach = int(2.5 * across / _ASPECT) + 1
    axis = torch.arange(-reach, reach + 1.0)
    row, column = torch.meshgrid(axis, axis, indexing="ij")
    cosine, sine = angles.cos().reshape(-1, 1, 1), angles.sin().reshape(-1, 1, 1)
    u, v = column * cosine + row * sine, row * cosine - column * sine
    window = torch.exp(-(u.square() + (_ASPECT * v).square()) / (2 * across**2))
    bars = 2 * torch.pi * u / wavelength
    mean = (window * bars.cos()).sum((1, 2), keepdim=True) / window.sum((1, 2), keepdim=True)
    pairs = torch.stack((window * (bars.cos() - mean), window * bars.sin()))
    own = torch.stack((bars.cos(), bars.sin()))
    return pairs / (pairs * own).sum((2, 3), keepdim=True)
