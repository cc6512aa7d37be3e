"""Drawn pictures: one shape of a random place, size, angle and colour on a cluttered ground."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from isocortex.stimuli import Image

Field = npt.NDArray[np.float64]
"""A number for each pixel: x or y in the shape's own frame, where its radius is 1."""

SHAPES: Final[Mapping[str, Callable[[Field, Field], npt.NDArray[np.bool_]]]] = {
    "disk": lambda x, y: x**2 + y**2 < 1,
    "ring": lambda x, y: abs(x**2 + y**2 - 0.75) < 0.25,
    "square": lambda x, y: np.maximum(abs(x), abs(y)) < 0.85,
    "frame": lambda x, y: abs(np.maximum(abs(x), abs(y)) - 0.75) < 0.15,
    "triangle": lambda x, y: (y > -0.6) & (abs(x) < (1 - y) / 1.6),
    "cross": lambda x, y: (np.minimum(abs(x), abs(y)) < 0.25) & (np.maximum(abs(x), abs(y)) < 1),
    "grating": lambda x, y: (np.sin(9 * x) > 0) & (np.maximum(abs(x), abs(y)) < 1),
    "checks": lambda x, y: (np.sin(7 * x) * np.sin(7 * y) > 0) & (np.maximum(abs(x), abs(y)) < 1),
}


def drawn_picture(shape: str, rng: np.random.Generator, *, size: int = 96) -> Image:
    """A picture of one of `SHAPES`, uint8 (size, size, 3)."""
    picture = np.full((size, size, 3), rng.integers(90, 160), dtype=np.uint8)
    for _ in range(30):  # clutter: faint disks that hide one another, like dead leaves
        _paint(picture, "disk", rng, radius=rng.uniform(0.05, 0.2), colour=rng.integers(80, 170, 3))
    _paint(picture, shape, rng, radius=rng.uniform(0.22, 0.4), colour=_strong_colour(rng))
    return picture


def _paint(
    picture: Image,
    shape: str,
    rng: np.random.Generator,
    *,
    radius: float,
    colour: npt.NDArray[np.int64],
) -> None:
    """Paint one shape; `radius` is in widths of the picture, and it lies where it fits."""
    row, column = np.mgrid[: len(picture), : len(picture)] / len(picture)
    centre_x, centre_y = rng.uniform(radius, 1 - radius, 2)
    angle = rng.uniform(0, 2 * np.pi)
    turned = (column - centre_x + 1j * (row - centre_y)) * np.exp(1j * angle) / radius
    picture[SHAPES[shape](turned.real, turned.imag)] = colour


def _strong_colour(rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """A colour far from the grey of the ground, dark or bright."""
    return rng.integers(0, 50, 3) if rng.random() < 0.5 else rng.integers(200, 256, 3)
