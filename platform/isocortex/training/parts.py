"""The parts of a trained network, and what each promises the others.

An architecture makes a `Network`, a diet its `Batch`es. An objective owns its head and says how
well outputs do. A learning rule makes a `Learner` of both and obeys one law: after `step`, every
parameter that it teaches has its `.grad`. So optimiser, schedule, constraints, logging and the
credit audit are the same for all rules; a Hebbian rule writes −Δw.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Batch:
    """Some images of a diet: `images` (image, 3, height, width), float32, of mean 0 and spread 1.

    `labels` (image,) are categories; `latents` other numbers for each image, (image,) each;
    `sequence` (image, time, 3, height, width) are short films whose last frame is the image. What a
    diet does not have is None or missing. `progress` is the share of training done before it, for
    objectives that change with age.
    """

    images: Tensor
    labels: Tensor | None = None
    latents: Mapping[str, Tensor] = field(default_factory=dict)
    sequence: Tensor | None = None
    progress: float = 0.0

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: str) -> "Batch":
        """The same batch on a torch device."""
        return replace(
            self,
            images=self.images.to(device),
            labels=None if self.labels is None else self.labels.to(device),
            latents={name: values.to(device) for name, values in self.latents.items()},
            sequence=None if self.sequence is None else self.sequence.to(device),
        )


class Network(nn.Module):
    """Ordered blocks, from images (image, 3, height, width) to an embedding (image, `width`).

    Each block takes what the one before it gives: rules may cut, replace or read between them. A
    network whose blocks also talk back overrides `answers` or `forward`. `image_size`, height and
    width, is known where the parts of a recipe are put together.
    """

    image_size: tuple[int, int] | None = None

    def __init__(self, blocks: Mapping[str, nn.Module], *, width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleDict(blocks)
        self.width = width

    @property
    def layers(self) -> tuple[str, ...]:
        """Where it is read out as a candidate, names of the module tree: by default its blocks."""
        return tuple(f"blocks.{name}" for name in self.blocks)

    def forward(self, images: Tensor) -> Tensor:
        """The embedding, (image, width)."""
        return next(reversed(self.answers(images).values()))

    def answers(self, images: Tensor, *, cut: bool = False) -> dict[str, Tensor]:
        """What each block gives in the end, by name; with `cut` no gradient leaves a block.

        Rules that train blocks apart ask for this; architectures that offer "separable" have it.
        """
        answers: dict[str, Tensor] = {}
        for name, block in self.blocks.items():
            images = block(images.detach() if cut else images)
            answers[name] = images
        return answers


Push = Callable[[Tensor], Tensor]
"""What is added to the drive of the embedding's units, of the embedding."""


class EnergyNetwork(Network, ABC):
    """A network whose states, one for each block, settle where an energy is least.

    The embedding is the last state. Architectures that offer "energy" are of this kind.
    """

    def forward(self, images: Tensor) -> Tensor:
        """The embedding after settling freely, (image, width)."""
        return self.settle(images)[-1]

    @abstractmethod
    def settle(
        self,
        images: Tensor,
        states: Sequence[Tensor] | None = None,
        *,
        push: Push | None = None,
    ) -> tuple[Tensor, ...]:
        """The states, each (image, unit), at rest; on from `states` where they are given."""

    @abstractmethod
    def energy(self, images: Tensor, states: Sequence[Tensor]) -> Tensor:
        """The energy without any push, (image,): its gradient by the weights is local."""


Memory = tuple[Tensor, ...]
"""What a network keeps from frame to frame, (image, …) each; empty before the first."""


class FilmNetwork(Network, ABC):
    """A network that goes on from frame to frame, and takes films (film, time, 3, height, width).

    An image is a film that stands still for `still` frames. Blocks are called at each frame; the
    embedding is the answer to the last. Architectures that offer "film" are of this kind.
    """

    still: int = 8

    def forward(self, images: Tensor) -> Tensor:
        """The embedding of images or films, (image, width)."""
        return self.states(images)[-1]

    def states(self, images: Tensor, *, apart: bool = False) -> Tensor:
        """The answers to all frames, (time, image, width)."""
        memory: Memory = ()
        answers = []
        for frame in self.film(images).unbind(1):
            answer, memory = self.advance(frame, memory, apart=apart)
            answers.append(answer)
        return torch.stack(answers)

    def film(self, images: Tensor) -> Tensor:
        """Images as films that stand still, and films as they are."""
        if images.dim() == 5:
            return images
        return images[:, None].expand(-1, self.still, -1, -1, -1)

    @abstractmethod
    def advance(
        self, frame: Tensor, memory: Memory, *, apart: bool = False
    ) -> tuple[Tensor, Memory]:
        """The answer to a frame (image, 3, height, width), and the memory after it.

        With `apart` no gradient leaves a unit but through its own memory: what is left are its
        eligibility traces. Architectures that offer "eligibility" have it.
        """


class Objective(ABC):
    """What a network is trained for."""

    def head(self, width: int) -> nn.Module:
        """What turns an embedding (image, `width`) into the outputs that `loss` judges."""
        return nn.Identity()

    def inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """What the network sees of a batch, such as two views of each image: (input, 3, h, w)."""
        return batch.images

    @abstractmethod
    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """How bad the outputs for the inputs of a batch are, a scalar."""

    def targets(self, batch: Batch) -> Tensor:
        """The outputs that would be perfect, (image, output), for rules that send targets down.

        Only objectives whose card offers "targets" have them.
        """
        raise NotImplementedError

    def reward(self, choices: Tensor, batch: Batch) -> Tensor:
        """What choosing these outputs, (image,), earns, (image,): all that a rule is told.

        Only objectives whose card offers "reward" have it.
        """
        raise NotImplementedError

    def attend(self, network: Network, head: nn.Module) -> None:  # noqa: B027 - not abstract
        """See the network and the head as they begin; by default nothing.

        An objective that keeps tensors, such as a slow copy of the network, is an `nn.Module` as
        well: so they are part of the learner, kept in its checkpoints, and not taught.
        """

    def after_update(self, network: Network, head: nn.Module) -> None:  # noqa: B027
        """What the objective does once the weights have changed; by default nothing."""

    def at_depth(self, depth: float) -> "Objective":
        """What a block is trained for that has a loss of its own; by default the same for all.

        `depth` is 0 for the first block and 1 for the last.
        """
        return self


class Learner(nn.Module, ABC):
    """A network that learns an objective by a rule; what the rule needs besides is a part of it."""

    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__()
        self.network = network
        self.objective = objective
        self.head = objective.head(network.width)
        objective.attend(network, self.head)

    @abstractmethod
    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Put a `.grad` on all `taught()` parameters, and return the loss before the update."""

    def taught(self) -> dict[str, nn.Parameter]:
        """The parameters that the rule changes, by name: those of the network and the head."""
        return {
            name: parameter
            for name, parameter in self.named_parameters()
            if name.startswith(("network.", "head.")) and parameter.requires_grad
        }

    def after_update(self) -> None:
        """What the rule does once the optimiser has changed the weights; by default nothing."""

    def settling(self, batch: Batch, generator: torch.Generator) -> dict[str, float]:
        """How far the rule's relaxation comes, such as free energies; by default there is none."""
        return {}

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The objective's loss of the network as it is."""
        outputs = self.head(self.network(self.objective.inputs(batch, generator)))
        return self.objective.loss(outputs, batch)
