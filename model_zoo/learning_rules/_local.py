"""How rules that know only one layer meet an architecture.

- They teach the weights of every `nn.Linear` and plain `nn.Conv2d` in the network's blocks, the
  convolutions through the patches they see. Biases, normalisation and other modules stay as they
  are made, but for running means.
- All layers learn at once, each from what it receives in the same forward pass, so what is below
  settles first; nothing comes down from above. Architectures offer "chain", objectives "no-loss".
- What counts as a unit's answer is its weighted sum, before normalisation and nonlinearity: rules
  apply their own.
- A layer that is used more than once learns from all its inputs. Of the places in a batch a
  few thousand are drawn, so that large maps cost no more than small ones.
- The shared optimiser scales each weight's changes (Adam), so time courses are not the papers';
  where a rule comes to rest is, as its mean change is 0 there.
"""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from isocortex.errors import IncompatibleError
from isocortex.training import Batch, Learner, Network, Objective

from ._patches import Layer, patches, require_plain


class LocalLearner(Learner):
    """A network whose layers each learn from their own inputs. Rules say `change`.

    With `films` a layer sees the frames of a batch's sequences, otherwise its images. It learns
    from at most so many patches, or films of a patch, in one step.
    """

    films: ClassVar[bool] = False
    most: ClassVar[int] = 4096

    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__(network, objective)
        for name, layer in self.layers().items():
            require_plain(name, layer)
        if not self.layers():
            raise IncompatibleError(
                "the network has no nn.Linear and no nn.Conv2d, so a local rule has nothing to "
                "teach; choose another architecture"
            )

    @abstractmethod
    def change(
        self, layer: str, weights: Tensor, samples: Tensor, generator: torch.Generator
    ) -> Tensor:
        """How the `weights` (output, input) of a layer change, of the same shape.

        `samples` are what it receives, (sample, input), or (sample, time, input) of films.
        """

    def layers(self) -> dict[str, Layer]:
        """The layers that are taught, by name, in the order they were made."""
        modules = self.network.named_modules()
        return {name: each for name, each in modules if isinstance(each, (nn.Linear, nn.Conv2d))}

    def taught(self) -> dict[str, nn.Parameter]:
        """The weights of the layers."""
        names = {f"network.{name}.weight" for name in self.layers()}
        return {name: each for name, each in self.named_parameters() if name in names}

    @torch.no_grad()
    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Leave −Δw in the layers; 0, as there is no loss."""
        with _listening(self.layers()) as received:
            self.network(self._shown(batch, generator))
        for name, layer in self.layers().items():
            samples = self._samples(torch.cat(received[name], dim=1), batch, generator)
            change = self.change(name, layer.weight.flatten(1), samples, generator)
            layer.weight.grad = -change.view_as(layer.weight)
        return torch.zeros(())

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """0, whatever the weights are: the credit audit finds no gradient to compare with."""
        return sum((each.sum() * 0 for each in self.taught().values()), torch.zeros(()))

    def keep(self, what: str, layer: str, start: Tensor) -> None:
        """Remember something of a layer in checkpoints, from `start` on."""
        self.register_buffer(_buffer(what, layer), start)

    def kept(self, what: str, layer: str) -> Tensor:
        """What is remembered of a layer; it is changed in place."""
        return self.get_buffer(_buffer(what, layer))

    def _shown(self, batch: Batch, generator: torch.Generator) -> Tensor:
        if not self.films:
            return self.objective.inputs(batch, generator)
        assert batch.sequence is not None  # the card needs it
        return batch.sequence.flatten(0, 1)

    def _samples(self, places: Tensor, batch: Batch, generator: torch.Generator) -> Tensor:
        if self.films:
            places = places.reshape(len(batch), -1, *places.shape[1:]).transpose(1, 2)
        samples = places.flatten(0, 1)
        chosen = torch.randperm(len(samples), generator=generator)[: self.most]
        return samples[chosen.to(samples.device)]


def _buffer(what: str, layer: str) -> str:
    return f"{what}_{layer.replace('.', '_')}"


@contextmanager
def _listening(layers: dict[str, Layer]) -> Iterator[dict[str, list[Tensor]]]:
    """The patches (image, place, input) that layers receive while this is open."""
    received: dict[str, list[Tensor]] = {name: [] for name in layers}

    def listener(name: str) -> Any:
        def listen(layer: Layer, inputs: tuple[Tensor, ...]) -> None:
            received[name].append(patches(layer, inputs[0]))

        return listen

    hooks = [each.register_forward_pre_hook(listener(name)) for name, each in layers.items()]
    try:
        yield received
    finally:
        for hook in hooks:
            hook.remove()
