"""Greedy: each block learns the objective by a head of its own, and hears nothing from above."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._blocks import block_widths, labels_of, pooled

_PLACES: Final = 2
"""Heads see maps averaged into 2 × 2 places; the paper keeps about 2,048 numbers."""


@learning_rule(
    variants={
        "greedy": {
            "summary": "each block learns the objective by its own head",
            "needs": ("separable", "loss"),
            "offers": ("block-losses",),
            "options": {"similarity": 0.0},
        },
        "greedy-similarity": {
            "summary": "greedy, and blocks make images as similar as their categories are",
            "needs": ("separable", "loss", "labels"),
            "offers": ("block-losses",),
            "options": {"similarity": 0.99},
        },
    },
    term="greedy",
    mechanism="cut",
    source="Nøkland & Eidnes 2019, ICML, arXiv:1901.06656",
    bibtex="""@inproceedings{nokland2019training,
  author = {N{\\o}kland, Arild and Eidnes, Lars Hiller},
  title = {Training neural networks with local error signals},
  booktitle = {International Conference on Machine Learning},
  pages = {4839--4850},
  year = {2019},
  url = {https://arxiv.org/abs/1901.06656}
}""",
)
def greedy(network: Network, objective: Objective, *, similarity: float) -> Learner:
    """A learner whose blocks each lower (1 − `similarity`) · objective + `similarity` · matching.

    The matching loss is the mean squared difference between the correlations of images' responses
    and of their one-hot labels; the paper sends maps through one more convolution first. The last
    block has the network's own head and only the objective, as the paper's output layer. An
    objective that differs with depth has one pass for each that it is made of.
    """
    return _Greedy(network, objective, similarity)


class _Greedy(Learner):
    def __init__(self, network: Network, objective: Objective, similarity: float) -> None:
        super().__init__(network, objective)
        self.similarity = similarity
        widths = block_widths(network, _PLACES)
        depths = {name: place / max(1, len(widths) - 1) for place, name in enumerate(widths)}
        self.goals = {name: objective.at_depth(depth) for name, depth in depths.items()}
        *hidden, self.last = widths
        heads = {name: self.goals[name].head(widths[name]) for name in hidden}
        self.heads = nn.ModuleDict(heads)

    def taught(self) -> dict[str, nn.Parameter]:
        own = {f"heads.{name}": each for name, each in self.heads.named_parameters()}
        return super().taught() | {name: p for name, p in own.items() if p.requires_grad}

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        losses: dict[str, Tensor] = {}
        for goal in dict.fromkeys(self.goals.values()):  # each shows the network its own inputs
            answers = self.network.answers(goal.inputs(batch, generator), cut=True)
            own = {name: each for name, each in answers.items() if self.goals[name] is goal}
            losses |= {name: self._local_loss(name, each, batch) for name, each in own.items()}
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        return losses[self.last].detach()

    def _local_loss(self, name: str, answer: Tensor, batch: Batch) -> Tensor:
        if name == self.last:
            return self.goals[name].loss(self.head(answer), batch)
        loss = self.goals[name].loss(self.heads[name](pooled(answer, _PLACES)), batch)
        if not self.similarity:
            return loss
        matching = similarity_matching(answer, labels_of(batch, answer))
        return (1 - self.similarity) * loss + self.similarity * matching


def similarity_matching(answer: Tensor, labels: Tensor) -> Tensor:
    """The mean squared difference of a block's and the labels' correlations between images.

    Maps (image, channel, height, width) count by each channel's standard deviation over space.
    """
    units = answer.flatten(2).std(dim=2) if answer.dim() == 4 else answer.flatten(1)
    wanted = functional.one_hot(labels).to(units.dtype)
    return functional.mse_loss(_correlations(units), _correlations(wanted))


def _correlations(units: Tensor) -> Tensor:
    """Pearson's correlation of each two rows, (image, image)."""
    unit_length = functional.normalize(units - units.mean(dim=1, keepdim=True), dim=1)
    return unit_length @ unit_length.T
