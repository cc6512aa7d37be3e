"""Contrastive Hebbian learning: Hebbian with the outputs held right, anti-Hebbian as they are."""

import torch
from torch import Tensor

from isocortex.errors import InputError
from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._phases import gradient_by, teach_contrast, with_energy


@learning_rule(
    name="contrastive-hebbian",
    summary="Hebbian with the outputs clamped to their targets, anti-Hebbian with them free",
    term="contrastive-hebbian",
    mechanism="relax",
    needs=("targets", "energy"),
    options={"feedback": 0.05},
    source="Movellan 1991, Connectionist Models 10; with weak feedback: Xie & Seung 2003, Neural "
    "Comput 15:441",
    bibtex="""@article{xie2003equivalence,
  author = {Xie, Xiaohui and Seung, H. Sebastian},
  title = {Equivalence of backpropagation and contrastive {H}ebbian learning in a layered network},
  journal = {Neural Computation},
  volume = {15},
  number = {2},
  pages = {441--454},
  year = {2003},
  doi = {10.1162/089976603762552988}
}""",
)
def contrastive_hebbian(network: Network, objective: Objective, *, feedback: float) -> Learner:
    """A learner whose `step` leaves −Δw for the weights of the network and of the head.

    The head's outputs are units of the energy, of which one wins (softmax), and talk back with gain
    `feedback`, γ in Xie & Seung; among the other layers feedback is full, unlike there. As γ → 0
    the difference goes to γ times the gradient of the cross-entropy. `step` raises InputError for
    targets that are no probabilities.
    """
    return _ContrastiveHebbian(network, objective, feedback=feedback)


class _ContrastiveHebbian(Learner):
    def __init__(self, network: Network, objective: Objective, *, feedback: float) -> None:
        super().__init__(with_energy(network), objective)
        self.feedback = feedback

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        images = self.objective.inputs(batch, generator)
        targets = _probabilities(self.objective.targets(batch))
        with torch.no_grad():
            settle = with_energy(self.network).settle
            free = settle(images, push=lambda top: self._talked_back(top, self._outputs(top)))
            clamped = settle(images, free, push=lambda top: self._talked_back(top, targets))
            loss = self.objective.loss(self.head(free[-1]), batch)
            outputs = self._outputs(free[-1])
        teach_contrast(self, images, (clamped, free), weight=1 / self.feedback)
        self._teach_head((clamped[-1], targets), (free[-1], outputs))
        return loss

    def _outputs(self, embedding: Tensor) -> Tensor:
        outputs: Tensor = self.head(embedding).softmax(1)
        return outputs

    def _talked_back(self, embedding: Tensor, outputs: Tensor) -> Tensor:
        """What outputs add to the drive of the embedding: γ times theirs through the head."""
        heard = gradient_by(lambda top: (self.head(top) * outputs).sum(), embedding)
        return self.feedback * heard

    def _teach_head(self, clamped: tuple[Tensor, Tensor], free: tuple[Tensor, Tensor]) -> None:
        wanted, unwanted = ((self.head(top) * outputs).sum(1) for top, outputs in (clamped, free))
        (unwanted - wanted).mean().backward()


def _probabilities(targets: Tensor) -> Tensor:
    if bool((targets < 0).any()) or not torch.allclose(targets.sum(1), targets.new_ones(())):
        raise InputError(
            "contrastive-hebbian clamps outputs of which one wins: it expects targets that are "
            "probabilities, such as those of categorise"
        )
    return targets
