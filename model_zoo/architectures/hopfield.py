"""Hopfield: a layered network with symmetric synapses, which answers where its energy is least."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn

from isocortex.registry import architecture
from isocortex.training import EnergyNetwork, Network, Push

_MOST_SWEEPS: Final = 200
_AT_REST: Final = 8
"""States are at rest when no unit moves further than this many roundings of 1 in a sweep."""


@architecture(
    variants={
        "hopfield2": {
            "summary": "two layers of units, 256 and 128",
            "options": {"units": (256, 128)},
        },
        "hopfield2-narrow": {
            "summary": "two layers of units, 128 and 64",
            "options": {"units": (128, 64)},
        },
        "hopfield3": {
            "summary": "three layers of units, 256, 256 and 128",
            "options": {"units": (256, 256, 128)},
        },
    },
    term="hopfield",
    offers=("energy",),
    source="Hopfield 1984, PNAS 81:3088, eq. 7; in layers: Scellier & Bengio 2017, "
    "Front Comput Neurosci 11:24",
    bibtex="""@article{hopfield1984neurons,
  author = {Hopfield, John J.},
  title = {Neurons with graded response have collective computational properties like those of
    two-state neurons},
  journal = {Proceedings of the National Academy of Sciences},
  volume = {81},
  number = {10},
  pages = {3088--3092},
  year = {1984},
  doi = {10.1073/pnas.81.10.3088}
}""",
)
def hopfield(image_size: tuple[int, int], *, units: tuple[int, ...]) -> Network:
    """Layers of logistic units, each joined with the one below and the one above both ways."""
    height, width = image_size
    sizes = (3 * height * width, *units)
    return _Hopfield(
        {f"layer{n}": _Layer(*pair) for n, pair in enumerate(pairwise(sizes), start=1)},
        width=units[-1],
    )


class _Layer(nn.Module):
    """Units and their synapses with the layer below, which carry both ways."""

    def __init__(self, below: int, units: int) -> None:
        super().__init__()
        self.synapses = nn.Linear(below, units)

    def forward(self, below: Tensor, others: Tensor | float = 0.0) -> Tensor:
        """The states (image, unit) that have the least energy, given all that units hear."""
        drive: Tensor = self.synapses(below) + others
        return drive.sigmoid()

    def down(self, states: Tensor) -> Tensor:
        """What the layer below hears of these states: (image, unit below)."""
        return states @ self.synapses.weight

    def energy(self, below: Tensor, states: Tensor) -> Tensor:
        """−s·(W s_below + b) − H(s), (image,), where H is the entropy of independent spins."""
        drive: Tensor = self.synapses(below)
        entropy: Tensor = (torch.special.entr(states) + torch.special.entr(1 - states)).sum(1)
        return -(states * drive).sum(1) - entropy


class _Hopfield(EnergyNetwork):
    def settle(
        self,
        images: Tensor,
        states: Sequence[Tensor] | None = None,
        *,
        push: Push | None = None,
    ) -> tuple[Tensor, ...]:
        """The states at rest, or after 200 sweeps; from a feedforward sweep where none are given.

        A sweep is asynchronous: every other layer at once, then those between, which takes each to
        the least energy given its neighbours. So the energy never rises, where synchronous updates
        may swing for ever. Written out, it needs no autograd.
        """
        pixels = images.flatten(1)
        at_rest = _AT_REST * torch.finfo(pixels.dtype).eps
        now = list(states) if states is not None else self._feedforward(pixels)
        for _ in range(_MOST_SWEEPS):
            before = list(now)
            for first in (0, 1):
                for place in range(first, len(now), 2):
                    now[place] = self._updated(pixels, now, place, push)
            moved = [float((a - b).detach().abs().max()) for a, b in zip(now, before, strict=True)]
            if max(moved) <= at_rest:
                break
        return tuple(now)

    def energy(self, images: Tensor, states: Sequence[Tensor]) -> Tensor:
        """The sum of the layers' energies, (image,); Hopfield's eq. 7 with unit gain."""
        below = [images.flatten(1), *states[:-1]]
        parts = [
            layer.energy(*pair) for layer, *pair in zip(self._layers(), below, states, strict=True)
        ]
        return torch.stack(parts).sum(0)

    def _layers(self) -> list[_Layer]:
        return [layer for layer in self.blocks.values() if isinstance(layer, _Layer)]

    def _feedforward(self, pixels: Tensor) -> list[Tensor]:
        states = [pixels]
        for layer in self._layers():
            states.append(layer(states[-1]))
        return states[1:]

    def _updated(
        self, pixels: Tensor, states: list[Tensor], place: int, push: Push | None
    ) -> Tensor:
        layers = self._layers()
        others: Tensor | float = 0.0
        if place + 1 < len(states):
            others = layers[place + 1].down(states[place + 1])
        elif push is not None:
            others = push(states[place])
        updated: Tensor = layers[place](states[place - 1] if place else pixels, others)
        return updated
