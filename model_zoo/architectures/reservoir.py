"""Reservoir: fixed random units in rich dynamics, of which only a readout is taught."""

from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from isocortex.registry import architecture
from isocortex.training import FilmNetwork, Memory, Network

from ._rates import RateUnits

_CONNECTED = 0.1
"""Share of the pairs of units that are connected, as in the paper."""


@architecture(
    name="reservoir",
    summary="300 fixed random rate units, which hear their readout once there is one",
    term="reservoir",
    offers=("recurrent", "film", "reservoir"),
    options={"units": 300, "gain": 1.5, "leak": 0.2},
    source="Sussillo & Abbott 2009, Neuron 63:544, figure 1A",
    bibtex="""@article{sussillo2009generating,
  author = {Sussillo, David and Abbott, L. F.},
  title = {Generating coherent patterns of activity from chaotic neural networks},
  journal = {Neuron},
  volume = {63},
  number = {4},
  pages = {544--557},
  year = {2009},
  doi = {10.1016/j.neuron.2009.07.018}
}""",
)
def reservoir(image_size: tuple[int, int], *, units: int, gain: float, leak: float) -> Network:
    """Units v ← (1 − `leak`) v + `leak` (W_in x + W tanh v + W_fb z), with W of variance g²/(pN).

    z is what the readout says, and nothing before a rule has closed the loop. From rest an image
    does not bring out chaos at the `gain` g above 1, but transients that outlast it. The paper has
    1,000 units. Inputs are as large as what units send each other.
    """
    population = RateUnits(3 * prod(image_size), units, torch.tanh, leak=leak)
    with torch.no_grad():
        weight = population.recurrent.weight
        connected = torch.rand_like(weight) < _CONNECTED
        weight.normal_(std=gain / (_CONNECTED * units) ** 0.5).mul_(connected)
        population.inputs.weight.normal_(std=(3 * prod(image_size)) ** -0.5)
        population.inputs.bias.zero_()
    return _Reservoir(population.requires_grad_(False))


class _Reservoir(FilmNetwork):
    feedback: Tensor
    still = 12

    def __init__(self, units: RateUnits) -> None:
        super().__init__({"units": units}, width=units.recurrent.out_features)
        self.register_buffer("feedback", torch.zeros(self.width, 0))

    def close_loop(self, readout: nn.Linear) -> None:
        """From now on the units hear a readout of theirs, through weights drawn from −1 … 1."""
        self.blocks["readout"] = readout
        self.feedback = 2 * torch.rand(self.width, readout.out_features) - 1

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *others: Any) -> None:
        """Close the loop first where it was closed in the network whose weights are read."""
        feedback = state_dict.get(f"{prefix}feedback", self.feedback)
        if feedback.shape[1] and "readout" not in self.blocks:
            self.blocks["readout"] = nn.Linear(*feedback.shape)
            self.feedback = torch.empty_like(feedback)
        super()._load_from_state_dict(state_dict, prefix, *others)

    def advance(
        self, frame: Tensor, memory: Memory, *, apart: bool = False
    ) -> tuple[Tensor, Memory]:
        """The rates; the memory is the potentials and, once there is one, what the readout said."""
        heard = memory[1] @ self.feedback.T if memory[1:] else 0.0
        rates, potential = self.blocks["units"](frame, memory[0] if memory else None, heard)
        if "readout" not in self.blocks:
            return rates, (potential,)
        return rates, (potential, self.blocks["readout"](rates))
