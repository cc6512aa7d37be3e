"""CLAPP: blocks predict their own next answer, and tell it from what they answer elsewhere."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.errors import InputError
from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._blocks import BlockLearner, block_widths, neighbours, pooled


@learning_rule(
    name="clapp",
    summary="each block predicts its next answer, and that after a saccade to be another one",
    term="contrastive-predictive",
    mechanism="cut",
    needs=("separable", "no-loss", "sequence"),
    source="Illing et al. 2021, NeurIPS, arXiv:2010.08262",
    bibtex="""@inproceedings{illing2021local,
  author = {Illing, Bernd and Ventura, Jean and Bellec, Guillaume and Gerstner, Wulfram},
  title = {Local plasticity rules can learn deep representations using self-supervised contrastive
    predictions},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {34},
  year = {2021},
  url = {https://arxiv.org/abs/2010.08262}
}""",
)
def clapp(network: Network, objective: Objective) -> Learner:
    """A learner whose blocks lower max(0, 1 − u) within a film and max(0, 1 + u) across films.

    u = zᵀ W c, of a block's pooled answers c to a frame and z to the next one, or to that of
    another film. For one layer that is three-factor: pre · post · (W c), gated by whether the hinge
    is open. Both signs are learned at each step, and W goes both ways (the paper's CLAPP-s); the
    paper predicts between patches of an image, not frames.
    """
    return _Clapp(network, objective)


class _Clapp(BlockLearner):
    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__(network, objective)
        self.predictors = nn.ModuleDict(
            {
                name: nn.Linear(width, width, bias=False)
                for name, width in block_widths(network).items()
            }
        )

    def taught(self) -> dict[str, nn.Parameter]:
        own = {f"predictors.{name}": each for name, each in self.predictors.named_parameters()}
        return super().taught() | own

    def losses(
        self, batch: Batch, generator: torch.Generator, *, cut: bool
    ) -> Mapping[str, Tensor]:
        elsewhere = _other_films(len(batch), generator)
        answers = self.network.answers(neighbours(batch, generator), cut=cut)
        found: dict[str, Tensor] = {}
        for name, answer in answers.items():
            before, after = pooled(answer).chunk(2)
            found[name] = hinge_loss(before, after, self.predictors[name], elsewhere)
        return found


def hinge_loss(before: Tensor, after: Tensor, predictor: nn.Module, elsewhere: Tensor) -> Tensor:
    """The mean over images of both hinges; `elsewhere` (image,) says whose answers are not to be.

    `before` and `after` are a block's answers, (image, unit).
    """
    predicted = predictor(before)
    same = (predicted * after).sum(dim=1)
    other = (predicted * after[elsewhere]).sum(dim=1)
    return (functional.relu(1 - same) + functional.relu(1 + other)).mean()


def _other_films(count: int, generator: torch.Generator) -> Tensor:
    """For each film the position of another one."""
    if count < 2:
        raise InputError("a batch of 1 film has no other to saccade to; make it larger")
    shift = int(torch.randint(1, count, (), generator=generator))
    return torch.arange(count).roll(shift)
