"""Units with leaky potentials that send their rates to each other."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn


class RateUnits(nn.Module):
    """v ← (1 − α) v + α (W_in x + b + W (s ∘ φ(v)) + others), which answer with their rates φ(v).

    The last `inhibitory` units have s = −1 and all others 1. Where there are inhibitory ones, W
    holds strengths: Dale's law is that none is negative.
    """

    effect: Tensor

    def __init__(
        self,
        inputs: int,
        units: int,
        rate: Callable[[Tensor], Tensor],
        *,
        leak: float,
        inhibitory: int = 0,
    ) -> None:
        super().__init__()
        self.inputs = nn.Linear(inputs, units)
        self.recurrent = nn.Linear(units, units, bias=False)
        self.rate, self.leak = rate, leak
        self.signs: Mapping[str, int] = {"recurrent.weight": 1} if inhibitory else {}
        self.register_buffer("effect", torch.ones(units))
        self.effect[units - inhibitory :] = -1

    def forward(
        self,
        frame: Tensor,
        potential: Tensor | None = None,
        others: Tensor | float = 0.0,
        *,
        apart: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """The rates and potentials, (image, unit) each, after a frame; all rest before the first.

        With `apart` no gradient leaves a unit but through its leak and its synapse with itself.
        """
        drive = self.inputs(frame.flatten(1)) + others
        if potential is None:
            potential = torch.zeros_like(drive)
        rates = self.rate(potential)
        drive = drive + self.recurrent(self.effect * (rates.detach() if apart else rates))
        if apart:  # adds 0; only the gradient of a unit's own rate is put back
            own = self.effect * self.recurrent.weight.diagonal()
            drive = drive + own * (rates - rates.detach())
        potential = torch.lerp(potential, drive, self.leak)
        return self.rate(potential), potential
