"""Two states of rest of a network with an energy, and what weights learn from their difference."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from isocortex.errors import IncompatibleError
from isocortex.training import EnergyNetwork, Learner, Network

from ._chain import backward

Cost = Callable[[Tensor], Tensor]
"""What is added to the energy, a scalar, of the embedding."""


def with_energy(network: Network) -> EnergyNetwork:
    """The network itself. Raises IncompatibleError where it has no energy."""
    if not isinstance(network, EnergyNetwork):
        raise IncompatibleError(
            "the rule needs a network that settles where an energy is least, such as hopfield2; "
            f"{type(network).__name__} does not"
        )
    return network


def gradient_by(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """The gradient of a scalar function, also where autograd is off."""
    with torch.enable_grad():
        at = at.detach().requires_grad_()
        (found,) = torch.autograd.grad(function(at), at)
    return found


def residual(
    network: EnergyNetwork, images: Tensor, states: Sequence[Tensor], cost: Cost | None = None
) -> float:
    """How far states are from rest: the root mean square of the energy's slope by a unit's state.

    It is 0 at a fixed point; of energies nudged by a cost, that is added.
    """
    states = [each.detach().requires_grad_() for each in states]
    with torch.enable_grad():
        energy = network.energy(images, states).sum()
        slopes = torch.autograd.grad(energy if cost is None else energy + cost(states[-1]), states)
    return float(torch.cat([slope.flatten() for slope in slopes]).square().mean().sqrt())


def teach_contrast(
    learner: Learner,
    images: Tensor,
    phases: tuple[Sequence[Tensor], Sequence[Tensor]],
    *,
    weight: float,
) -> None:
    """Add to the network's `.grad` what takes the first phase's energy below the second's.

    `weight` multiplies the mean difference over images.
    """
    network = with_energy(learner.network)
    wanted, unwanted = (network.energy(images, states) for states in phases)
    difference = (wanted - unwanted).mean() * weight
    backward(difference, list(network.parameters()), torch.ones_like(difference))
