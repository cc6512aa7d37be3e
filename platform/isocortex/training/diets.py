"""What a network is fed: images, and the batches that training draws from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from ..errors import InputError
from .parts import Batch

Pixels = npt.NDArray[np.uint8]

MIDDLE: Final = 127.5
SPREAD: Final = 63.75
"""Pixels become (x − 127.5)/63.75: a mean of .5 and a spread of .25 of the full range."""


@dataclass(frozen=True, eq=False)
class Images:
    """Images (image, height, width, 3) with what is known of them.

    `pixels` may be mapped from a file (`decoded`): then only those of a batch come to memory.
    `labels` (image,) are categories 0 … k − 1, `latents` numbers (image,), `sequences` (image,
    time, height, width, 3) films that end in the image.
    """

    pixels: Pixels = field(repr=False)
    labels: npt.NDArray[np.intp] | None = field(default=None, repr=False)
    latents: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict, repr=False)
    sequences: Pixels | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 4 or self.pixels.shape[3] != 3:
            raise InputError(
                f"images are {self.pixels.dtype} {self.pixels.shape}; expected uint8 (image, "
                "height, width, 3)"
            )
        known = {"labels": self.labels, "sequences": self.sequences, **self.latents}
        for name, values in known.items():
            if values is not None and len(values) != len(self.pixels):
                raise InputError(f"{len(values)} {name} for {len(self.pixels)} images")

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, positions: npt.NDArray[np.intp]) -> Batch:
        """Some of the images, as a network takes them."""
        return Batch(
            _tensor(self.pixels[positions]),
            None if self.labels is None else torch.from_numpy(self.labels[positions]),
            {name: torch.from_numpy(each[positions]) for name, each in self.latents.items()},
            None if self.sequences is None else _tensor(self.sequences[positions]),
        )


def _tensor(pixels: Pixels) -> torch.Tensor:
    scaled = (torch.from_numpy(pixels).to(torch.float32) - MIDDLE) / SPREAD
    return scaled.movedim(-1, -3).contiguous()


@dataclass(frozen=True, eq=False)
class Diet:
    """Images to train on, and others to test on. `categories` are the names of the labels.

    `periods` are positions of images to train on: training sees those of one period after the
    other, for equal shares of its steps. Without any it sees all images all the time.
    """

    train: Images
    test: Images
    categories: tuple[str, ...] = ()
    periods: tuple[npt.NDArray[np.intp], ...] = field(default=(), repr=False)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.train.pixels.shape[1:3]
        return height, width

    def batch_at(self, step: int, size: int, *, seed: int, steps: int = 0) -> Batch:
        """The batch of a step: full ones, in a new order on each round through the images.

        It depends on nothing else, so that a run can go on from any step; of `steps` in all, it
        knows its progress. Raises InputError for too few images.
        """
        progress = step / steps if steps else 0.0
        shown = self._shown(progress)
        batches = len(shown) // size
        if not batches:
            raise InputError(f"a batch of {size} from {len(shown)} images; make it smaller")
        rounds, place = divmod(step, batches)
        order = np.random.default_rng([seed, rounds]).permutation(shown)
        batch = self.train.batch(order[place * size : (place + 1) * size])
        return replace(batch, progress=progress)

    def _shown(self, progress: float) -> npt.NDArray[np.intp]:
        """The positions of the images that training sees at that share of it."""
        if not self.periods:
            return np.arange(len(self.train))
        last = len(self.periods) - 1
        return self.periods[min(int(progress * len(self.periods)), last)]
