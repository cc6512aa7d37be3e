"""Forward-forward: blocks answer strongly to images with their true label, weakly to others."""

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.errors import InputError
from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._blocks import BlockLearner

_THRESHOLD: Final = 1.0
"""Of the mean squared response; the paper's is as many as there are units, of their sum."""
_STEEPNESS: Final = 16.0
"""Of the logistic of the mean squared response; 1 for their sum, as in the paper, is one for each
unit. Of 1, 4 and 16, this left most in the embedding (digits, 300 steps)."""
_STRENGTH: Final = 1.0
"""Of a label's wave, in units of the images' spread."""
_TURN: Final = 2.399963229728653
"""The golden angle in radians: no two of a thousand waves have one direction."""


@learning_rule(
    name="forward-forward",
    summary="each block tells images with their true label from images with a wrong one",
    term="forward-forward",
    mechanism="cut",
    needs=("chain", "no-loss", "labels"),
    source="Hinton 2022, arXiv:2212.13345; labels: Scodellaro et al. 2023, arXiv:2312.14924",
    bibtex="""@misc{hinton2022forward,
  author = {Hinton, Geoffrey},
  title = {The forward-forward algorithm: some preliminary investigations},
  year = {2022},
  eprint = {2212.13345},
  archivePrefix = {arXiv}
}""",
)
def forward_forward(network: Network, objective: Objective) -> Learner:
    """A learner whose blocks have a mean squared response above 1 for true labels, below for wrong.

    Hinton writes the label into the first pixels, which only some units of a convolution see; here
    each label is a plane wave that is added to the image. Each block but the first has its input
    scaled to a mean square of 1, also when responses are recorded; they are of images without wave.
    A first convolution sees too little of wave and image to tell whether they belong together.
    """
    return _ForwardForward(network, objective)


class _ForwardForward(BlockLearner):
    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__(network, objective)
        for block in list(network.blocks.values())[1:]:
            block.register_forward_pre_hook(_scale_input)

    def losses(
        self, batch: Batch, generator: torch.Generator, *, cut: bool
    ) -> Mapping[str, Tensor]:
        assert batch.labels is not None  # the card needs them
        wrong = wrong_labels(batch.labels, generator)
        # one batch, so that batch normalisation can't take the difference away
        both = torch.cat([labelled(batch.images, each) for each in (batch.labels, wrong)])
        answers = self.network.answers(both, cut=cut)
        return {name: _separation(goodness(answer)) for name, answer in answers.items()}


def goodness(answer: Tensor) -> Tensor:
    """The mean squared response of a block to each image, (image,)."""
    return answer.flatten(1).square().mean(dim=1)


def wrong_labels(labels: Tensor, generator: torch.Generator) -> Tensor:
    """For each image the label of others in the batch. Raises InputError if all have the same."""
    known = torch.unique(labels)
    if len(known) < 2:
        raise InputError("all images of a batch have one label, so there is no wrong one to tell")
    steps = torch.randint(1, len(known), labels.shape, generator=generator).to(labels.device)
    others: Tensor = known[(torch.searchsorted(known, labels) + steps) % len(known)]
    return others


def labelled(images: Tensor, labels: Tensor) -> Tensor:
    """Images (image, 3, height, width) with the waves of labels (image,) added.

    The wave of label k has the direction of k golden angles and 1, 2 or 3 cycles across the image.
    """
    height, width = images.shape[2:]
    y = torch.linspace(-0.5, 0.5, height).to(images)[:, None]
    x = torch.linspace(-0.5, 0.5, width).to(images)
    angle, cycles = labels.to(images.dtype) * _TURN, 1 + labels % 3
    turned = angle.cos()[:, None, None] * x + angle.sin()[:, None, None] * y
    wave = (2 * torch.pi * (cycles[:, None, None] * turned) + angle[:, None, None]).sin()
    return images + _STRENGTH * wave[:, None]


def _separation(good: Tensor) -> Tensor:
    """How badly goodness tells the first half of a batch, the true ones, from the second."""
    true, wrong = good.chunk(2)
    above = functional.softplus(_STEEPNESS * (_THRESHOLD - true)).mean()
    return above + functional.softplus(_STEEPNESS * (wrong - _THRESHOLD)).mean()


def _scale_input(block: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The input with a mean square of 1, so that goodness can't be passed on."""
    received: Tensor = inputs[0]
    size = received.flatten(1).square().mean(dim=1).sqrt()
    return (received / (size + 1e-6).view(-1, *[1] * (received.dim() - 1)), *inputs[1:])
