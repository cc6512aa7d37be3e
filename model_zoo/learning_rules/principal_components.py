"""Hebbian learning with decay: units come to compute principal components of their inputs."""

import torch
from torch import Tensor

from isocortex.registry import learning_rule
from isocortex.training import Learner, Network, Objective

from ._averages import centred
from ._local import LocalLearner


@learning_rule(
    variants={
        "oja": {
            "summary": "Hebbian, less what all units explain: the space of the first components",
            "term": "oja",
            "options": {"ordered": False},
            "source": "Oja 1982, J Math Biol 15:267 (one unit); Oja 1989, Int J Neural Syst 1:61",
            "bibtex": """@article{oja1982simplified,
  author = {Oja, Erkki},
  title = {Simplified neuron model as a principal component analyzer},
  journal = {Journal of Mathematical Biology},
  volume = {15},
  number = {3},
  pages = {267--273},
  year = {1982},
  doi = {10.1007/BF00275687}
}""",
        },
        "sanger": {
            "summary": "Hebbian, less what earlier units explain: the first components in order",
            "term": "sanger",
            "options": {"ordered": True},
            "source": "Sanger 1989, Neural Netw 2:459",
            "bibtex": """@article{sanger1989optimal,
  author = {Sanger, Terence D.},
  title = {Optimal unsupervised learning in a single-layer linear feedforward neural network},
  journal = {Neural Networks},
  volume = {2},
  number = {6},
  pages = {459--473},
  year = {1989},
  doi = {10.1016/0893-6080(89)90044-0}
}""",
        },
    },
    mechanism="local",
    needs=("no-loss", "chain"),
)
def principal_components(network: Network, objective: Objective, *, ordered: bool) -> Learner:
    """A learner of Δw = ⟨y x⟩ − ⟨y yᵀ⟩ w, where ⟨y yᵀ⟩ loses its upper triangle if `ordered`.

    Inputs are centred on each batch. Of one unit both are Oja's rule of 1982. Units beyond the
    number of inputs fall silent.
    """
    return _PrincipalComponents(network, objective, ordered)


class _PrincipalComponents(LocalLearner):
    def __init__(self, network: Network, objective: Objective, ordered: bool) -> None:
        super().__init__(network, objective)
        self.ordered = ordered

    def change(
        self, layer: str, weights: Tensor, samples: Tensor, generator: torch.Generator
    ) -> Tensor:
        inputs = centred(samples)
        answers = inputs @ weights.T
        shared = answers.T @ answers / len(samples)
        if self.ordered:
            shared = shared.tril()
        return answers.T @ inputs / len(samples) - shared @ weights
