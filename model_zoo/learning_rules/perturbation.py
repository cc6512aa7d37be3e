"""Perturbation: jitter the units or the weights, and keep what made the loss smaller.

All that the rules know of the objective is its value: nothing is sent back. On average over noise
the update is the gradient. With k draws of noise on n numbers its variance is (n + 1)/k of the
squared gradient, and the angle between the two arccos √((k + 2)/(k + n + 1)).
"""

from typing import Final

import torch
from torch import Tensor

from isocortex.errors import IncompatibleError
from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._noise import answering, noise_like, scaled

_UNIT_NOISE: Final = 0.03
_WEIGHT_NOISE: Final = 0.003
"""Standard deviations: small against responses and weights, large against rounding."""
_INSTEAD: Final = "weight-perturbation"
"""What to choose for networks whose units take no noise."""


@learning_rule(
    variants={
        "node-perturbation": {
            "summary": "units jitter, and learn from how the loss of an input changed with it",
            "term": "node-perturbation",
            "needs": ("loss", "output-error"),
            "options": {"jittered": "nodes", "draws": 8},
        },
        "weight-perturbation": {
            "summary": "weights jitter, and learn from how the loss changed with them",
            "term": "weight-perturbation",
            "needs": ("loss",),
            "options": {"jittered": "weights", "draws": 8},
        },
    },
    mechanism="local",
    source="Werfel, Xie & Seung 2005, Neural Comput 17:2699",
    bibtex="""@article{werfel2005learning,
  author = {Werfel, Justin and Xie, Xiaohui and Seung, H. Sebastian},
  title = {Learning curves for stochastic gradient descent in linear feedforward networks},
  journal = {Neural Computation},
  volume = {17},
  number = {12},
  pages = {2699--2718},
  year = {2005},
  doi = {10.1162/089976605774320539}
}""",
)
def perturbation(network: Network, objective: Objective, *, jittered: str, draws: int) -> Learner:
    """A learner of the mean over `draws` of noise ξ of (L(ξ) − L) ξ/σ²; the first pass is quiet.

    Of "weights", ξ is on all of them, and L is the loss of the batch. Of "nodes", it is on the
    answer of each module with weights, and each input has a change of the loss of its own: that of
    its outputs being the noisy ones while all others are quiet. What an input does to others
    through batch normalisation is not seen; without it the update is the gradient on average.
    """
    kind = {"nodes": _NodePerturbation, "weights": _WeightPerturbation}[jittered]
    return kind(network, objective, draws)


class _Perturbation(Learner):
    def __init__(self, network: Network, objective: Objective, draws: int) -> None:
        super().__init__(network, objective)
        self.draws = draws


class _NodePerturbation(_Perturbation):
    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        inputs = self.objective.inputs(batch, generator)
        nodes: list[Tensor] = []

        def remember(answer: Tensor) -> Tensor:
            nodes.append(answer)
            return answer

        with answering((self.network, self.head), remember, instead=_INSTEAD):
            quiet = self.head(self.network(inputs)).detach()
        credit = [torch.zeros_like(node) for node in nodes]
        for _ in range(self.draws):
            noise = [noise_like(node, _UNIT_NOISE, generator) for node in nodes]
            gains = self._gains(quiet, self._noisy_outputs(inputs, noise), batch)
            for total, each in zip(credit, noise, strict=True):
                total += scaled(each, gains, instead=_INSTEAD) / (self.draws * _UNIT_NOISE**2)
        torch.autograd.backward(nodes, credit)
        return self.objective.loss(quiet, batch)

    @torch.no_grad()
    def _noisy_outputs(self, inputs: Tensor, noise: list[Tensor]) -> Tensor:
        waiting = iter(noise)

        def add(answer: Tensor) -> Tensor:
            each = next(waiting, torch.zeros(0))
            if each.shape != answer.shape:
                raise IncompatibleError(
                    "the network's modules do not answer in the same order each time, so noise "
                    "can't be told apart; choose weight-perturbation"
                )
            return answer + each

        with answering((self.network, self.head), add, instead=_INSTEAD):
            outputs: Tensor = self.head(self.network(inputs))
        return outputs

    @torch.no_grad()
    def _gains(self, quiet: Tensor, noisy: Tensor, batch: Batch) -> Tensor:
        """How the loss changes if one input's outputs are the noisy ones, (input,)."""
        loss = self.objective.loss(quiet, batch)
        changed = []
        for row in range(len(quiet)):
            mixed = quiet.clone()
            mixed[row] = noisy[row]
            changed.append(self.objective.loss(mixed, batch))
        return torch.stack(changed) - loss


class _WeightPerturbation(_Perturbation):
    @torch.no_grad()
    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        inputs = self.objective.inputs(batch, generator)
        weights = list(self.taught().values())
        starts = [each.clone() for each in weights]
        credit = [torch.zeros_like(each) for each in weights]
        quiet = self._judged(inputs, batch)
        for _ in range(self.draws):
            noise = [noise_like(each, _WEIGHT_NOISE, generator) for each in weights]
            for weight, start, each in zip(weights, starts, noise, strict=True):
                weight.copy_(start + each)
            gain = (self._judged(inputs, batch) - quiet) / (self.draws * _WEIGHT_NOISE**2)
            for total, each in zip(credit, noise, strict=True):
                total += gain * each
        for weight, start, change in zip(weights, starts, credit, strict=True):
            weight.copy_(start)
            weight.grad = change
        return quiet

    def _judged(self, inputs: Tensor, batch: Batch) -> Tensor:
        return self.objective.loss(self.head(self.network(inputs)), batch)
