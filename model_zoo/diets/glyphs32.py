"""Glyphs: letters of a made-up alphabet, many kinds and few of each."""

from typing import Final

import numpy as np
import numpy.typing as npt

from isocortex.registry import diet
from isocortex.training import Diet, Images

from ._drawing import Numbers, as_pixels, balanced, uniform

_SIDE: Final = 32
_POINTS: Final = 20
"""Points along a stroke; the ink between two of them runs together."""
_INK: Final = 1.1
"""Half the width of a stroke in pixels."""
_AT_ONCE: Final = 256


@diet(
    variants={
        "glyphs32": {
            "summary": "64 letters of a made-up alphabet, each written anew 60 times, "
            "32 × 32 pixels",
            "options": {"kinds": 64, "new": 0, "count": (3200, 640), "seed": 0},
        },
        "glyphs32-new": {
            "summary": "glyphs32 with 48 letters to train on and 16 other ones to test on",
            "options": {"kinds": 64, "new": 16, "count": (2400, 640), "seed": 0},
        },
    },
    term="glyphs",
    offers=("labels",),
    source="drawn by isocortex; after Lake, Salakhutdinov & Tenenbaum 2015, Science 350:1332",
    bibtex="""@article{lake2015human,
  author = {Lake, Brenden M. and Salakhutdinov, Ruslan and Tenenbaum, Joshua B.},
  title = {Human-level concept learning through probabilistic program induction},
  journal = {Science},
  volume = {350},
  number = {6266},
  pages = {1332--1338},
  year = {2015},
  doi = {10.1126/science.aab3050}
}""",
    licence="BSD-3-Clause",
)
def glyphs32(*, kinds: int, new: int, count: tuple[int, int], seed: int) -> Diet:
    """White on black, with the letter as label; each is three strokes, written a little off.

    Every copy is also shifted, turned and scaled a little. With `new` letters the last so many are
    in the test images alone, and no others are: a readout of letters trained on finds none of them.
    """
    letters = np.random.default_rng(seed).uniform(-10, 10, (kinds, 3, 3, 2))
    known = np.arange(kinds - new)
    tested = np.arange(kinds - new, kinds) if new else known
    train, test = (
        _written(letters, shown, each, np.random.default_rng([seed, split]))
        for split, (shown, each) in enumerate(zip((known, tested), count, strict=True))
    )
    return Diet(train, test, tuple(f"letter {number}" for number in range(kinds)))


def _written(
    letters: npt.NDArray[np.float64],
    shown: npt.NDArray[np.intp],
    count: int,
    random: np.random.Generator,
) -> Images:
    """Copies of the `shown` of all letters (letter, stroke, control point, axis)."""
    labels = shown[balanced(count, len(shown), random)]
    wobbled = letters[labels] + random.normal(0, 0.8, (count, *letters.shape[1:]))
    turn, scale = uniform(-0.2, 0.2, count, random), uniform(0.85, 1.15, count, random)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    placed = np.einsum("ijn,nskj->nski", rotation * scale, wobbled)
    placed += random.uniform(-2, 2, (count, 1, 1, 2))
    parts = [_inked(placed[at : at + _AT_ONCE]) for at in range(0, count, _AT_ONCE)]
    return Images(as_pixels(np.concatenate(parts)), labels)


def _inked(strokes: npt.NDArray[np.float64]) -> Numbers:
    """Quadratic Bézier curves (image, stroke, 3, axis) as ink in 0 … 1, (image, 32, 32)."""
    t = np.linspace(0, 1, _POINTS)
    weights = np.stack([(1 - t) ** 2, 2 * t * (1 - t), t**2], axis=1)
    points = np.einsum("pk,nska->nspa", weights, strokes).reshape(len(strokes), -1, 2)
    along = (np.arange(_SIDE) + 0.5 - _SIDE / 2).astype(np.float32)
    nearest = np.full((len(strokes), _SIDE, _SIDE), np.inf, np.float32)
    for x, y in points.astype(np.float32).transpose(1, 2, 0):
        away = (along[None, None, :] - x[:, None, None]) ** 2
        away = away + (along[None, :, None] - y[:, None, None]) ** 2
        np.minimum(nearest, away, out=nearest)
    return (_INK + 0.5 - np.sqrt(nearest)).clip(0, 1)
