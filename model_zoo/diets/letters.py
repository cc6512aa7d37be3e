"""Letters: films that spell sequences, where what comes next depends on what came first."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from isocortex.registry import diet
from isocortex.training import Diet, Images

from ._drawing import Numbers, as_pixels, balanced, uniform

_SIDE: Final = 32
_SPELLED: Final = ("ABCD", "XBCY", "EFGH", "KFGL")
"""Sequences in pairs that share their middle, as ABCD and XBCY in the paper."""


@diet(
    name="letters",
    summary="films that spell the first letters of sequences such as ABCD and XBCY, 32 × 32 pixels",
    term="letter-sequences",
    offers=("labels", "sequence"),
    options={"count": (2400, 400), "hold": 2, "seed": 0},
    source="drawn by isocortex; after Cui, Ahmad & Hawkins 2016, Neural Comput 28:2474",
    bibtex="""@article{cui2016continuous,
  author = {Cui, Yuwei and Ahmad, Subutai and Hawkins, Jeff},
  title = {Continuous online sequence learning with an unsupervised neural network model},
  journal = {Neural Computation},
  volume = {28},
  number = {11},
  pages = {2474--2504},
  year = {2016},
  doi = {10.1162/NECO_a_00893}
}""",
    licence="BSD-3-Clause",
)
def letters(*, count: tuple[int, int], hold: int, seed: int) -> Diet:
    """Bright letters but the last of a sequence, which is the label: what comes next.

    Each letter stays for `hold` frames, at a place and in a contrast of its own, in noise drawn
    anew. The image, a film's last frame, leaves two of four labels: only the first letter decides.
    """
    train, test = (
        _films(each, hold, np.random.default_rng([seed, split])) for split, each in enumerate(count)
    )
    return Diet(train, test, tuple(each[-1] for each in _SPELLED))


def _films(count: int, hold: int, random: np.random.Generator) -> Images:
    labels = balanced(count, len(_SPELLED), random)
    letters = np.array([list(each[:-1]) for each in _SPELLED])[labels]
    ink = np.repeat(_written(letters.ravel(), random), hold, axis=0)
    noise = random.normal(0, 0.1, ink.shape)
    films = as_pixels(0.5 + (ink + noise) / 2).reshape(count, -1, _SIDE, _SIDE, 3)
    return Images(films[:, -1], labels, sequences=films)


def _written(letters: npt.NDArray[np.str_], random: np.random.Generator) -> Numbers:
    """Ink of letters up to two pixels off the middle, (letter, 32, 32), at most 1; 0 elsewhere."""
    contrast = uniform(0.4, 1, len(letters), random)
    shown = np.zeros((len(letters), _SIDE, _SIDE), np.float32)
    for page, letter, level in zip(shown, letters, contrast, strict=True):
        bits = np.array([[row >> place & 1 for place in range(4, -1, -1)] for row in _FONT[letter]])
        top, left = random.integers((3, 6), (8, 11))
        page[top : top + 21, left : left + 15] = level * np.kron(bits, np.ones((3, 3)))
    return shown


_FONT: Final[Mapping[str, tuple[int, ...]]] = {
    "A": (0b01110, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001),
    "B": (0b11110, 0b10001, 0b10001, 0b11110, 0b10001, 0b10001, 0b11110),
    "C": (0b01110, 0b10001, 0b10000, 0b10000, 0b10000, 0b10001, 0b01110),
    "E": (0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111),
    "F": (0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b10000),
    "G": (0b01110, 0b10001, 0b10000, 0b10111, 0b10001, 0b10001, 0b01110),
    "K": (0b10001, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010, 0b10001),
    "X": (0b10001, 0b10001, 0b01010, 0b00100, 0b01010, 0b10001, 0b10001),
}
"""Letters of five by seven pixels, row by row."""
