"""Short films in which a shape moves or a grating drifts, and what it is stays."""

from typing import Final

import numpy as np

from isocortex.training import Diet, Images

from ._drawing import Numbers, as_pixels, balanced, uniform
from ._gratings import gratings
from ._shapes import SHAPES, coverage

_SIDE: Final = 32
_KINDS: Final = (*SHAPES, "grating")


def sweeps(count: tuple[int, int], frames: int, seed: int) -> Diet:
    """Grey films with what is shown as label; see `sweeps32`."""
    train, test = (
        _films(each, frames, np.random.default_rng([seed, split]))
        for split, each in enumerate(count)
    )
    return Diet(train, test, _KINDS)


def _films(count: int, frames: int, random: np.random.Generator) -> Images:
    labels = balanced(count, len(_KINDS), random)
    speed, heading = uniform(1, 2.5, count, random), uniform(-np.pi, np.pi, count, random)
    contrast = uniform(0.4, 1, count, random)
    shown = np.empty((count, frames, _SIDE, _SIDE), np.float32)
    for number, kind in enumerate(_KINDS):
        chosen = labels == number
        motion = speed[chosen], heading[chosen]
        shown[chosen] = (
            _drifting(*motion, frames, random)
            if kind == "grating"
            else _moving(kind, *motion, frames, random)
        )
    films = as_pixels(0.5 + contrast[:, None, None, None] / 2 * shown)
    velocity = {"velocity_x": speed * np.cos(heading), "velocity_y": speed * np.sin(heading)}
    return Images(films[:, -1], labels, {"contrast": contrast, **velocity}, films)


def _moving(
    shape: str, speed: Numbers, heading: Numbers, frames: int, random: np.random.Generator
) -> Numbers:
    """Films (film, frame, 32, 32) of a shape, 0 outside and −1 or 1 inside.

    Its path crosses the middle of the image at half the time, give or take 4 pixels.
    """
    count = len(speed)
    centre = random.uniform(-4, 4, (2, count, 1))
    path = speed[:, None] * (np.arange(frames) - (frames - 1) / 2)
    x = (centre[0] + np.cos(heading)[:, None] * path).astype(np.float32)
    y = (centre[1] + np.sin(heading)[:, None] * path).astype(np.float32)
    size = np.repeat(uniform(5, 9, count, random), frames)
    angle = np.repeat(uniform(-np.pi / 4, np.pi / 4, count, random), frames)
    sign = random.choice(np.array([-1, 1], np.float32), (count, 1, 1, 1))
    covered = coverage(shape, x.ravel(), y.ravel(), size=size, angle=angle, pixels=_SIDE)
    return sign * covered.reshape(count, frames, _SIDE, _SIDE)


def _drifting(
    speed: Numbers, heading: Numbers, frames: int, random: np.random.Generator
) -> Numbers:
    """Films (film, frame, 32, 32) of a grating between −1 and 1 that moves across its bars."""
    count = len(speed)
    frequency = uniform(2, 6, count, random)
    cycles = np.outer(frequency * speed / _SIDE, np.arange(frames))
    phase = (uniform(-np.pi, np.pi, count, random)[:, None] - 2 * np.pi * cycles).astype(np.float32)
    # bars whose normal points along the heading: 0 is to the right, where bars of 0 are horizontal
    orientation = np.repeat(heading - np.pi / 2, frames).astype(np.float32)
    waves = gratings(orientation, np.repeat(frequency, frames), phase.ravel(), pixels=_SIDE)
    return waves.reshape(count, frames, _SIDE, _SIDE)
