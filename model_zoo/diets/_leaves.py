"""Dead leaves: discs that hide each other, with the edges and the spectrum of photographs."""

from typing import Final

import numpy as np
import numpy.typing as npt

Canvas = npt.NDArray[np.float32]

_OVER: Final = 3
"""Leaves are drawn on a grid this much finer, and averaged: edges fall between pixels, too."""
_SIDE: Final = 192
"""Pixels along a canvas, from which many images are cut."""
_RADII: Final = (1.0, 42.0)
"""Smallest and largest leaf in pixels; between them radii fall off with their third power."""
_LEAVES: Final = 6000
"""So many leave no part of a canvas uncovered: their areas sum to about five canvases."""
_TINT: Final = 0.15
"""How much the three channels of a leaf differ, where their common brightness is 0 … 1."""


def leaves(count: int, side: int, random: np.random.Generator, *, canvases: int) -> Canvas:
    """Images of dead leaves, (image, side, side, 3) in 0 … 1, cut at random places.

    Each is also turned by a random number of quarter turns.
    """
    drawn = [_canvas(random) for _ in range(canvases)]
    cut = np.empty((count, side, side, 3), np.float32)
    sources = random.integers(canvases, size=count)
    corners = random.integers(_SIDE - side + 1, size=(count, 2))
    turns = random.integers(4, size=count)
    for place, (source, (row, column), turn) in enumerate(
        zip(sources, corners, turns, strict=True)
    ):
        window = drawn[source][row : row + side, column : column + side]
        cut[place] = np.rot90(window, turn)
    return cut


def _canvas(random: np.random.Generator) -> Canvas:
    """One canvas, (192, 192, 3): leaf upon leaf, with p(r) ∝ 1/r³ (Lee, Mumford & Huang 2001)."""
    fine = _SIDE * _OVER
    smallest, largest = (_OVER * radius for radius in _RADII)
    # the inverse of the distribution: 1/r² is uniform
    spread = random.uniform(largest**-2.0, smallest**-2.0, _LEAVES)
    radii = spread**-0.5
    centres = random.uniform(0, fine, (_LEAVES, 2))
    tints = random.uniform(0, 1, (_LEAVES, 1)) + random.uniform(-_TINT, _TINT, (_LEAVES, 3))
    canvas = np.full((fine, fine, 3), 0.5, np.float32)
    along = np.arange(fine) + 0.5
    for (y, x), radius, tint in zip(centres, radii, tints.clip(0, 1), strict=True):
        rows = slice(max(0, int(y - radius)), int(y + radius) + 1)
        columns = slice(max(0, int(x - radius)), int(x + radius) + 1)
        away = (along[rows, None] - y) ** 2 + (along[None, columns] - x) ** 2
        canvas[rows, columns][away < radius**2] = tint
    return np.asarray(canvas.reshape(_SIDE, _OVER, _SIDE, _OVER, 3).mean(axis=(1, 3)))
