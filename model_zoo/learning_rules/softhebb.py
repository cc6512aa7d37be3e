"""SoftHebb: units compete softly for each input, and the losers unlearn it."""

from typing import Final

import torch
from torch import Tensor

from isocortex.registry import learning_rule
from isocortex.training import Learner, Network, Objective

from ._averages import centred
from ._local import LocalLearner

_TEMPERATURE: Final = 0.1
"""Of the softmax, in standard deviations of the layer's weighted sums. The paper tunes it for each
layer, in absolute terms; where it is too high, the losers' unlearning outweighs the winner."""


@learning_rule(
    name="softhebb",
    summary="soft winner-take-all: Hebbian for the winner, anti-Hebbian for the others",
    term="softhebb",
    mechanism="local",
    needs=("no-loss", "chain"),
    source="Journé et al. 2023, ICLR, arXiv:2209.11883",
    bibtex="""@inproceedings{journe2023hebbian,
  author = {Journé, Adrien and Garcia Rodriguez, Hector and Guo, Qinghai and Moraitis,
    Timoleon},
  title = {Hebbian deep learning without feedback},
  booktitle = {International Conference on Learning Representations},
  year = {2023},
  url = {https://arxiv.org/abs/2209.11883}
}""",
)
def softhebb(network: Network, objective: Objective) -> Learner:
    """A learner of Δw = ⟨y (x − u w)⟩ with u = w·x, y the softmax of u, negated for the losers.

    Units that win nothing in a batch lose nothing either: what is only negated grows without bound,
    and Adam makes large steps of small changes. Inputs are centred on each batch. The rate does not
    depend on a unit's norm as the paper's does, and layers learn together instead of one after the
    other. Weights come to have a norm of 1.
    """
    return _SoftHebb(network, objective)


class _SoftHebb(LocalLearner):
    def change(
        self, layer: str, weights: Tensor, samples: Tensor, generator: torch.Generator
    ) -> Tensor:
        inputs = centred(samples)
        sums = inputs @ weights.T
        spread = sums.std().clamp(min=torch.finfo(sums.dtype).tiny)
        shares = torch.softmax(sums / (_TEMPERATURE * spread), dim=1)
        won = torch.zeros_like(shares, dtype=torch.bool)
        won.scatter_(1, sums.argmax(1, keepdim=True), True)
        idle = ~won.any(0)
        signed = torch.where(won | idle, shares, -shares)
        decay = (signed * sums).mean(0)[:, None]
        return signed.T @ inputs / len(samples) - decay * weights
