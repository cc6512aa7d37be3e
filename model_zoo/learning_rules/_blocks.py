"""Blocks that learn by themselves: credit is cut between them, `h = block(h.detach())`."""

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from isocortex.errors import InputError
from isocortex.training import Batch, Learner, Network


def pooled(answer: Tensor, side: int = 1) -> Tensor:
    """A block's answer as one vector for each image, (image, channel · places).

    Maps (image, channel, height, width) are averaged into at most `side` × `side` places, and
    tokens (image, token, channel) into one.
    """
    if answer.dim() == 3:
        return answer.mean(dim=1)
    if answer.dim() == 2:
        return answer
    height, width = answer.shape[2:]
    places = min(side, height), min(side, width)
    return torch.nn.functional.adaptive_avg_pool2d(answer, places).flatten(1)


def block_widths(network: Network, side: int = 1) -> dict[str, int]:
    """How long the `pooled` answer of each block is. Raises InputError for an unknown size."""
    return {name: pooled(each, side).shape[1] for name, each in answers_to_nothing(network).items()}


@torch.no_grad()
def answers_to_nothing(network: Network) -> dict[str, Tensor]:
    """What each block gives for one blank image. Raises InputError for an unknown size."""
    if network.image_size is None:
        raise InputError(
            "the network does not say which images it is for; set network.image_size to their "
            "height and width"
        )
    weight = next(network.parameters())
    blank = torch.zeros(1, 3, *network.image_size, dtype=weight.dtype, device=weight.device)
    training = network.training
    answers = network.eval().answers(blank, cut=True)
    network.train(training)
    return answers


def labels_of(batch: Batch, inputs: Tensor) -> Tensor:
    """The label of each input. Raises InputError if an objective shows several for each image."""
    assert batch.labels is not None  # the card needs them
    if len(inputs) != len(batch.labels):
        raise InputError(
            f"{len(inputs)} inputs for {len(batch.labels)} labels: the rule needs an objective "
            "that shows each image once, such as categorise"
        )
    return batch.labels


def neighbours(batch: Batch, generator: torch.Generator) -> Tensor:
    """Two frames of each film, one after the other: (2 · image, 3, h, w), all earlier ones first.

    All films are seen at the same time, drawn at random. Raises InputError for a single frame.
    """
    assert batch.sequence is not None  # the card needs it
    frames = batch.sequence.shape[1]
    if frames < 2:
        raise InputError(f"films of {frames} frame; the rule predicts a frame from the one before")
    time = int(torch.randint(frames - 1, (), generator=generator))
    return torch.cat([batch.sequence[:, time], batch.sequence[:, time + 1]])


class BlockLearner(Learner):
    """A network whose blocks have losses of their own, for rules that need no objective."""

    @abstractmethod
    def losses(
        self, batch: Batch, generator: torch.Generator, *, cut: bool
    ) -> Mapping[str, Tensor]:
        """The loss of each block by name; with `cut` it reaches no other block."""

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Leave the gradient of each block's own loss; the sum of the losses."""
        total = torch.stack(list(self.losses(batch, generator, cut=True).values())).sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total.detach()

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The same sum with credit that passes through blocks: what the audit compares with."""
        return torch.stack(list(self.losses(batch, generator, cut=False).values())).sum()
