"""E-prop: each synapse keeps a trace of what it did, until a learning signal reaches its unit."""

from typing import cast

import torch
from torch import Tensor, nn

from isocortex.registry import learning_rule
from isocortex.training import Batch, FilmNetwork, Learner, Network, Objective


@learning_rule(
    variants={
        "e-prop": {
            "summary": "eligibility traces, and learning signals through the readout's weights",
            "term": "e-prop",
            "needs": ("loss", "eligibility"),
            "options": {"feedback": "symmetric"},
        },
        "e-prop-random": {
            "summary": "eligibility traces, and learning signals through fixed random weights",
            "term": "e-prop-random",
            "needs": ("loss", "output-error", "eligibility"),
            "options": {"feedback": "random"},
        },
    },
    mechanism="local",
    source="Bellec et al. 2020, Nat Commun 11:3625, eqs. 1–4",
    bibtex="""@article{bellec2020solution,
  author = {Bellec, Guillaume and Scherr, Franz and Subramoney, Anand and Hajek, Elias and Salaj,
    Darjan and Legenstein, Robert and Maass, Wolfgang},
  title = {A solution to the learning dilemma for recurrent networks of spiking neurons},
  journal = {Nature Communications},
  volume = {11},
  pages = {3625},
  year = {2020},
  doi = {10.1038/s41467-020-17236-y}
}""",
)
def e_prop(network: Network, objective: Objective, *, feedback: str) -> Learner:
    """A learner of dE/dW_ji = Σ_t L_j(t) e_ji(t); e_ji is what a synapse did to its unit's state.

    The sum is made backwards in time through a network whose units are kept apart, which needs no
    trace for each synapse, unit and film; it is what traces that run forward give. L_j is what the
    readout tells, here after the last frame, where objectives judge. What a unit does to others
    later is left out. A unit's synapse with itself counts as its memory, as its leak does; in the
    paper it counts as one with others. Random weights keep the length of the error on average.
    """
    kind = {"symmetric": _EProp, "random": _RandomEProp}[feedback]
    return kind(network, objective)


class _EProp(Learner):
    def taught(self) -> dict[str, nn.Parameter]:
        """All but the features of a frame, which have no traces, where a network has them."""
        fixed = "network.blocks.frame."
        return {n: each for n, each in super().taught().items() if not n.startswith(fixed)}

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        inputs = self.objective.inputs(batch, generator)
        states = cast(FilmNetwork, self.network).states(inputs, apart=True)
        read = states[-1].detach().requires_grad_()
        outputs = self.head(read)
        outputs.retain_grad()
        loss = self.objective.loss(outputs, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.autograd.backward(states[-1], self.signals(read, outputs))
        return loss.detach()

    def signals(self, read: Tensor, outputs: Tensor) -> Tensor:
        """The learning signals, (image, unit), once the loss has been sent back to `read`."""
        assert read.grad is not None
        return read.grad


class _RandomEProp(_EProp):
    feedback: Tensor

    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__(network, objective)
        with torch.no_grad():
            outputs = self.head.eval()(torch.zeros(1, network.width)).flatten(1).shape[1]
        self.register_buffer("feedback", torch.randn(outputs, network.width) * network.width**-0.5)

    def signals(self, read: Tensor, outputs: Tensor) -> Tensor:
        assert outputs.grad is not None
        return outputs.grad.flatten(1) @ self.feedback
