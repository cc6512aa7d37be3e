"""Restricted Boltzmann machines: a layer comes to dream what it sees."""

from typing import Final

import torch
from torch import Tensor, nn

from isocortex.registry import learning_rule
from isocortex.training import Learner, Network, Objective

from ._local import LocalLearner

_STEPS: Final = 1
"""How many times the units are drawn anew before the machine is taken to dream."""

Change = tuple[Tensor, Tensor, Tensor]


@learning_rule(
    name="boltzmann",
    summary="contrastive divergence: Hebbian awake, anti-Hebbian after one step of dreaming",
    term="contrastive-divergence",
    mechanism="local",
    needs=("no-loss", "chain"),
    source="Hinton 2002, Neural Comput 14:1771; layer by layer: Hinton, Osindero & Teh 2006, "
    "Neural Comput 18:1527",
    bibtex="""@article{hinton2002training,
  author = {Hinton, Geoffrey E.},
  title = {Training products of experts by minimizing contrastive divergence},
  journal = {Neural Computation},
  volume = {14},
  number = {8},
  pages = {1771--1800},
  year = {2002},
  doi = {10.1162/089976602760128018}
}""",
)
def boltzmann(network: Network, objective: Objective) -> Learner:
    """A learner of Δw = ⟨h v⟩ of the inputs − ⟨h v⟩ after a step of Gibbs sampling from them.

    The logistic function makes probabilities of what a layer receives. Biases of both sides are the
    learner's own and are taught with the weights; the network passes on sums without them.
    """
    return _Boltzmann(network, objective)


class _Boltzmann(LocalLearner):
    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__(network, objective)
        self.visible, self.hidden = nn.ParameterDict(), nn.ParameterDict()
        for name, layer in self.layers().items():
            units, inputs = layer.weight.flatten(1).shape
            self.visible[name.replace(".", "_")] = nn.Parameter(torch.zeros(inputs))
            self.hidden[name.replace(".", "_")] = nn.Parameter(torch.zeros(units))

    def taught(self) -> dict[str, nn.Parameter]:
        biases = dict(self.visible.named_parameters(prefix="visible"))
        return super().taught() | biases | dict(self.hidden.named_parameters(prefix="hidden"))

    def change(
        self, layer: str, weights: Tensor, samples: Tensor, generator: torch.Generator
    ) -> Tensor:
        name = layer.replace(".", "_")
        biases = self.visible[name], self.hidden[name]
        found, *changes = contrastive_divergence(
            torch.sigmoid(samples), weights, biases, steps=_STEPS, generator=generator
        )
        for bias, change in zip(biases, changes, strict=True):
            bias.grad = -change
        return found


def contrastive_divergence(
    inputs: Tensor,
    weights: Tensor,
    biases: tuple[Tensor, Tensor],
    *,
    steps: int,
    generator: torch.Generator,
) -> Change:
    """Changes of weights (unit, input) and of the biases (input,) and (unit,) for inputs in [0, 1].

    As `steps` grows they become the gradient of the mean log likelihood. Where units are averaged
    over and not passed on, their probabilities stand for draws, which adds no bias and less noise.
    """
    visible_bias, hidden_bias = biases
    awake = torch.sigmoid(inputs @ weights.T + hidden_bias)
    dreamt, hidden = inputs, awake
    for _ in range(steps):
        chosen = _drawn(hidden, generator)
        dreamt = _drawn(torch.sigmoid(chosen @ weights + visible_bias), generator)
        hidden = torch.sigmoid(dreamt @ weights.T + hidden_bias)
    count = len(inputs)
    return (
        (awake.T @ inputs - hidden.T @ dreamt) / count,
        (inputs - dreamt).mean(0),
        (awake - hidden).mean(0),
    )


def _drawn(probabilities: Tensor, generator: torch.Generator) -> Tensor:
    level = torch.rand(probabilities.shape, generator=generator, dtype=probabilities.dtype)
    return (level.to(probabilities.device) < probabilities).to(probabilities)
