"""Equilibrium propagation: nudge the outputs, and learn from how far the network's rest moves."""

import torch
from torch import Tensor

from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._phases import Cost, gradient_by, residual, teach_contrast, with_energy


@learning_rule(
    name="equilibrium",
    summary="equilibrium propagation, nudged both towards and away from the targets",
    term="equilibrium",
    mechanism="relax",
    needs=("loss", "energy"),
    options={"nudge": 0.2},
    source="Scellier & Bengio 2017, Front Comput Neurosci 11:24; nudged both ways: Laborieux et "
    "al. 2021, Front Neurosci 15:633674",
    bibtex="""@article{scellier2017equilibrium,
  author = {Scellier, Benjamin and Bengio, Yoshua},
  title = {Equilibrium propagation: bridging the gap between energy-based models and
    backpropagation},
  journal = {Frontiers in Computational Neuroscience},
  volume = {11},
  pages = {24},
  year = {2017},
  doi = {10.3389/fncom.2017.00024}
}""",
)
def equilibrium(network: Network, objective: Objective, *, nudge: float) -> Learner:
    """A learner whose `step` leaves a symmetric difference over ±`nudge`, β in the paper.

    It goes to the gradient at the state of rest as β² → 0. The head is read out, no part of the
    energy (Laborieux et al.), and learns from the free phase.
    """
    return _Equilibrium(network, objective, nudge=nudge)


class _Equilibrium(Learner):
    def __init__(self, network: Network, objective: Objective, *, nudge: float) -> None:
        super().__init__(with_energy(network), objective)
        self.nudge = nudge

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        images = self.objective.inputs(batch, generator)
        with torch.no_grad():
            free = with_energy(self.network).settle(images)
        cost = self._cost(batch, len(images))
        towards, away = (self._nudged(images, free, sign, cost) for sign in (1, -1))
        teach_contrast(self, images, (towards, away), weight=1 / (2 * self.nudge))
        loss = self.objective.loss(self.head(free[-1]), batch)
        if loss.requires_grad:  # a head may have nothing to learn
            loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def settling(self, batch: Batch, generator: torch.Generator) -> dict[str, float]:
        """The `residual` of the free phase and of the one nudged towards the targets."""
        images, network = self.objective.inputs(batch, generator), with_energy(self.network)
        with torch.no_grad():
            free = network.settle(images)
        cost = self._cost(batch, len(images))
        nudged = self._nudged(images, free, 1, cost)
        return {
            "residual of the free phase": residual(network, images, free),
            "residual of the nudged phase": residual(network, images, nudged, cost),
        }

    def _cost(self, batch: Batch, inputs: int) -> Cost:
        strength = self.nudge * inputs  # the loss is a mean, an energy one input's
        return lambda embedding: strength * self.objective.loss(self.head(embedding), batch)

    def _nudged(
        self, images: Tensor, free: tuple[Tensor, ...], sign: int, cost: Cost
    ) -> tuple[Tensor, ...]:
        with torch.no_grad():
            return with_energy(self.network).settle(
                images, free, push=lambda embedding: -sign * gradient_by(cost, embedding)
            )
