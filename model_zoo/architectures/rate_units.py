"""Recurrent networks of rate units: one population that sees a film, frame by frame."""

from math import prod

import torch
from torch import Tensor

from isocortex.registry import architecture
from isocortex.training import FilmNetwork, Memory, Network

from ._rates import RateUnits

_INHIBITORY = 0.2
_RADIUS = 1.5
"""Share of inhibitory units and spectral radius of the weights, as in the paper."""


class _RateNetwork(FilmNetwork):
    def __init__(self, units: RateUnits) -> None:
        super().__init__({"units": units}, width=units.recurrent.out_features)

    def advance(
        self, frame: Tensor, memory: Memory, *, apart: bool = False
    ) -> tuple[Tensor, Memory]:
        rates, potential = self.blocks["units"](frame, *memory, apart=apart)
        return rates, (potential,)


@architecture(
    name="leaky-rnn",
    summary="128 leaky rate units that see an image or a film",
    term="rate-units",
    offers=("recurrent", "film", "eligibility"),
    options={"units": 128, "leak": 0.5},
    source="Sompolinsky, Crisanti & Sommers 1988, Phys Rev Lett 61:259",
    bibtex="""@article{sompolinsky1988chaos,
  author = {Sompolinsky, Haim and Crisanti, Andrea and Sommers, Hans-J{\\"u}rgen},
  title = {Chaos in random neural networks},
  journal = {Physical Review Letters},
  volume = {61},
  number = {3},
  pages = {259--262},
  year = {1988},
  doi = {10.1103/PhysRevLett.61.259}
}""",
)
def leaky_rnn(image_size: tuple[int, int], *, units: int, leak: float) -> Network:
    """Units v ← (1 − `leak`) v + `leak` (W_in x + b + W tanh v), all trained, in steps of a frame.

    Pixels reach all units. The paper's units get no input and have fixed weights; here they are
    drawn as `torch.nn.Linear` draws them.
    """
    return _RateNetwork(RateUnits(3 * prod(image_size), units, torch.tanh, leak=leak))


@architecture(
    name="ei-rnn",
    summary="80 excitatory and 20 inhibitory leaky units that see an image or a film",
    term="excitatory-inhibitory-recurrent",
    offers=("recurrent", "film", "eligibility", "signed"),
    options={"units": 100, "leak": 0.5},
    source="Song, Yang & Wang 2016, PLoS Comput Biol 12:e1004792",
    bibtex="""@article{song2016training,
  author = {Song, H. Francis and Yang, Guangyu R. and Wang, Xiao-Jing},
  title = {Training Excitatory-Inhibitory Recurrent Neural Networks for Cognitive Tasks: A Simple
    and Flexible Framework},
  journal = {PLoS Computational Biology},
  volume = {12},
  number = {2},
  pages = {e1004792},
  year = {2016},
  doi = {10.1371/journal.pcbi.1004792}
}""",
)
def ei_rnn(image_size: tuple[int, int], *, units: int, leak: float) -> Network:
    """Rectified units, a fifth of them inhibitory, whose weights W⁺ D obey Dale's law from birth.

    Train it with `+dale`. Strengths are drawn from a Gamma distribution of shape 2; inhibition is
    stronger by the share of excitatory units, so that both balance, and the spectral radius of W⁺ D
    is 1.5. The paper rectifies W⁺ instead of clipping it, has noise and inputs that excite; here
    pixels have signs, so inputs may have either.
    """
    inhibitory = round(_INHIBITORY * units)
    population = RateUnits(
        3 * prod(image_size), units, torch.relu, leak=leak, inhibitory=inhibitory
    )
    with torch.no_grad():
        weight = population.recurrent.weight
        weight.copy_(torch.empty(2, *weight.shape).exponential_().sum(0))  # Gamma of shape 2
        weight[:, units - inhibitory :] *= (units - inhibitory) / inhibitory
        radius = torch.linalg.eigvals(weight * population.effect).abs().max()
        weight.mul_(_RADIUS / radius)
    return _RateNetwork(population)
