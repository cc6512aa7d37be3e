"""Eight shapes, drawn anywhere, in any size and at any angle."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Inside = Callable[[Numbers, Numbers], Mask]

_OVER: Final = 3
"""Each pixel is the mean of so many points along both axes."""
_AT_ONCE: Final = 256


def _triangle(u: Numbers, v: Numbers) -> Mask:
    return np.asarray(np.maximum(v, np.abs(u) * np.sqrt(0.75) - v / 2) < 0.6)


def _cross(u: Numbers, v: Numbers) -> Mask:
    short, long = np.minimum(np.abs(u), np.abs(v)), np.maximum(np.abs(u), np.abs(v))
    return (short < 0.35) & (long < 1)


def _star(u: Numbers, v: Numbers) -> Mask:
    return np.asarray(np.hypot(u, v) < 0.75 + 0.3 * np.cos(5 * np.arctan2(u, v)))


SHAPES: Final[Mapping[str, Inside]] = {
    "disc": lambda u, v: np.hypot(u, v) < 0.85,
    "ring": lambda u, v: np.abs(np.hypot(u, v) - 0.75) < 0.25,
    "square": lambda u, v: np.maximum(np.abs(u), np.abs(v)) < 0.75,
    "triangle": _triangle,
    "cross": _cross,
    "bar": lambda u, v: (np.abs(u) < 1) & (np.abs(v) < 0.4),
    "star": _star,
    "crescent": lambda u, v: (np.hypot(u, v) < 1) & (np.hypot(u - 0.5, v) > 0.75),
}
"""Which points are inside, in coordinates that go from −1 to 1 or so over the shape."""


def coverage(
    shape: str, x: Numbers, y: Numbers, *, size: Numbers, angle: Numbers, pixels: int
) -> Numbers:
    """How much of each pixel a shape covers, (image, pixels, pixels) in 0 … 1.

    `x` and `y` (image,) are the centre from that of the image and `size` half the extent, all in
    pixels; `angle` is in radians, clockwise on a screen.
    """
    parts = []
    for start in range(0, len(x), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        u, v = _own_coordinates(x[some], y[some], size=size[some], angle=angle[some], pixels=pixels)
        inside = SHAPES[shape](u, v).reshape(-1, pixels, _OVER, pixels, _OVER)
        parts.append(inside.mean(axis=(2, 4), dtype=np.float32))
    return np.concatenate(parts)


def _own_coordinates(
    x: Numbers, y: Numbers, *, size: Numbers, angle: Numbers, pixels: int
) -> tuple[Numbers, Numbers]:
    """Where the points of an image lie in a shape's own coordinates, each (image, point, point)."""
    points = np.asarray((np.arange(pixels * _OVER) + 0.5) / _OVER - pixels / 2, np.float32)
    right = points[None, None, :] - x[:, None, None]
    down = points[None, :, None] - y[:, None, None]
    cosine, sine = (turn(angle)[:, None, None] for turn in (np.cos, np.sin))
    scale = size[:, None, None]
    return (cosine * right + sine * down) / scale, (cosine * down - sine * right) / scale
