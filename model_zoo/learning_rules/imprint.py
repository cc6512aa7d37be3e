"""Imprinting: units store what they are shown, and keep it."""

from typing import Final

import torch
from torch import Tensor

from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._local import LocalLearner

_AT_ONCE: Final = 8
"""How many units store a patch in one step: few, so that their patches are of many images."""


@learning_rule(
    name="imprint",
    summary="each unit stores one patch of what its layer receives, from the first layer on",
    term="imprint",
    mechanism="local",
    needs=("no-loss", "chain"),
    source="Serre et al. 2007, IEEE Trans Pattern Anal Mach Intell 29:411",
    bibtex="""@article{serre2007robust,
  author = {Serre, Thomas and Wolf, Lior and Bileschi, Stanley and Riesenhuber, Maximilian and
    Poggio, Tomaso},
  title = {Robust object recognition with cortex-like mechanisms},
  journal = {IEEE Transactions on Pattern Analysis and Machine Intelligence},
  volume = {29},
  number = {3},
  pages = {411--426},
  year = {2007},
  doi = {10.1109/TPAMI.2007.56}
}""",
)
def imprint(network: Network, objective: Objective) -> Learner:
    """A learner that makes w = x once for each unit, eight at a step, for random patches x.

    A layer begins when the one before it is full, so that it stores what it will go on to receive.
    Patches are copied whole: the optimiser is left nothing to do. Made for units that compare
    patch and weights, as those of `hmax`; others store patches just the same.
    """
    return _Imprint(network, objective)


class _Imprint(LocalLearner):
    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__(network, objective)
        self.register_buffer("full", torch.zeros((), dtype=torch.int64))
        self._fresh: dict[str, Tensor] = {}

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        if not self._is_full():
            return super().step(batch, generator)
        for parameter in self.taught().values():
            parameter.grad = torch.zeros_like(parameter)
        return torch.zeros(())

    def change(
        self, layer: str, weights: Tensor, samples: Tensor, generator: torch.Generator
    ) -> Tensor:
        self._fresh[layer] = samples[:_AT_ONCE]  # samples come in random order
        return torch.zeros_like(weights)

    def after_update(self) -> None:
        """Store the patches of the last step in the next units of the first layer not yet full."""
        first = int(self.get_buffer("full"))
        for name, layer in self.layers().items():
            units = layer.weight[first : first + _AT_ONCE]
            if len(units):
                stored = self._fresh[name][: len(units)]
                units[: len(stored)] = stored.view_as(units[: len(stored)])
                self.get_buffer("full").add_(len(stored))
                return
            first -= len(layer.weight)

    def _is_full(self) -> bool:
        return int(self.get_buffer("full")) == sum(
            len(each.weight) for each in self.layers().values()
        )
