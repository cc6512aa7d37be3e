"""Slow feature analysis: of all linear functions of the input, those that change least in time."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from isocortex.registry import learning_rule
from isocortex.training import Learner, Network, Objective

from ._averages import covariance, follow
from ._local import LocalLearner

_NOISE: Final = 1e-3
"""Variance of the noise that inputs are taken to have, as a share of their mean variance."""


@learning_rule(
    name="slow-features",
    summary="the weights move to the slowest features of the films so far, slowest first",
    term="slow-features",
    mechanism="local",
    needs=("no-loss", "chain", "sequence"),
    source="Wiskott & Sejnowski 2002, Neural Comput 14:715; as a generalised eigenproblem: "
    "Berkes & Wiskott 2005, J Vis 5:579",
    bibtex="""@article{wiskott2002slow,
  author = {Wiskott, Laurenz and Sejnowski, Terrence J.},
  title = {Slow feature analysis: unsupervised learning of invariances},
  journal = {Neural Computation},
  volume = {14},
  number = {4},
  pages = {715--770},
  year = {2002},
  doi = {10.1162/089976602317318938}
}""",
)
def slow_features(network: Network, objective: Objective) -> Learner:
    """A learner of Δw = w* − w, where w* solve D w = λ C w, each of norm 1, smallest λ first.

    C is the covariance of a layer's inputs and D that of their differences from frame to frame,
    both running. There is no expansion of the inputs: a chain's nonlinearities stand for it. Units
    beyond the number of inputs fall silent. Cost: inputs³ for each layer and step.
    """
    return _SlowFeatures(network, objective)


class _SlowFeatures(LocalLearner):
    films = True

    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__(network, objective)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        for name, layer in self.layers().items():
            inputs = layer.weight[0].numel()
            self.keep("variation", name, torch.zeros(inputs, inputs))
            self.keep("speed", name, torch.zeros(inputs, inputs))

    def change(
        self, layer: str, weights: Tensor, samples: Tensor, generator: torch.Generator
    ) -> Tensor:
        variation, speed = self.kept("variation", layer), self.kept("speed", layer)
        steps = samples.diff(dim=1).flatten(0, 1)
        seen = int(self.get_buffer("seen"))
        follow(variation, covariance(samples.flatten(0, 1)), seen)
        follow(speed, steps.T @ steps / len(steps), seen)
        slowest = slowest_directions(variation, speed)[: len(weights)]
        goal = torch.zeros_like(weights)
        goal[: len(slowest)] = functional.normalize(slowest)
        signs = (goal * weights).sum(1, keepdim=True).sign()
        return torch.where(signs < 0, -goal, goal) - weights

    def after_update(self) -> None:
        self.get_buffer("seen").add_(1)


def slowest_directions(variation: Tensor, speed: Tensor) -> Tensor:
    """All w with D w = λ C w and wᵀ C w = 1, smallest λ first, as (direction, input).

    White noise is added to the inputs: without, directions in which nothing varies would be slow.
    """
    level = _NOISE * variation.diagonal().mean() + torch.finfo(variation.dtype).tiny
    noise = level * torch.eye(len(variation)).to(variation)
    root = torch.linalg.cholesky(variation + noise)
    half = torch.linalg.solve_triangular(root, speed + 2 * noise, upper=False)
    whitened = torch.linalg.solve_triangular(root, half.T, upper=False)
    # In float32 the eigenvalues of maps with many silent places are not found.
    axes = torch.linalg.eigh((whitened + whitened.T).double()).eigenvectors.to(root)
    found: Tensor = torch.linalg.solve_triangular(root.T, axes, upper=True)
    return found.T
