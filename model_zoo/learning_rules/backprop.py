"""Backpropagation of error: the gradient itself, against which all other rules are measured."""

import torch
from torch import Tensor

from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective


@learning_rule(
    name="backprop",
    summary="the gradient of the loss",
    term="backprop",
    mechanism="re-route",
    needs=("loss",),
    source="Rumelhart, Hinton & Williams 1986, Nature 323:533",
    bibtex="""@article{rumelhart1986learning,
  author = {Rumelhart, David E. and Hinton, Geoffrey E. and Williams, Ronald J.},
  title = {Learning representations by back-propagating errors},
  journal = {Nature},
  volume = {323},
  pages = {533--536},
  year = {1986},
  doi = {10.1038/323533a0}
}""",
)
def backprop(network: Network, objective: Objective) -> Learner:
    """A learner whose `step` leaves the gradient."""
    return _Backprop(network, objective)


class _Backprop(Learner):
    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        loss = self.loss(batch, generator)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()
