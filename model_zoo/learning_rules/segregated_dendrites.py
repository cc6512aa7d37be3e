"""Segregated dendrites: what the outputs say arrives apart from what the senses say."""

import torch
from torch import Tensor

from isocortex.errors import InputError
from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._blocks import answers_to_nothing
from ._chain import cut, links
from ._rerouted import Kept


@learning_rule(
    name="segregated-dendrites",
    summary="plateau potentials of apical dendrites before and while the outputs are taught",
    term="segregated-dendrites",
    mechanism="broadcast",
    needs=("loss", "targets", "chain"),
    source="Guerguiev, Lillicrap & Richards 2017, eLife 6:e22901, in the form of rates",
    bibtex="""@article{guerguiev2017towards,
  author = {Guerguiev, Jordan and Lillicrap, Timothy P. and Richards, Blake A.},
  title = {Towards deep learning with segregated dendrites},
  journal = {eLife},
  volume = {6},
  pages = {e22901},
  year = {2017},
  doi = {10.7554/eLife.22901}
}""",
)
def segregated_dendrites(network: Network, objective: Objective) -> Learner:
    """A learner whose units have two dendrites: basal ones hear what is below, apical the outputs.

    Outputs fire at rates σ(head); in a second phase a current holds them at their targets. At the
    end of each phase a unit's apical dendrite has a plateau potential, α = σ(Y · rates) with fixed
    random Y. Basal synapses move the unit's answer towards answer + α(target) − α(forward), the
    head its rates towards the targets: each by the gradient of half the squared distance. Apical
    voltages do not reach the soma, so any chain of blocks is a network of basal dendrites and
    somata, and no architecture of its own is needed. Deviations from the paper: rates instead of
    Poisson spikes averaged over a phase, units as the architecture has them (the paper's are those
    of mlp3-sigmoid), and outputs talk to all blocks. `step` raises InputError for targets that are
    no rates from 0 to 1.
    """
    return _SegregatedDendrites(network, objective)


class _SegregatedDendrites(Learner):
    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__(network, objective)
        self.apical = Kept(self._drawn())

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        *cuts, head = cut(links(self), self.objective.inputs(batch, generator))
        rates, targets = head.after.detach().sigmoid(), _rates(self.objective.targets(batch))
        for each, apical in zip(cuts, self.apical.tensors().values(), strict=True):
            forward, taught = ((rate @ apical).sigmoid() for rate in (rates, targets))
            each.teach((forward - taught).reshape(each.after.shape) / len(rates))
        head.teach((rates - targets) * rates * (1 - rates) / len(rates))
        return self.objective.loss(head.after, batch).detach()

    @torch.no_grad()
    def _drawn(self) -> dict[str, Tensor]:
        """Y of each block, (output, unit)."""
        answers = answers_to_nothing(self.network)
        *_, embedding = answers.values()
        outputs = self.head(embedding).shape[1]
        return {name: torch.randn(outputs, each.numel()) for name, each in answers.items()}


def _rates(targets: Tensor) -> Tensor:
    if not bool(((targets >= 0) & (targets <= 1)).all()):
        raise InputError(
            "segregated-dendrites holds outputs at rates from 0 to 1: it expects such targets, as "
            "those of categorise"
        )
    return targets
