"""Sparse coding: few of many features add up to the input."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from isocortex.registry import learning_rule
from isocortex.training import Learner, Network, Objective

from ._averages import centred
from ._local import LocalLearner

_PENALTY: Final = 0.5
"""λ of |a|, for inputs of spread 1 and features of norm 1."""

_ITERATIONS: Final = 50


@learning_rule(
    name="sparse-coding",
    summary="Hebbian between a sparse code, found by inference, and what it leaves unexplained",
    term="sparse-coding",
    mechanism="local",
    needs=("no-loss", "chain"),
    source="Olshausen & Field 1996, Nature 381:607; inference: Beck & Teboulle 2009, SIAM J "
    "Imaging Sci 2:183",
    bibtex="""@article{olshausen1996emergence,
  author = {Olshausen, Bruno A. and Field, David J.},
  title = {Emergence of simple-cell receptive field properties by learning a sparse code for natural
    images},
  journal = {Nature},
  volume = {381},
  pages = {607--609},
  year = {1996},
  doi = {10.1038/381607a0}
}""",
)
def sparse_coding(network: Network, objective: Objective) -> Learner:
    """A learner of Δw = ⟨a (x − Σ a w)⟩, where a minimises |x − Σ a w|²/2 + .5 |a|₁.

    Weights are features of norm 1. The code a is only used to learn: the network passes on the
    weighted sums, from which inference starts. Inputs are centred on each batch.
    """
    return _SparseCoding(network, objective)


class _SparseCoding(LocalLearner):
    most = 512

    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__(network, objective)
        with torch.no_grad():
            self.after_update()

    def change(
        self, layer: str, weights: Tensor, samples: Tensor, generator: torch.Generator
    ) -> Tensor:
        inputs = centred(samples)
        codes = sparse_codes(inputs, weights, penalty=_PENALTY, iterations=_ITERATIONS)
        return codes.T @ (inputs - codes @ weights) / len(samples)

    def after_update(self) -> None:
        for layer in self.layers().values():
            features = layer.weight.flatten(1)
            layer.weight.copy_(functional.normalize(features).view_as(layer.weight))


def sparse_codes(inputs: Tensor, features: Tensor, *, penalty: float, iterations: int) -> Tensor:
    """The codes a (sample, feature) that minimise |x − a W|²/2 + penalty |a|₁, by FISTA.

    `inputs` are (sample, input), `features` (feature, input). Cost: samples × features² for each
    iteration; the energy is within 2 L |a|²/(iterations + 1)² of its least.
    """
    overlap, drive = features @ features.T, inputs @ features.T
    rate = 1 / torch.linalg.matrix_norm(overlap, 2).clamp(min=torch.finfo(inputs.dtype).tiny)
    codes = ahead = torch.zeros_like(drive)
    pace = 1.0
    for _ in range(iterations):
        before = codes
        codes = ahead - rate * (ahead @ overlap - drive)
        codes = codes.sign() * (codes.abs() - rate * penalty).clamp(min=0)
        pace, last = (1 + (1 + 4 * pace**2) ** 0.5) / 2, pace
        ahead = codes + (last - 1) / pace * (codes - before)
    return codes


def energy(inputs: Tensor, features: Tensor, codes: Tensor, *, penalty: float) -> Tensor:
    """|x − a W|²/2 + penalty |a|₁, its mean over samples."""
    errors = inputs - codes @ features
    return ((errors**2).sum(1) / 2 + penalty * codes.abs().sum(1)).mean()
