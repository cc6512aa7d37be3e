"""Direct random target projection: the right answer is broadcast, before any error is known."""

from torch import Tensor

from isocortex.errors import IncompatibleError
from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._broadcast import Broadcasting


@learning_rule(
    name="direct-targets",
    summary="the output's target, sent to each block through fixed random weights",
    term="direct-targets",
    mechanism="broadcast",
    needs=("loss", "targets", "chain"),
    source="Frenkel, Lefebvre & Bol 2021, Front Neurosci 15:629892",
    bibtex="""@article{frenkel2021learning,
  author = {Frenkel, Charlotte and Lefebvre, Martin and Bol, David},
  title = {Learning without feedback: Fixed random learning signals allow for feedforward training
    of deep neural networks},
  journal = {Frontiers in Neuroscience},
  volume = {15},
  pages = {629892},
  year = {2021},
  doi = {10.3389/fnins.2021.629892}
}""",
)
def direct_targets(network: Network, objective: Objective) -> Learner:
    """A learner that gives each block y·B for the target y, over the number of images.

    As with direct feedback, each block gets a signal, not each layer. Raises IncompatibleError for
    an objective without targets.
    """
    if type(objective).targets is Objective.targets:
        raise IncompatibleError(
            "direct-targets needs an objective with targets, such as categorise, and this one has "
            "none; direct-feedback does with the outputs' error"
        )
    return _DirectTargets(network, objective)


class _DirectTargets(Broadcasting):
    def signal(self, error: Tensor, batch: Batch) -> Tensor:
        targets = self.objective.targets(batch)
        return targets / len(targets)
