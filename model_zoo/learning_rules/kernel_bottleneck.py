"""Kernel bottleneck: blocks forget the image and keep its category, by a three-factor rule."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._blocks import labels_of, pooled

_BALANCE: Final = 2.0
"""What the categories weigh against the image: the paper's γ."""
_PLACES: Final = 2


@learning_rule(
    name="hsic",
    summary="each block makes responses depend on categories and on nothing else",
    term="kernel-bottleneck",
    mechanism="cut",
    needs=("separable", "loss", "labels"),
    source="Pogodin & Latham 2020, NeurIPS, arXiv:2006.07123",
    bibtex="""@inproceedings{pogodin2020kernelized,
  author = {Pogodin, Roman and Latham, Peter E.},
  title = {Kernelized information bottleneck leads to biologically plausible 3-factor {H}ebbian
    learning in deep networks},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {33},
  year = {2020},
  url = {https://arxiv.org/abs/2006.07123}
}""",
)
def hsic(network: Network, objective: Objective) -> Learner:
    """A learner whose blocks lower pHSIC(Z, Z) − 2 pHSIC(Y, Z); the head learns the objective.

    The kernel of responses is the cosine, of maps averaged into 2 × 2 places, and that of labels
    whether they are the same. The paper groups channels and normalises them divisively first.
    """
    return _Bottleneck(network, objective)


class _Bottleneck(Learner):
    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        inputs = self.objective.inputs(batch, generator)
        labels = labels_of(batch, inputs)
        answers = list(self.network.answers(inputs, cut=True).values())
        local = [bottleneck(pooled(answer, _PLACES), labels) for answer in answers]
        loss = self.objective.loss(self.head(answers[-1].detach()), batch)
        torch.stack([loss, *local]).sum().backward()  # type: ignore[no-untyped-call]
        return loss.detach()


def bottleneck(units: Tensor, labels: Tensor) -> Tensor:
    """pHSIC(Z, Z) − γ pHSIC(Y, Z) of responses (image, unit) and labels (image,).

    Its gradient is a sum over pairs of images: of what a synapse receives, of how far the other
    image's response differs, and of one number that is the same for all synapses, 2 (k − k̄) −
    γ (y − ȳ), where k and y say how similar the responses and the labels are.
    """
    unit_length = functional.normalize(units, dim=1)
    alike = unit_length @ unit_length.T
    same = (labels[:, None] == labels).to(units.dtype)
    return _dependence(alike, alike) - _BALANCE * _dependence(same, alike)


def _dependence(first: Tensor, second: Tensor) -> Tensor:
    """The plausible HSIC of two kernel matrices: their covariance over all pairs."""
    return (first * second).mean() - first.mean() * second.mean()
