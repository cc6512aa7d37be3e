"""BCM: a threshold that slides with a unit's own activity makes it choose few of its inputs."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from isocortex.registry import learning_rule
from isocortex.training import Learner, Network, Objective

from ._averages import centred
from ._local import LocalLearner

_SLIDING: Final = 0.1
"""How far the threshold moves in one batch. It must be faster than the weights, or they swing."""


@learning_rule(
    name="bcm",
    summary="Hebbian above and anti-Hebbian below a threshold that follows the mean square answer",
    term="bcm",
    mechanism="local",
    needs=("no-loss", "chain"),
    source="Bienenstock, Cooper & Munro 1982, J Neurosci 2:32; threshold ⟨y²⟩ as in Intrator & "
    "Cooper 1992, Neural Netw 5:3",
    bibtex="""@article{bienenstock1982theory,
  author = {Bienenstock, Elie L. and Cooper, Leon N. and Munro, Paul W.},
  title = {Theory for the development of neuron selectivity: orientation specificity and binocular
    interaction in visual cortex},
  journal = {Journal of Neuroscience},
  volume = {2},
  number = {1},
  pages = {32--48},
  year = {1982},
  doi = {10.1523/JNEUROSCI.02-01-00032.1982}
}""",
)
def bcm(network: Network, objective: Objective) -> Learner:
    """A learner of Δw = ⟨y (y − θ) x⟩ with y = max(0, w·x) and θ the running mean of y².

    Inputs are centred on each batch. Units do not inhibit each other, so several may come to choose
    alike.
    """
    return _BCM(network, objective)


class _BCM(LocalLearner):
    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__(network, objective)
        for name, layer in self.layers().items():
            self.keep("threshold", name, torch.zeros(len(layer.weight)))

    def change(
        self, layer: str, weights: Tensor, samples: Tensor, generator: torch.Generator
    ) -> Tensor:
        inputs = centred(samples)
        answers = functional.relu(inputs @ weights.T)
        threshold = self.kept("threshold", layer)
        threshold.lerp_((answers**2).mean(0), _SLIDING)
        return (answers * (answers - threshold)).T @ inputs / len(samples)
