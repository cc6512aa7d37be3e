"""Generative predictive coding: states settle until they predict the image, then weights learn."""

import torch
from torch import Tensor

from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._phases import residual, with_energy


@learning_rule(
    name="predictive-coding-generative",
    summary="states settle until they predict the image; Hebbian between a state and an error",
    term="predictive-coding-generative",
    mechanism="relax",
    needs=("no-loss", "generative"),
    options={"decay": 0.02},
    source="Rao & Ballard 1999, Nat Neurosci 2:79",
    bibtex="""@article{rao1999predictive,
  author = {Rao, Rajesh P. N. and Ballard, Dana H.},
  title = {Predictive coding in the visual cortex: a functional interpretation of some
    extra-classical receptive-field effects},
  journal = {Nature Neuroscience},
  volume = {2},
  number = {1},
  pages = {79--87},
  year = {1999},
  doi = {10.1038/4580}
}""",
)
def generative_predictive_coding(
    network: Network, objective: Objective, *, decay: float
) -> Learner:
    """A learner of Δw = ⟨error · state⟩ − `decay` w at rest, down the energy of what is not
    predicted; `decay` is λ in the paper.

    The loss is the mean energy at rest and the cost of the weights' size. It falls by the same
    gradient whether the states are held, as here, or follow the weights, as in the credit audit,
    which so tells how near to rest they come.
    """
    return _GenerativePredictiveCoding(network, objective, decay)


class _GenerativePredictiveCoding(Learner):
    def __init__(self, network: Network, objective: Objective, decay: float) -> None:
        super().__init__(with_energy(network), objective)
        self.decay = decay

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        images, network = self.objective.inputs(batch, generator), with_energy(self.network)
        with torch.no_grad():
            states = network.settle(images)
        loss = network.energy(images, states).mean() + self._size()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The mean energy at rest, and what the size of the weights costs."""
        images, network = self.objective.inputs(batch, generator), with_energy(self.network)
        return network.energy(images, network.settle(images)).mean() + self._size()

    @torch.no_grad()
    def settling(self, batch: Batch, generator: torch.Generator) -> dict[str, float]:
        """The mean energy before and after settling, and the `residual` at rest."""
        images, network = self.objective.inputs(batch, generator), with_energy(self.network)
        states = network.settle(images)
        silent = [torch.zeros_like(each) for each in states]
        return {
            "energy before settling": float(network.energy(images, silent).mean()),
            "energy at rest": float(network.energy(images, states).mean()),
            "residual at rest": residual(network, images, states),
        }

    def _size(self) -> Tensor:
        squares = [each.square().sum() for each in self.network.parameters()]
        return self.decay / 2 * torch.stack(squares).sum()
