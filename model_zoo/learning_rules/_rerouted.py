"""What rules with feedback weights share: a backward pass of its own."""

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from isocortex.training import Batch, Learner, Network, Objective

from ._credit import Rerouting, Watcher


class Kept(nn.Module):
    """Tensors by the name of the parameter they belong to, kept with a learner's checkpoints."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._places = {name: name.replace(".", "/") for name in tensors}
        for name, place in self._places.items():
            self.register_buffer(place, tensors[name])

    def tensors(self) -> dict[str, Tensor]:
        """The tensors themselves, which may be changed in place."""
        return {name: getattr(self, place) for name, place in self._places.items()}


class Rerouted(Learner):
    """A learner whose gradient is backpropagation's, but comes down through other weights."""

    @abstractmethod
    def feedback(self, generator: torch.Generator) -> dict[str, Tensor]:
        """The feedback weights of a step, by the name of the weight they are shaped as."""

    def watcher(self, generator: torch.Generator) -> Watcher | None:
        """What is told of each product of a weight and a signal; by default nothing."""
        return None

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """One backward pass through the feedback weights."""
        weights = self.weights()
        back = {id(weights[name]): each for name, each in self.feedback(generator).items()}
        with Rerouting(back, self.watcher(generator)):
            loss = self.loss(batch, generator)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def weights(self) -> dict[str, nn.Parameter]:
        """The parameters that signals are multiplied with, taught or not: all but vectors."""
        return {
            name: parameter
            for name, parameter in self.named_parameters()
            if name.startswith(("network.", "head.")) and parameter.dim() > 1
        }


def spread_at_birth(weight: Tensor) -> Tensor:
    """The root mean square of a weight, or 1/√inputs where it begins at 0: a scalar."""
    spread = weight.detach().square().mean().sqrt()
    return spread if spread > 0 else torch.full_like(spread, weight[0].numel() ** -0.5)


def drawn_like(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Normal random weights of the same shapes and spreads."""
    return {
        name: torch.randn_like(weight.detach()) * spread_at_birth(weight)
        for name, weight in weights.items()
    }


class Remembering(Rerouted):
    """A rerouted learner whose feedback weights are its own: `kept`, drawn like the weights."""

    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__(network, objective)
        self.kept = Kept(drawn_like(self.weights()))

    def feedback(self, generator: torch.Generator) -> dict[str, Tensor]:
        """What is kept."""
        return self.kept.tensors()
