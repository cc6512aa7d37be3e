"""Rao & Ballard's hierarchy: each level predicts the one below, and settles where errors are small.

The energy is ½ (|image − prediction|² + ρ|level 1 − its prediction|² + α Σ g(state)), half that of
the paper, whose steps go down the half, too.
"""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.errors import InputError
from isocortex.registry import architecture
from isocortex.training import EnergyNetwork, Network, Push

_PRECISION: Final = 0.1
"""ρ: σ² of the image, 1, over σ² of top-down errors, 10."""
_SWEEPS: Final = 40
_PATCH: Final = 8
"""Pixels along the side of what a module sees."""


class Level(nn.Module):
    """Units whose weighted sum predicts the level below, in modules that see a part of it each.

    All modules share the weights (input, unit).
    """

    def __init__(
        self, modules: int, inputs: int, units: int, *, precision: float, prior: float, sparse: bool
    ) -> None:
        super().__init__()
        self.generative = nn.Linear(units, inputs, bias=False)
        nn.init.normal_(self.generative.weight, std=inputs**-0.5)
        self.modules_of_units = modules, units
        self.precision, self.prior, self.sparse = precision, prior, sparse

    def forward(
        self, below: Tensor, states: Tensor, rate: float, others: Tensor | float = 0.0
    ) -> Tensor:
        """The states, (image, unit), after one step down the energy; `others` pull at them, too."""
        up = (self.error(below, states) @ self.generative.weight).flatten(1)
        shrinking = states / (1 + states.square()) if self.sparse else states
        slope = self.prior * shrinking - self.precision * up - others
        return states - rate * slope

    def silent(self, like: Tensor) -> Tensor:
        """States of 0, (image, unit), for as many images."""
        modules, units = self.modules_of_units
        return like.new_zeros(len(like), modules * units)

    def predicted(self, states: Tensor) -> Tensor:
        """What the level says of the one below, (image, unit below)."""
        prediction: Tensor = self.generative(states.reshape(len(states), *self.modules_of_units))
        return prediction.flatten(1)

    def error(self, below: Tensor, states: Tensor) -> Tensor:
        """What is not predicted, (image, module, input)."""
        error = below - self.predicted(states)
        return error.reshape(len(error), self.modules_of_units[0], -1)

    def energy(self, below: Tensor, states: Tensor) -> Tensor:
        """½ (ρ|error|² + α Σ g(state)), (image,), with g = r² or ln(1 + r²)."""
        cost = states.square().log1p() if self.sparse else states.square()
        errors = self.error(below, states).square().sum((1, 2))
        return (self.precision * errors + self.prior * cost.sum(1)) / 2

    @torch.no_grad()
    def steepest(self) -> float:
        """The largest curvature of the level's energy by its states."""
        weight = self.generative.weight
        return self.precision * float(torch.linalg.eigvalsh(weight.T @ weight)[-1]) + self.prior


@architecture(
    variants={
        "rao-ballard": {
            "summary": "two levels that predict: 32 units for each 8 × 8 pixels, and 128 above",
            "options": {"units": (32, 128), "priors": (1.0, 0.05), "sparse": False},
        },
        "rao-ballard-sparse": {
            "summary": "rao-ballard with a prior for states that are mostly 0",
            "options": {"units": (32, 128), "priors": (1.0, 0.05), "sparse": True},
        },
    },
    term="generative-hierarchy",
    offers=("energy", "generative"),
    source="Rao & Ballard 1999, Nat Neurosci 2:79",
    bibtex="""@article{rao1999predictive,
  author = {Rao, Rajesh P. N. and Ballard, Dana H.},
  title = {Predictive coding in the visual cortex: a functional interpretation of some
    extra-classical receptive-field effects},
  journal = {Nature Neuroscience},
  volume = {2},
  number = {1},
  pages = {79--87},
  year = {1999},
  doi = {10.1038/4580}
}""",
)
def rao_ballard(
    image_size: tuple[int, int], *, units: Sequence[int], priors: Sequence[float], sparse: bool
) -> Network:
    """Level 1 sees patches of 8 × 8 pixels, level 2 all of level 1; predictions are linear.

    Patches lie side by side, where the paper's overlap; pixels beyond the last are not seen, and
    contrast is not filtered first. `priors` are α of each level. Raises InputError for images
    smaller than a patch.
    """
    rows, columns = (side // _PATCH for side in image_size)
    if not rows * columns:
        raise InputError(f"images of {image_size}; a module sees {_PATCH} × {_PATCH} pixels")
    modules = [rows * columns] + [1] * (len(units) - 1)
    inputs = [3 * _PATCH**2, *(n * unit for n, unit in zip(modules, units, strict=True))]
    precisions = [1.0] + [_PRECISION] * (len(units) - 1)
    facts = zip(modules, inputs, units, precisions, priors, strict=False)
    return _RaoBallard(
        {
            f"level{place}": Level(*each, precision=precision, prior=prior, sparse=sparse)
            for place, (*each, precision, prior) in enumerate(facts, start=1)
        },
        width=modules[-1] * units[-1],
    )


class _RaoBallard(EnergyNetwork):
    def settle(
        self,
        images: Tensor,
        states: Sequence[Tensor] | None = None,
        *,
        push: Push | None = None,
    ) -> tuple[Tensor, ...]:
        """The states after 40 sweeps, which takes them close to rest; from silence by default.

        In a sweep each level in turn goes one step down the energy, short enough that it never
        rises. Written out, it needs no autograd.
        """
        patches, levels = _patches(images), self._levels()
        now = list(states) if states is not None else [each.silent(patches) for each in levels]
        stiffness = [*(above.precision for above in levels[1:]), 0.0]
        rates = [1 / (a.steepest() + b) for a, b in zip(levels, stiffness, strict=True)]
        for _ in range(_SWEEPS):
            for place, (level, rate) in enumerate(zip(levels, rates, strict=True)):
                below = now[place - 1] if place else patches
                now[place] = level(below, now[place], rate, self._pull(now, place, push))
        return tuple(now)

    def energy(self, images: Tensor, states: Sequence[Tensor]) -> Tensor:
        """The sum of the levels' energies, (image,)."""
        below = [_patches(images), *states[:-1]]
        parts = [
            level.energy(*pair) for level, *pair in zip(self._levels(), below, states, strict=True)
        ]
        return torch.stack(parts).sum(0)

    def _levels(self) -> list[Level]:
        return [level for level in self.blocks.values() if isinstance(level, Level)]

    def _pull(self, states: list[Tensor], place: int, push: Push | None) -> Tensor | float:
        """What pulls at a level from above, or from outside."""
        if place + 1 < len(states):
            above = self._levels()[place + 1]
            return above.precision * (above.predicted(states[place + 1]) - states[place])
        return 0.0 if push is None else push(states[place])


def _patches(images: Tensor) -> Tensor:
    """The pixels of each patch after those of the one before it, (image, pixel)."""
    return functional.unfold(images, _PATCH, stride=_PATCH).transpose(1, 2).flatten(1)
