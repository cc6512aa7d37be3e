"""Nonlinear Hebbian learning: units look for what is not Gaussian in whitened inputs."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from isocortex.registry import learning_rule
from isocortex.training import Learner, Network, Objective

from ._averages import centred, covariance, follow
from ._local import LocalLearner

_THRESHOLD: Final = 1.0
"""Of a unit's answer, in its standard deviations. The paper finds most nonlinearities to do."""

_LEAST: Final = 0.03
"""Principal axes with less than this share of their mean variance are left out before whitening.
Adding so much to each variance instead would leave axes unequal, and units would prefer the large.
"""


@learning_rule(
    name="nonlinear-hebbian",
    summary="Hebbian with a rectified answer, of whitened inputs, by units that are decorrelated",
    term="nonlinear-hebbian",
    mechanism="local",
    needs=("no-loss", "chain"),
    source="Brito & Gerstner 2016, PLoS Comput Biol 12:e1005070, eq. 1",
    bibtex="""@article{brito2016nonlinear,
  author = {Brito, Carlos S. N. and Gerstner, Wulfram},
  title = {Nonlinear Hebbian learning as a unifying principle in receptive field formation},
  journal = {PLoS Computational Biology},
  volume = {12},
  number = {9},
  pages = {e1005070},
  year = {2016},
  doi = {10.1371/journal.pcbi.1005070}
}""",
)
def nonlinear_hebbian(network: Network, objective: Objective) -> Learner:
    """A learner of Δw = ⟨f(y) (x − y w)⟩ with y = w·x and f(u) = max(0, u − 1), for whitened x.

    The decay takes nothing away but growth, which decorrelation would undo.
    What whitens the inputs of a layer, from a running covariance, becomes part of its weights: they
    take the inputs as they come. Answers of different units are decorrelated after each step,
    symmetrically, instead of by the paper's lateral inhibition.
    """
    return _NonlinearHebbian(network, objective)


class _NonlinearHebbian(LocalLearner):
    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__(network, objective)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        for name, layer in self.layers().items():
            self.keep("covariance", name, torch.eye(layer.weight[0].numel()))
            self.keep("inverse", name, torch.eye(layer.weight[0].numel()))

    def change(
        self, layer: str, weights: Tensor, samples: Tensor, generator: torch.Generator
    ) -> Tensor:
        covariances, inverse = self.kept("covariance", layer), self.kept("inverse", layer)
        follow(covariances, covariance(samples), int(self.get_buffer("seen")))
        inverse.copy_(inverse_on_large_axes(covariances, _LEAST))
        inputs = centred(samples)
        answers = inputs @ weights.T
        strong = functional.relu(answers - _THRESHOLD)
        # With z = C^(-1/2) x and v = C^(1/2) w, ⟨f(v·z) z⟩ is the growth of v, and this that of w.
        growth = strong.T @ inputs @ inverse / len(samples)
        return growth - (strong * answers).mean(0)[:, None] * weights

    def after_update(self) -> None:
        self.get_buffer("seen").add_(1)
        for name, layer in self.layers().items():
            covariances = self.kept("covariance", name)
            seen = layer.weight.flatten(1) @ covariances @ self.kept("inverse", name)
            layer.weight.copy_(decorrelated(seen, covariances).view_as(layer.weight))


def decorrelated(weights: Tensor, covariances: Tensor) -> Tensor:
    """The nearest weights whose answers have variance 1 and no correlation: (W C Wᵀ)^(-1/2) W.

    Where there are more units than inputs, they are as little correlated as can be.
    """
    values, axes = torch.linalg.eigh((weights @ covariances @ weights.T).double())
    gains = torch.where(values > 1e-6 * values.max(), values, torch.inf).rsqrt()
    root: Tensor = (axes * gains) @ axes.T
    return root.to(weights) @ weights


def inverse_on_large_axes(covariances: Tensor, least: float) -> Tensor:
    """C⁻¹ on the principal axes with at least so much of their mean variance, 0 on the others."""
    # In float32 the eigenvalues of maps with many silent places are not found.
    values, axes = torch.linalg.eigh(covariances.double())
    gains = torch.where(values > least * values.mean(), 1 / values, 0)
    inverse: Tensor = (axes * gains) @ axes.T
    return inverse.to(covariances)
