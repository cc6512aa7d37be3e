"""Untrained: the network as its seed drew it, the baseline of all others."""

import torch
from torch import Tensor, nn

from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective


@learning_rule(
    name="untrained",
    summary="no learning: the weights that the seed drew",
    term="untrained",
    mechanism="",
    needs=("no-loss",),
    source="Saxe et al. 2011, ICML; as a baseline for brains: Cadena et al. 2019, "
    "PLoS Comput Biol 15:e1006897",
    bibtex="""@article{cadena2019deep,
  author = {Cadena, Santiago A. and Denfield, George H. and Walker, Edgar Y. and Gatys, Leon A. and
    Tolias, Andreas S. and Bethge, Matthias and Ecker, Alexander S.},
  title = {Deep convolutional models improve predictions of macaque {V1} responses to natural
    images},
  journal = {PLoS Computational Biology},
  volume = {15},
  number = {4},
  pages = {e1006897},
  year = {2019},
  doi = {10.1371/journal.pcbi.1006897}
}""",
)
def untrained(network: Network, objective: Objective) -> Learner:
    """A learner that teaches nothing, whatever the budget."""
    return _Untrained(network, objective)


class _Untrained(Learner):
    def taught(self) -> dict[str, nn.Parameter]:
        return {}

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return torch.zeros(())

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return torch.zeros((), requires_grad=True)
