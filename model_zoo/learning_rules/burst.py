"""Burst-dependent plasticity: events carry what is seen, the share of bursts how to change."""

from typing import Final

import torch
from torch import Tensor, nn

from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._chain import cut, judged, links
from ._credit import Rerouting
from ._rerouted import Kept, drawn_like

_LEAST_EVENTS: Final = 0.1
"""Events of a unit that is silent: bursts can only be told apart where there are events."""


@learning_rule(
    variants={
        "burst": {
            "summary": "burst-dependent plasticity as rates, with symmetric feedback",
            "options": {"teaching": 0.1, "symmetric": True},
        },
        "burst-random": {
            "summary": "burst-dependent plasticity as rates, with fixed random feedback",
            "options": {"teaching": 0.1, "symmetric": False},
        },
    },
    term="burst",
    mechanism="relax",
    needs=("loss", "chain"),
    source="Payeur et al. 2021, Nat Neurosci 24:1010, in its form of rates",
    bibtex="""@article{payeur2021burst,
  author = {Payeur, Alexandre and Guerguiev, Jordan and Zenke, Friedemann and Richards, Blake A. and
    Naud, Richard},
  title = {Burst-dependent synaptic plasticity can coordinate learning in hierarchical circuits},
  journal = {Nature Neuroscience},
  volume = {24},
  number = {7},
  pages = {1010--1019},
  year = {2021},
  doi = {10.1038/s41593-021-00857-x}
}""",
)
def burst(network: Network, objective: Objective, *, teaching: float, symmetric: bool) -> Learner:
    """A learner whose units burst more or less often than at rest, by what their dendrites hear.

    A dendrite hears the bursts above that exceed those at rest, through the transposed Jacobian of
    the block above, with random weights in it where feedback is not `symmetric`. Outputs burst by
    `teaching` times the error. As that goes to 0 the symmetric rule goes to the gradient; else
    shares of bursts saturate at 0 and 1. Deviations from the paper: bursts at rest are taken as
    inhibited already (there by synapses that learn to), so the share at rest is ½; events are
    |response| + .1, as responses may be negative; no moving average of the share.
    """
    return _Burst(network, objective, teaching=teaching, symmetric=symmetric)


class _Burst(Learner):
    def __init__(
        self, network: Network, objective: Objective, *, teaching: float, symmetric: bool
    ) -> None:
        super().__init__(network, objective)
        self.teaching = teaching
        self.feedback = Kept({} if symmetric else drawn_like(self._weights()))

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        images = self.objective.inputs(batch, generator)
        weights = self._weights()
        back = {id(weights[name]): each for name, each in self.feedback.tensors().items()}
        with Rerouting(back):
            cuts = cut(links(self), images)
        loss, error = judged(self, cuts[-1].after, batch)
        strength = self.teaching * len(images)  # the loss is a mean, bursts are one image's
        heard = -strength * error
        for each in reversed(cuts):
            bursts = excess_bursts(each.after.detach(), heard)
            each.teach(-bursts / strength)
            heard = each.down(bursts)
        return loss

    def _weights(self) -> dict[str, nn.Parameter]:
        """The taught parameters that signals are multiplied with: all but vectors."""
        return {name: each for name, each in self.taught().items() if each.dim() > 1}


def excess_bursts(responses: Tensor, heard: Tensor) -> Tensor:
    """Bursts beyond those at rest, for what the dendrite hears; equal to that where it is little.

    Events times σ(4 · heard / events) − ½, which lies within half the events.
    """
    events = responses.abs() + _LEAST_EVENTS
    return events * torch.tanh(2 * heard / events) / 2
