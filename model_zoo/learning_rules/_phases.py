"""Two states of rest of a network with an energy, and what weights learn from their difference."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from isocortex.errors import IncompatibleError
from isocortex.training import EnergyNetwork, Learner, Network

from ._chain import backward


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
