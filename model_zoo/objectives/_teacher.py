"""Teachers: slow copies of a network that show it what to answer."""

import copy
from itertools import chain

import torch
from torch import Tensor, nn

from isocortex.training import Network


class Teacher(nn.Module):
    """A copy of a network and of its projector, which follows them and is not taught itself."""

    def __init__(self, network: Network, projector: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        self.projector = copy.deepcopy(projector)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """The copy's projections, (image, output), without a graph."""
        projections: Tensor = self.projector(self.network(images))
        return projections

    @torch.no_grad()
    def follow(self, network: Network, projector: nn.Module, *, momentum: float) -> None:
        """Move each weight to `momentum` · its own + (1 − `momentum`) · the network's.

        Running means of batch normalisation are the copy's own, of what it has seen itself.
        """
        followed = chain(network.parameters(), projector.parameters())
        for own, weight in zip(self.parameters(), followed, strict=True):
            own.lerp_(weight, 1 - momentum)
