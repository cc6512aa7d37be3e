"""Faces: two eyes, a nose and a mouth in their places, among the same parts in disorder."""

from itertools import permutations
from typing import Final

import numpy as np
import numpy.typing as npt

from isocortex.registry import diet
from isocortex.training import Diet, Images

from ._drawing import Numbers, as_pixels, balanced, uniform
from ._leaves import leaves

Places = npt.NDArray[np.float64]

_SIDE: Final = 32
_PARTS: Final = np.array([[0.17, 0.17], [0.17, 0.17], [0.1, 0.22], [0.42, 0.11]])
"""Half the extent across and down of the eyes, the nose and the mouth, in sizes of the face."""
_PLACES: Final = np.array([[-0.4, -0.4], [0.4, -0.4], [0.0, 0.1], [0.0, 0.6]])
"""Where their centres are in a face, from its middle."""
_OUTLINE: Final = (0.95, 1.2)
_ORDERS: Final = np.array([each for each in permutations(range(4)) if each[0] < each[1]])
"""Where the parts can go, eyes being alike: first as in a face, then in eleven other ways."""


@diet(
    name="faces32",
    summary="schematic faces and the same parts in disorder, on dead leaves, 32 × 32 pixels",
    term="faces",
    offers=("labels", "latents"),
    options={"count": (8000, 1000), "clutter": 0.25, "seed": 0},
    source="drawn by isocortex; after Johnson et al. 1991, Cognition 40:1, and Marblestone, Wayne "
    "& Kording 2016, Fig. 1B",
    bibtex="""@article{johnson1991newborns,
  author = {Johnson, Mark H. and Dziurawiec, Suzanne and Ellis, Hadyn and Morton, John},
  title = {Newborns' preferential tracking of face-like stimuli and its subsequent decline},
  journal = {Cognition},
  volume = {40},
  pages = {1--19},
  year = {1991}
}""",
    licence="BSD-3-Clause",
)
def faces32(*, count: tuple[int, int], clutter: float, seed: int) -> Diet:
    """Grey images, half of them faces, and five latents.

    `x`, `y` and `size` (half the height, almost) are in pixels, `angle` in radians; `contrast` is
    how much darker than the ground the parts are, as a share of the full range. `clutter` is the
    contrast of the leaves.
    """
    train, test = (
        _images(each, clutter, np.random.default_rng([seed, split]))
        for split, each in enumerate(count)
    )
    return Diet(train, test, ("no face", "face"))


def _images(count: int, clutter: float, random: np.random.Generator) -> Images:
    labels = balanced(count, 2, random)
    latents = {
        "x": uniform(-5, 5, count, random),
        "y": uniform(-4, 4, count, random),
        "size": uniform(8, 11, count, random),
        "angle": uniform(-0.2, 0.2, count, random),
        "contrast": uniform(0.4, 0.8, count, random),
    }
    disorder = random.integers(1, len(_ORDERS), count)
    orders = _ORDERS[np.where(labels == 1, 0, disorder)]
    places = _PLACES[orders] + random.normal(0, 0.04, (count, 4, 2))
    covered = _drawn(places, *(latents[name] for name in ("x", "y", "size", "angle")))
    behind = leaves(count, _SIDE, random, canvases=max(2, count // 400)).mean(axis=-1) - 0.5
    ground = 0.6 + clutter * behind
    shown = ground - covered * latents["contrast"][:, None, None] * ground
    return Images(as_pixels(shown), labels, latents)


def _drawn(places: Places, x: Numbers, y: Numbers, size: Numbers, angle: Numbers) -> Numbers:
    """How much of each pixel the parts cover, (image, 32, 32); `places` (image, part, axis)."""
    along = np.arange(_SIDE) + 0.5 - _SIDE / 2
    right = (along[None, None, :] - x[:, None, None]) / size[:, None, None]
    down = (along[None, :, None] - y[:, None, None]) / size[:, None, None]
    cosine, sine = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    u, v = cosine * right + sine * down, cosine * down - sine * right
    rim = np.hypot(u / _OUTLINE[0], v / _OUTLINE[1])
    covered = 0.5 * _edge(0.06 - np.abs(rim - 1), size)
    for part, (half_wide, half_high) in enumerate(_PARTS):
        across = (u - places[:, part, 0, None, None]) / half_wide
        up = (v - places[:, part, 1, None, None]) / half_high
        inside = (1 - np.hypot(across, up)) * min(half_wide, half_high)
        covered = np.maximum(covered, _edge(inside, size))
    return covered.astype(np.float32)


def _edge(inside: npt.NDArray[np.floating], size: Numbers) -> npt.NDArray[np.floating]:
    """Coverage from how far inside an edge a pixel is, in sizes: edges are a pixel wide."""
    return (0.5 + inside * size[:, None, None]).clip(0, 1)
