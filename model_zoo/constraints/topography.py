"""Constraints of a sheet: what lies near is alike, and what lies far is hardly connected.

Papers add such terms to the loss, so the optimiser scales them together with the task's gradient.
Here each is a step of its own after the optimiser's, of a fixed size, as weight decay is in AdamW:
so it goes with every objective and every learning rule, also those that have no loss. As the
learning rate falls in the course of training, the constraint gains the upper hand.
"""

from isocortex.registry import constraint
from isocortex.training import Network


@constraint(
    name="smooth",
    summary="weights diffuse to the same weights of the four units next to theirs on the sheet",
    needs=("sheet",),
    options={"share": 0.02},
    source="after Lu et al. 2025, Nat Hum Behav, doi:10.1038/s41562-025-02220-7",
    bibtex="""@article{lu2025topographic,
  author = {Lu, Zejin and Doerig, Adrien and Bosch, Victoria and Krahmer, Bas and Kaiser, Daniel and
    Cichy, Radoslaw M. and Kietzmann, Tim C.},
  title = {End-to-end topographic networks as models of cortical map formation and human visual
    behaviour},
  journal = {Nature Human Behaviour},
  year = {2025},
  doi = {10.1038/s41562-025-02220-7}
}""",
)
def diffuse(network: Network, *, share: float) -> None:
    """A unit's weights become 1 − `share` of theirs and `share` of its neighbours' mean.

    That is a gradient step on share/8 Σ ‖w − w'‖² over all pairs of neighbours. Lu et al. lower the
    mean cosine distance between the weights of neighbours, which does not see how long weights are;
    here weights also shrink where neighbours differ. Margalit et al. 2024 (Neuron) ask for similar
    responses, not weights: that takes a batch, which a constraint does not see. At the sheet's edge
    a unit is its own neighbour, so the mean over the sheet stays.
    """
    for module in network.modules():
        if hasattr(module, "neighbours"):
            weight = module.get_parameter("weight")
            weight.lerp_(weight[module.get_buffer("neighbours")].mean(dim=1), share)


@constraint(
    name="short-wires",
    summary="weights decay by the length of their connection",
    needs=("sheet",),
    options={"rate": 0.1},
    source="Jacobs & Jordan 1992, J Cogn Neurosci 4:323",
    bibtex="""@article{jacobs1992computational,
  author = {Jacobs, Robert A. and Jordan, Michael I.},
  title = {Computational Consequences of a Bias toward Short Connections},
  journal = {Journal of Cognitive Neuroscience},
  volume = {4},
  number = {4},
  pages = {323--336},
  year = {1992},
  doi = {10.1162/jocn.1992.4.4.323}
}""",
)
def decay_with_length(network: Network, *, rate: float) -> None:
    """A weight becomes 1 − `rate` · length of itself; lengths are shares of the sheet's side.

    That is a gradient step on the wiring cost rate/2 Σ length · w², where Jacobs and Jordan add a
    cost by length to the loss. All sheets are of one size, one upon the other, so connections of
    higher sheets, whose receptive fields are a larger share of the image, are longer.
    """
    for module in network.modules():
        if hasattr(module, "wires"):
            module.get_parameter("weight").mul_(1 - rate * module.get_buffer("wires"))
