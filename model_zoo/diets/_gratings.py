"""Sinusoidal gratings."""

import numpy as np

from ._drawing import Numbers


def gratings(orientation: Numbers, frequency: Numbers, phase: Numbers, *, pixels: int) -> Numbers:
    """Gratings (image, pixels, pixels) between −1 and 1.

    `orientation` is that of the bars in radians, 0 for horizontal ones, clockwise on a screen;
    `frequency` is in cycles per image, `phase` in radians at its centre.
    """
    along = (np.arange(pixels, dtype=np.float32) + 0.5) / pixels - 0.5
    turn = orientation[:, None, None]
    across = np.cos(turn) * along[None, :, None] - np.sin(turn) * along[None, None, :]
    waves = np.sin(2 * np.pi * frequency[:, None, None] * across + phase[:, None, None])
    return np.asarray(waves, np.float32)
