"""Credit by broadcast: one signal goes from the end of a network to each of its blocks."""

from abc import abstractmethod
from collections.abc import Callable
from contextlib import ExitStack

import torch
from torch import Tensor, nn

from isocortex.errors import IncompatibleError
from isocortex.training import Batch, Learner, Network, Objective


class Broadcasting(Learner):
    """A learner whose blocks are cut from each other; a random projection tells each what to do.

    Within a block credit is backpropagation's, and the head gets its gradient. Projections are
    drawn from a seed when a block's output is first seen, and are not stored.
    """

    seed: Tensor

    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__(network, objective)
        self.register_buffer("seed", torch.randint(2**31, ()))
        self._projections: dict[tuple[int, int, int, int], Tensor] = {}

    @abstractmethod
    def signal(self, error: Tensor, batch: Batch) -> Tensor:
        """What is broadcast, (input, …), given the error of the outputs, shaped as they are."""

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """One backward pass through the head, and one through each block by itself."""
        inputs = self.objective.inputs(batch, generator)
        given = _Cut(self.network)
        with given:
            embedding = self.network(inputs).detach().requires_grad_()
        outputs = self.head(embedding)
        outputs.retain_grad()
        loss = self.objective.loss(outputs, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        if outputs.grad is None:
            raise IncompatibleError(
                "the loss does not depend on the outputs, so they have no error"
            )
        signal = self.signal(outputs.grad, batch).flatten(1)
        taught = [(place, each) for place, each in given.outputs if each.requires_grad]
        torch.autograd.backward(
            [each for _, each in taught],
            [self._projected(signal, place, each) for place, each in taught],
        )
        return loss.detach()

    def _projected(self, signal: Tensor, place: int, answer: Tensor) -> Tensor:
        """The credit of a block's answer: the signal times a fixed random matrix."""
        if len(signal) != len(answer):
            raise IncompatibleError(
                f"block {place + 1} gives {len(answer)} answers, but {len(signal)} signals are "
                "broadcast; choose a rule that does not broadcast, such as feedback"
            )
        features = answer[0].numel()
        key = (int(self.seed), place, signal.shape[1], features)
        if key not in self._projections:
            drawn = torch.Generator().manual_seed(key[0] + place)
            matrix = torch.randn(signal.shape[1], features, generator=drawn) * features**-0.5
            self._projections[key] = matrix
        matrix = self._projections[key] = self._projections[key].to(signal)
        return (signal @ matrix).reshape(answer.shape)


class _Cut(ExitStack):
    """Within it, the blocks of a network do not pass credit on; `outputs` are what they gave."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.outputs: list[tuple[int, Tensor]] = []
        for place, block in enumerate(network.blocks.values()):
            self.callback(block.register_forward_hook(self._keeper(place)).remove)

    def _keeper(self, place: int) -> Callable[..., Tensor]:
        def keep(block: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            self.outputs.append((place, output))
            return output.detach()

        return keep
