"""Competitive learning: in each hypercolumn, the unit that matches best comes to match better."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from isocortex.registry import learning_rule
from isocortex.training import Learner, Network, Objective

from ._local import LocalLearner

_EXCITABILITY: Final = 0.01
"""By so much, on the scale of the cosine, a unit that wins too rarely becomes more excitable in a
step, and one that wins too often less, as a conscience would have it (DeSieno 1988, ICNN 1:117)."""

_BLANK: Final = 1e-3
"""Patches below this share of the largest norm in a batch excite no unit, so that none wins."""


@learning_rule(
    name="competitive",
    summary="winner-take-all in each hypercolumn: the winner moves to what it sees",
    term="competitive",
    mechanism="local",
    needs=("no-loss", "chain"),
    source="Fukushima 1980, Biol Cybern 36:193; Rumelhart & Zipser 1985, Cogn Sci 9:75",
    bibtex="""@article{rumelhart1985feature,
  author = {Rumelhart, David E. and Zipser, David},
  title = {Feature discovery by competitive learning},
  journal = {Cognitive Science},
  volume = {9},
  number = {1},
  pages = {75--112},
  year = {1985},
  doi = {10.1207/s15516709cog0901_5}
}""",
)
def competitive(network: Network, objective: Objective) -> Learner:
    """A learner of Δw = ⟨y (x/|x| − w)⟩, where y is 1 for the largest cosine of w and x, 0 else.

    A hypercolumn are all units of one place; a convolution shares what its winners learn at all
    places, as the neocognitron's planes do. Fukushima's weights only grow; with the decay they come
    to rest at what their unit wins, and have its direction. He lets each plane have at most one
    winner in an image; here it may have many, but units that win more than their share are
    handicapped, so that none wins all or nothing.
    """
    return _Competitive(network, objective)


class _Competitive(LocalLearner):
    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__(network, objective)
        for name, layer in self.layers().items():
            self.keep("handicap", name, torch.zeros(len(layer.weight)))

    def change(
        self, layer: str, weights: Tensor, samples: Tensor, generator: torch.Generator
    ) -> Tensor:
        norms = samples.norm(dim=1)
        inputs = functional.normalize(samples[norms > _BLANK * norms.max()])
        if not len(inputs):
            return torch.zeros_like(weights)
        handicap = self.kept("handicap", layer)
        matches = inputs @ functional.normalize(weights).T - handicap
        won = functional.one_hot(matches.argmax(dim=1), len(weights)).to(inputs)
        share = won.mean(0)
        handicap += _EXCITABILITY * (share - 1 / len(weights)).sign()
        return won.T @ inputs / len(inputs) - share[:, None] * weights
