"""Cells that fire, and networks of them, which answer in spikes step by step."""

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.errors import InputError
from isocortex.training import Network

_BRIGHTEST: Final = 2.0
"""The largest pixel of a `Batch`: it makes an input cell fire at every step."""

_STEEPNESS: Final = 25.0
"""How fast the surrogate derivative 1/(1 + k |U − 1|)² falls off, as snnTorch has it."""


class LeakyCells(nn.Module):
    """Leaky integrate-and-fire cells: U ← decay · U + drive − last spike, a spike where U > 1.

    Backwards a spike has the derivative of a fast sigmoid, and the reset none. Cells keep U from
    one call to the next, until they `rest`. Raises InputError where snnTorch is missing.
    """

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.cells = _leaky(decay)

    def forward(self, drive: Tensor) -> Tensor:
        """The spikes of one time step, 0 or 1, shaped as what drives the cells."""
        spikes: Tensor = self.cells(drive)
        return spikes.to(drive.dtype)  # snnTorch fires in single precision

    def rest(self) -> None:
        """Forget what came before; a graph of autograd that is kept could not be copied."""
        self.cells.mem = self.cells.mem.new_zeros(0)


def _leaky(decay: float) -> Any:
    try:
        import snntorch
    except ImportError:
        raise InputError(
            "spiking networks are made of the cells of snnTorch, which is not installed; "
            "pip install 'isocortex[spiking]' brings it"
        ) from None
    surrogate = snntorch.surrogate.fast_sigmoid(slope=_STEEPNESS)
    cells = snntorch.Leaky(beta=decay, spike_grad=surrogate, init_hidden=True)
    snntorch.SpikingNeuron.instances.remove(cells)  # else the list keeps it alive for ever
    return cells


def synapses(layer: nn.Linear | nn.Conv2d) -> nn.Module:
    """The same layer, with weights as strong as for rectified units (He et al. 2015).

    With the weaker ones of torch all but the first cells would be silent at birth.
    """
    nn.init.kaiming_normal_(layer.weight)
    return layer


class OnOffCells(nn.Module):
    """Input cells without leak or synapses: one for light and one for dark of each pixel.

    A pixel is a constant current, so the cell's rate is in proportion to it and the first spike
    comes the earlier, the stronger it is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cells = LeakyCells(1.0)

    def forward(self, images: Tensor) -> Tensor:
        """Spikes of one time step, (image, 2 · channel, row, column), for light before dark."""
        currents = functional.relu(torch.cat([images, -images], dim=1)) / _BRIGHTEST
        spikes: Tensor = self.cells(currents)
        return spikes


class SpikingBlock(nn.Module):
    """Layers that are called once at each time step, and then tell what they gave on average."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self._given: list[Tensor] = []

    def forward(self, below: Tensor | None) -> Tensor:
        """What is given at a time step for what is heard; for None, the mean since the last rest.

        Scores read the last answer of a block: so they see its rates, not the spikes of one step.
        """
        if below is None:
            return torch.stack(self._given).mean(0)
        self._given.append(self.layers(below))
        return self._given[-1]

    def rest(self) -> None:
        """Forget what came before."""
        self._given = []
        for layer in self.modules():
            if isinstance(layer, LeakyCells):
                layer.rest()


class SpikingNetwork(Network):
    """Blocks that answer once at each of `steps` time steps, all of them to a still image.

    Each block hears at once what the one below it fires; the first ones are `OnOffCells`.
    """

    def __init__(self, blocks: Mapping[str, SpikingBlock], *, width: int, steps: int) -> None:
        super().__init__({"input": SpikingBlock(OnOffCells()), **blocks}, width=width)
        self.steps = steps

    def answers(self, images: Tensor, *, cut: bool = False) -> dict[str, Tensor]:
        """The mean of what each block gives over time: of cells their rates, from 0 to 1.

        With `cut` a block learns through its own past, and not through the one below.
        """
        self._rest()
        for _ in range(self.steps):
            super().answers(images, cut=cut)
        rates = {name: block(None) for name, block in self.blocks.items()}
        self._rest()
        return rates

    def _rest(self) -> None:
        for block in self.blocks.values():
            assert isinstance(block, SpikingBlock)
            block.rest()
