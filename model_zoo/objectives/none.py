"""None: no objective, for rules that bring their own, such as Hebbian ones."""

from torch import Tensor

from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective


@objective(
    name="none",
    summary="no objective: the learning rule knows by itself what to do",
    term="none",
    offers=("no-loss",),
    source="Hebb 1949, The Organization of Behavior",
    bibtex="""@book{hebb1949organization,
  author = {Hebb, Donald O.},
  title = {The Organization of Behavior: A Neuropsychological Theory},
  publisher = {Wiley},
  address = {New York},
  year = {1949}
}""",
)
def none(diet: Diet) -> Objective:
    """An objective without head, whose loss is 0 with a gradient of 0, on any diet.

    Rules that need a loss are refused before they see it, because "loss" is not offered.
    """
    return _NoObjective()


class _NoObjective(Objective):
    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return 0 * outputs.sum()  # the credit audit and the history of losses still work
