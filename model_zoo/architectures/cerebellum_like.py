"""Cerebellum-like: principal cells hear a sense, and copies of commands by which to predict it."""

from math import prod
from typing import Final

import torch
from torch import Tensor, nn

from isocortex.registry import architecture
from isocortex.training import FilmNetwork, Memory, Network

_NARROWEST: Final = 0.5
_WIDEST: Final = 2.0
"""Spreads of granule cells' time courses, in frames."""

_GAIN: Final = 2.0
"""How active granule cells are: weights stay below 1, as optimisers expect."""


@architecture(
    name="cerebellum-like",
    summary="one principal cell for each pixel, and 24 granule cells that tell the time",
    term="cerebellum-like",
    offers=("film", "corollary-discharge"),
    options={"granules": 24, "frames": 8},
    source="Bell et al. 1997, Nature 387:278; granule cells: Kennedy et al. 2014, "
    "Nat Neurosci 17:416",
    bibtex="""@article{kennedy2014temporal,
  author = {Kennedy, Ann and Wayne, Greg and Kaifosh, Patrick and Alvi{\\~n}a, Karina and Abbott, L.
    F. and Sawtell, Nathaniel B.},
  title = {A temporal basis for predicting the sensory consequences of motor commands in an electric
    fish},
  journal = {Nature Neuroscience},
  volume = {17},
  pages = {416--422},
  year = {2014},
  doi = {10.1038/nn.3650}
}""",
)
def cerebellum_like(image_size: tuple[int, int], *, granules: int, frames: int) -> Network:
    """Principal cells x + W g of an image's luminances x and of the granule cells g, from W = 0.

    The command is given when a film begins. Each granule cell is active about a time of its own in
    the first `frames`, for half a frame to two; the paper has the courses that were recorded. Cells
    are linear and answer with what differs from their rate at rest.
    """
    parallel = nn.Linear(granules, prod(image_size), bias=False)
    nn.init.zeros_(parallel.weight)
    blocks = {
        "afferents": _Luminance(),
        "granules": _Granules(granules, frames),
        "parallel": parallel,
        "principal": nn.Identity(),
    }
    network = _CerebellumLike(blocks, width=prod(image_size))
    network.still = frames
    return network


class _Luminance(nn.Module):
    def forward(self, frame: Tensor) -> Tensor:
        """The mean over colours at each pixel, (image, pixel)."""
        return frame.mean(dim=1).flatten(1)


class _Granules(nn.Module):
    """Cells with Gaussian time courses that together cover the time after a command."""

    times: Tensor
    spreads: Tensor

    def __init__(self, count: int, frames: int) -> None:
        super().__init__()
        times = torch.linspace(0, frames - 1, count)
        drawn = _NARROWEST + (_WIDEST - _NARROWEST) * torch.rand(count)
        self.register_buffer("times", times)
        self.register_buffer("spreads", drawn)

    def forward(self, time: Tensor) -> Tensor:
        """The activity (image, cell) at times (image, 1) in frames since the command."""
        return _GAIN * torch.exp(-(((time - self.times) / self.spreads) ** 2) / 2)


class _CerebellumLike(FilmNetwork):
    def advance(
        self, frame: Tensor, memory: Memory, *, apart: bool = False
    ) -> tuple[Tensor, Memory]:
        """The principal cells; the memory is the time since the command."""
        time = memory[0] if memory else frame.new_zeros(len(frame), 1)
        predicted = self.blocks["parallel"](self.blocks["granules"](time))
        answer: Tensor = self.blocks["principal"](self.blocks["afferents"](frame) + predicted)
        return answer, (time + 1,)
