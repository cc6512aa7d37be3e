"""Weight mirror: feedback weights learn the weights from what noise does on its way up."""

from typing import Final

import torch
from torch import Tensor

from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._credit import Product, Watcher
from ._rerouted import Remembering


@learning_rule(
    name="weight-mirror",
    summary="feedback weights that learn from noise sent through the weights",
    term="weight-mirror",
    mechanism="re-route",
    needs=("loss",),
    options={"rate": 0.02},
    source="Akrout et al. 2019, arXiv:1904.05391",
    bibtex="""@inproceedings{akrout2019deep,
  author = {Akrout, Mohamed and Wilson, Collin and Humphreys, Peter C. and Lillicrap, Timothy and
    Tweed, Douglas},
  title = {Deep learning without weight transport},
  booktitle = {Advances in Neural Information Processing Systems 32},
  year = {2019}
}""",
)
def weight_mirror(network: Network, objective: Objective, *, rate: float) -> Learner:
    """A learner with B ← (1 − rate)B + rate · E[x (Wx)ᵀ] for noise x, whose mean is Wᵀ.

    Mirroring runs in each step, on an eighth as many noisy signals as images, where the
    paper alternates it with learning; noise enters each layer by itself, without its bias and
    nonlinearity. Only linear layers and convolutions are mirrored.
    """
    return _WeightMirror(network, objective, rate)


class _WeightMirror(Remembering):
    def __init__(self, network: Network, objective: Objective, rate: float) -> None:
        super().__init__(network, objective)
        self.rate = rate
        self._seen: list[tuple[str, Tensor]] = []

    def watcher(self, generator: torch.Generator) -> Watcher:
        names = {id(weight): name for name, weight in self.weights().items()}

        def watch(weight: Tensor, signal: Tensor, product: Product) -> None:
            if id(weight) in names:
                reflection = _reflected(weight, signal, product, generator)
                self._seen.append((names[id(weight)], reflection))

        return watch

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        self._seen = []
        loss = super().step(batch, generator)
        kept = self.kept.tensors()
        for name, reflection in self._seen:  # only now: the backward pass needs the old ones
            kept[name].lerp_(reflection, self.rate)
        return loss


_SHARE: Final = 8
"""One noisy signal for so many images."""


def _reflected(weight: Tensor, signal: Tensor, product: Product, noise: torch.Generator) -> Tensor:
    """An estimate of a weight from the correlation of noise before it with what comes after it.

    Products are linear in the weight, so that the correlation is a gradient by the weight.
    """
    count = -(-len(signal) // _SHARE)
    shape = (count, *signal.shape[1:])
    before = torch.randn(shape, generator=noise).to(signal)
    with torch.enable_grad():
        up = weight.detach().requires_grad_()
        after = product(before, up)
        met = product(torch.ones_like(before[:1]), up)
    (correlation,) = torch.autograd.grad(after, up, after.detach())
    (meetings,) = torch.autograd.grad(met, up, torch.ones_like(met))
    return correlation / (count * meetings).clamp(min=1)
