"""Latent predictive learning: blocks stay as they were a moment ago, yet vary and decorrelate."""

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._blocks import BlockLearner, neighbours, pooled

_SMALLEST: Final = 1e-4
"""Added to variances, as in the paper."""


@learning_rule(
    variants={
        "latent-predictive": {
            "summary": "each block predicts its next answer, yet varies and decorrelates",
            "options": {"hebbian": 1.0, "decorrelation": 10.0},
        },
        "latent-predictive-no-hebbian": {
            "summary": "control of latent-predictive that collapses: nothing keeps units varying",
            "options": {"hebbian": 0.0, "decorrelation": 10.0},
        },
    },
    term="latent-predictive",
    mechanism="cut",
    needs=("separable", "no-loss", "sequence"),
    source="Halvagal & Zenke 2023, Nat Neurosci 26:1906",
    bibtex="""@article{halvagal2023combination,
  author = {Halvagal, Manu Srinath and Zenke, Friedemann},
  title = {The combination of {H}ebbian and predictive plasticity learns invariant object
    representations in deep sensory networks},
  journal = {Nature Neuroscience},
  volume = {26},
  pages = {1906--1915},
  year = {2023},
  doi = {10.1038/s41593-023-01460-y}
}""",
)
def latent_predictive(
    network: Network, objective: Objective, *, hebbian: float, decorrelation: float
) -> Learner:
    """A learner whose blocks change little from frame to frame, but much from image to image.

    Answers are averaged over space and over both frames' images: means and variances are of the
    batch, where the paper also has running ones for single neurons.
    """
    return _LatentPredictive(network, objective, hebbian, decorrelation)


class _LatentPredictive(BlockLearner):
    def __init__(
        self, network: Network, objective: Objective, hebbian: float, decorrelation: float
    ) -> None:
        super().__init__(network, objective)
        self.hebbian, self.decorrelation = hebbian, decorrelation

    def losses(
        self, batch: Batch, generator: torch.Generator, *, cut: bool
    ) -> Mapping[str, Tensor]:
        answers = self.network.answers(neighbours(batch, generator), cut=cut)
        return {name: self._loss(*pooled(answer).chunk(2)) for name, answer in answers.items()}

    def _loss(self, before: Tensor, after: Tensor) -> Tensor:
        change = (after - before.detach()).square().mean() / 2
        centred = after - after.mean(dim=0)
        covariance = centred.T @ centred / (len(after) - 1)
        variance = covariance.diagonal()
        spread = -(variance + _SMALLEST).log().mean() / 2
        units = max(len(variance) * (len(variance) - 1), 1)
        shared = (covariance.square().sum() - variance.square().sum()) / units
        return change + self.hebbian * spread + self.decorrelation * shared
