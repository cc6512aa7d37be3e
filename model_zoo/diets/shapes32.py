"""Shapes on clutter: drawn in seconds, and too hard for pixels, so that training can show."""

from typing import Final

import numpy as np

from isocortex.registry import diet
from isocortex.training import Diet, Images

from ._drawing import as_pixels, balanced, uniform
from ._leaves import leaves
from ._shapes import SHAPES, coverage

_SIDE: Final = 32


@diet(
    name="shapes32",
    summary="eight shapes of any place, size, angle and contrast on dead leaves, 32 × 32 pixels",
    term="shapes",
    offers=("labels", "latents"),
    options={"count": (8000, 1000), "clutter": 0.3, "seed": 0},
    source="drawn by isocortex; after Hong et al. 2016, Nat Neurosci 19:613",
    bibtex="""@article{hong2016explicit,
  author = {Hong, Ha and Yamins, Daniel L. K. and Majaj, Najib J. and DiCarlo, James J.},
  title = {Explicit information for category-orthogonal object properties increases along the
    ventral stream},
  journal = {Nature Neuroscience},
  volume = {19},
  number = {4},
  pages = {613--622},
  year = {2016},
  doi = {10.1038/nn.4247}
}""",
    licence="BSD-3-Clause",
)
def shapes32(*, count: tuple[int, int], clutter: float, seed: int) -> Diet:
    """Images with the shape as label and five latents.

    `x`, `y` and `size` are in pixels, `angle` in radians within an eighth of a turn, beyond which a
    square would look the same; `contrast` is that of the shape as a share of the full range, dark
    ones below 0. `clutter` is the contrast of the leaves.
    """
    train, test = (
        _images(each, clutter, np.random.default_rng([seed, split]))
        for split, each in enumerate(count)
    )
    return Diet(train, test, tuple(SHAPES))


def _images(count: int, clutter: float, random: np.random.Generator) -> Images:
    labels = balanced(count, len(SHAPES), random)
    sign = random.choice(np.array([-1, 1], np.float32), count)
    latents = {
        "x": uniform(-8, 8, count, random),
        "y": uniform(-8, 8, count, random),
        "size": uniform(5, 9, count, random),
        "angle": uniform(-np.pi / 4, np.pi / 4, count, random),
        "contrast": sign * uniform(0.3, 1, count, random),
    }
    covered = np.empty((count, _SIDE, _SIDE), np.float32)
    for number, shape in enumerate(SHAPES):
        x, y, size, angle = (latents[n][labels == number] for n in ("x", "y", "size", "angle"))
        covered[labels == number] = coverage(shape, x, y, size=size, angle=angle, pixels=_SIDE)
    behind = leaves(count, _SIDE, random, canvases=max(2, count // 400)).mean(axis=-1) - 0.5
    shape_level = latents["contrast"][:, None, None] / 2
    shown = 0.5 + covered * shape_level + (1 - covered) * clutter * behind
    return Images(as_pixels(shown), labels, latents)
