"""Sign symmetry: errors come down through weights that share only their signs with those up."""

from typing import Literal

import torch
from torch import Tensor

from isocortex.registry import learning_rule
from isocortex.training import Learner, Network, Objective

from ._rerouted import Kept, Rerouted, spread_at_birth

Magnitudes = Literal["uniform", "batch", "frozen"]


@learning_rule(
    variants={
        "sign-symmetry": {
            "summary": "backpropagation through the signs of the weights",
            "options": {"magnitudes": "uniform"},
        },
        "sign-symmetry-batch": {
            "summary": "sign symmetry with magnitudes drawn anew for each batch",
            "options": {"magnitudes": "batch"},
        },
        "sign-symmetry-frozen": {
            "summary": "sign symmetry with magnitudes drawn once",
            "options": {"magnitudes": "frozen"},
        },
    },
    term="sign-symmetry",
    mechanism="re-route",
    needs=("loss",),
    source="Liao, Leibo & Poggio 2016, AAAI (uSF, brSF, frSF); Xiao et al. 2018, arXiv:1811.03567; "
    "Moskovitz et al. 2018, arXiv:1812.06488",
    bibtex="""@inproceedings{liao2016important,
  author = {Liao, Qianli and Leibo, Joel Z. and Poggio, Tomaso},
  title = {How important is weight symmetry in backpropagation?},
  booktitle = {Proceedings of the AAAI Conference on Artificial Intelligence},
  year = {2016}
}""",
)
def sign_symmetry(network: Network, objective: Objective, *, magnitudes: Magnitudes) -> Learner:
    """A learner with B = M ∘ sign W; M is one number, or uniform random for each weight.

    M is scaled to the spread that W has at birth, so that errors neither vanish nor explode in deep
    networks; Liao et al. do this by normalising the gradients.
    """
    return _SignSymmetry(network, objective, magnitudes)


class _SignSymmetry(Rerouted):
    def __init__(self, network: Network, objective: Objective, magnitudes: Magnitudes) -> None:
        super().__init__(network, objective)
        self.magnitudes = magnitudes
        weights = self.weights()
        kept = {name: spread_at_birth(weight) for name, weight in weights.items()}
        if magnitudes == "frozen":
            kept = {n: kept[n] * _ROOT_3 * torch.rand_like(w) for n, w in weights.items()}
        self.kept = Kept({name: each.detach() for name, each in kept.items()})

    def feedback(self, generator: torch.Generator) -> dict[str, Tensor]:
        kept = self.kept.tensors()
        return {
            name: kept[name] * self._drawn(weight, generator) * weight.detach().sign()
            for name, weight in self.weights().items()
        }

    def _drawn(self, weight: Tensor, generator: torch.Generator) -> Tensor | float:
        if self.magnitudes != "batch":
            return 1.0
        return _ROOT_3 * torch.rand(weight.shape, generator=generator).to(weight)


_ROOT_3 = 3**0.5
"""The root mean square of numbers that are uniform from 0 to this is 1."""
