"""Difference target propagation: what each block should have given, by learned inverses."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from isocortex.errors import InputError
from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._chain import Cut, backward, cut, judged, links, statistics_kept

Shape = tuple[int, ...]


@learning_rule(
    name="difference-targets",
    summary="difference target propagation: targets go down through learned inverses",
    term="difference-targets",
    mechanism="relax",
    needs=("loss", "chain"),
    options={"noise": 1.0},
    source="Lee et al. 2015, ECML PKDD, arXiv:1412.7525, eq. 15 and algorithm 1",
    bibtex="""@inproceedings{lee2015difference,
  author = {Lee, Dong-Hyun and Zhang, Saizheng and Fischer, Asja and Bengio, Yoshua},
  title = {Difference target propagation},
  booktitle = {Machine Learning and Knowledge Discovery in Databases (ECML PKDD)},
  pages = {498--515},
  year = {2015},
  doi = {10.1007/978-3-319-23528-8_31}
}""",
)
def difference_targets(network: Network, objective: Objective, *, noise: float) -> Learner:
    """A learner with an inverse of each block but the first, which learns to undo it under noise.

    `noise` is a share of the spread of a block's inputs; at .1 instead of 1 the credit of conv4's
    first block stays near 90° from the gradient. Inverses are affine, where the paper has a layer
    of tanh; those of maps are enlarging convolutions. So the step size of targets cancels, and is
    1. Raises InputError for a network that does not know the size of its images.
    """
    return _DifferenceTargets(network, objective, noise=noise)


class _DifferenceTargets(Learner):
    def __init__(self, network: Network, objective: Objective, *, noise: float) -> None:
        super().__init__(network, objective)
        self.noise = noise
        shapes = _shapes(network)
        self.inverses = nn.ModuleList(_inverse(*pair) for pair in pairwise(shapes))

    def taught(self) -> dict[str, nn.Parameter]:
        """The inverses learn as the network does, with the same optimiser."""
        own = {f"inverses.{name}": each for name, each in self.inverses.named_parameters()}
        return {**super().taught(), **own}

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        *blocks, head = cut(links(self), self.objective.inputs(batch, generator))
        loss, credit = judged(self, head.after, batch)
        head.teach(credit)
        missed = head.down(credit)  # how far the embedding is from its target
        for block, inverse in zip(blocks[:0:-1], list(self.inverses)[::-1], strict=True):
            block.teach(missed)
            self._teach_inverse(inverse, block, generator)
            missed = _difference(inverse, block.after, missed)
        blocks[0].teach(missed)
        return loss

    def _teach_inverse(self, inverse: nn.Module, block: Cut, generator: torch.Generator) -> None:
        drawn = torch.randn(block.before.shape, generator=generator).to(block.before)
        with torch.no_grad(), statistics_kept(block.module):
            noisy = block.before + self.noise * block.before.std() * drawn
            answer = block.module(noisy)
        missed = (inverse(answer) - noisy).square().mean()
        backward(missed, list(inverse.parameters()), torch.ones_like(missed))


def _difference(inverse: nn.Module, given: Tensor, missed: Tensor) -> Tensor:
    """How far the input is from its target, where the output is so far from its own (eq. 15)."""
    with torch.no_grad():
        found: Tensor = inverse(given) - inverse(given - missed)
    return found


def _shapes(network: Network) -> list[Shape]:
    """The shape of what each block gives for one image."""
    if network.image_size is None:
        raise InputError(
            "difference-targets needs the size of the images to build its inverses: set the "
            "network's image_size"
        )
    first = next(network.parameters())
    answer = torch.zeros(2, 3, *network.image_size, dtype=first.dtype)
    training, shapes = network.training, []
    network.eval()
    with torch.no_grad():
        for block in network.blocks.values():
            answer = block(answer)
            shapes.append(tuple(answer.shape[1:]))
    network.train(training)
    return shapes


def _inverse(below: Shape, above: Shape) -> nn.Module:
    """An affine map from shape `above` to shape `below`, either units or a map (channel, h, w)."""
    if len(below) == 1:
        return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(above), below[0]))
    channels, *size = below
    as_map = nn.Unflatten(1, (above[0], 1, 1)) if len(above) == 1 else nn.Identity()
    return nn.Sequential(
        as_map, nn.Upsample(tuple(size)), nn.Conv2d(above[0], channels, 3, padding=1)
    )
