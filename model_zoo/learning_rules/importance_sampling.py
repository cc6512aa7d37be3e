"""Importance sampling: of the inputs in a batch, those that teach most are learned from most often.

What is seldom learned from then counts for more, so that on average the update is the gradient. Its
variance is least where inputs are drawn in proportion to the norms of their gradients.
"""

from typing import Final

import torch
from torch import Tensor

from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

_ADDED: Final = 0.1
"""What is added to all norms, as a share of their mean: none is drawn too seldom."""


@learning_rule(
    variants={
        "importance-sampling": {
            "summary": "the gradient from a quarter of the inputs, drawn by how much they teach",
            "options": {"share": 0.25, "important": True},
        },
        "uniform-sampling": {
            "summary": "control of importance-sampling: the inputs are all drawn alike",
            "options": {"share": 0.25, "important": False},
        },
    },
    term="importance-sampling",
    mechanism="re-route",
    needs=("loss", "output-error"),
    source="Alain et al. 2015, arXiv:1511.06481, section 3",
    bibtex="""@article{alain2015variance,
  author = {Alain, Guillaume and Lamb, Alex and Sankar, Chinnadhurai and Courville, Aaron and
    Bengio, Yoshua},
  title = {Variance reduction in {SGD} by distributed importance sampling},
  journal = {arXiv:1511.06481},
  year = {2015}
}""",
)
def importance_sampling(
    network: Network, objective: Objective, *, share: float, important: bool
) -> Learner:
    """A learner of ⟨∇ᵢ/(n pᵢ)⟩ over inputs i drawn with probabilities pᵢ, ∇ᵢ what i adds to n · ∇.

    The batch is what is drawn from, a `share` of it as often as that, with repeats. pᵢ follows the
    norm of what input i adds to the gradient of a linear readout of the embedding, |δᵢ| √(1 +
    |hᵢ|²), where the paper sums it over all layers and a whole data set of which old values are
    kept, and as there a constant is added. All inputs go forward, so that normalisation over the
    batch stays as it is, and losses that compare inputs have the right gradient: the rule shows
    what is gained for each input learned from, and does not save time.
    """
    return _ImportanceSampling(network, objective, share, important)


class _ImportanceSampling(Learner):
    def __init__(
        self, network: Network, objective: Objective, share: float, important: bool
    ) -> None:
        super().__init__(network, objective)
        self.share, self.important = share, important

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        embedding = self.network(self.objective.inputs(batch, generator))
        outputs = self.head(embedding)
        seen = outputs.detach().requires_grad_()
        loss = self.objective.loss(seen, batch)
        (error,) = torch.autograd.grad(loss, seen)
        chances = torch.full((len(error),), 1 / len(error)).to(error)
        if self.important:
            chances = proposal(error, embedding.detach())
        draws = max(1, round(self.share * len(error)))
        # on the CPU, so that the same are drawn on every device
        drawn = torch.multinomial(chances.cpu(), draws, replacement=True, generator=generator)
        times = drawn.bincount(minlength=len(error)).to(error)
        counted = (times / (draws * chances)).view(-1, *[1] * (error.dim() - 1))
        outputs.backward(error * counted)
        return loss.detach()


def proposal(error: Tensor, embedding: Tensor) -> Tensor:
    """The probabilities (input,) to draw inputs with, of the errors of their outputs."""
    size = (1 + embedding.flatten(1).square().sum(1)).sqrt()
    norms: Tensor = error.flatten(1).norm(dim=1) * size
    norms = norms + _ADDED * norms.mean() + torch.finfo(norms.dtype).tiny
    return norms / norms.sum()
