"""Backpropagation of error: the gradient itself, against which all other rules are measured."""

import torch
from torch import Tensor

from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective


@learning_rule(
    variants={
        "backprop": {
            "summary": "the gradient of the loss",
            "term": "backprop",
            "needs": ("loss",),
            "source": "Rumelhart, Hinton & Williams 1986, Nature 323:533",
        },
        "surrogate-gradient": {
            "summary": "backpropagation with a smooth stand-in for the derivative of a spike",
            "term": "surrogate-gradient",
            "needs": ("loss", "spiking"),
            "source": "Neftci, Mostafa & Zenke 2019, IEEE Signal Process Mag 36(6):51",
            "bibtex": """@article{neftci2019surrogate,
  author = {Neftci, Emre O. and Mostafa, Hesham and Zenke, Friedemann},
  title = {Surrogate Gradient Learning in Spiking Neural Networks},
  journal = {IEEE Signal Processing Magazine},
  volume = {36},
  number = {6},
  pages = {51--63},
  year = {2019}
}""",
        },
    },
    mechanism="re-route",
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
    """A learner whose `step` leaves the gradient.

    Spikes have none: networks of them bring a stand-in, a property of their cells. There both names
    mean the same updates; `surrogate-gradient` says that they are no gradient, and is refused where
    units are smooth.
    """
    return _Backprop(network, objective)


class _Backprop(Learner):
    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        loss = self.loss(batch, generator)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()
