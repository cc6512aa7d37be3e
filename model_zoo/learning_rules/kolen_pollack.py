"""Kolen–Pollack: feedback weights become symmetric because both ways change and decay alike."""

import torch
from torch import Tensor

from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._rerouted import Remembering


@learning_rule(
    name="kolen-pollack",
    summary="random feedback weights that change and decay as the weights do",
    term="kolen-pollack",
    mechanism="re-route",
    needs=("loss",),
    options={"decay": 0.2},
    source="Kolen & Pollack 1994, ICNN 3:1375; Akrout et al. 2019, arXiv:1904.05391",
    bibtex="""@inproceedings{kolen1994backpropagation,
  author = {Kolen, John F. and Pollack, Jordan B.},
  title = {Backpropagation without weight transport},
  booktitle = {Proceedings of 1994 IEEE International Conference on Neural Networks},
  volume = {3},
  pages = {1375--1380},
  year = {1994}
}""",
)
def kolen_pollack(network: Network, objective: Objective, *, decay: float) -> Learner:
    """A learner with W ← (1 − λ)W + Δ and B ← (1 − λ)B + Δ, so that B − W shrinks by 1 − λ.

    Δ is what the optimiser and the constraints made of the shared product of error and activity. In
    the papers λ is constant; here it is `decay` · ‖Δ‖/‖W‖ for each weight, so that it follows the
    learning rate down and the weights do not vanish once nothing is learned.
    """
    return _KolenPollack(network, objective, decay)


class _KolenPollack(Remembering):
    def __init__(self, network: Network, objective: Objective, decay: float) -> None:
        super().__init__(network, objective)
        self.decay = decay
        self._before: dict[str, Tensor] = {}

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        self._before = {name: each.detach().clone() for name, each in self.weights().items()}
        return super().step(batch, generator)

    @torch.no_grad()
    def after_update(self) -> None:
        kept = self.kept.tensors()
        for name, weight in self.weights().items():
            change = weight - self._before[name]
            size = self._before[name].norm()
            rate = (self.decay * change.norm() / size).nan_to_num(0, posinf=1).clamp(max=1)
            weight.sub_(rate * self._before[name])
            kept[name] += change - rate * kept[name]
