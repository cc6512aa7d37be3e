"""Per block: what is learned for changes with depth, one objective below and another above."""

import torch
from torch import Tensor, nn

from isocortex.errors import InputError
from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective
from isocortex.training.loop import load_part


@objective(
    variants={
        "reconstruct-below-categorise": {
            "summary": "lower blocks give the image back, upper blocks categorise",
            "options": {"below": "autoencode", "above": "categorise", "border": 0.5},
        },
        "contrast-below-categorise": {
            "summary": "lower blocks contrast views, upper blocks categorise",
            "options": {"below": "contrast", "above": "categorise", "border": 0.5},
        },
        "categorise-below-contrast": {
            "summary": "lower blocks categorise, upper blocks contrast views",
            "options": {"below": "categorise", "above": "contrast", "border": 0.5},
        },
    },
    term="per-block",
    needs=("labels", "block-losses"),
    offers=("loss", "output-error"),
    source="Marblestone, Wayne & Kording 2016, Front Comput Neurosci 10:94, section 3",
    bibtex="""@article{marblestone2016toward,
  author = {Marblestone, Adam H. and Wayne, Greg and Kording, Konrad P.},
  title = {Toward an Integration of Deep Learning and Neuroscience},
  journal = {Frontiers in Computational Neuroscience},
  volume = {10},
  pages = {94},
  year = {2016},
  doi = {10.3389/fncom.2016.00094}
}""",
)
def per_block(diet: Diet, *, below: str, above: str, border: float) -> Objective:
    """The objective `below` for blocks whose depth is less than `border`, and `above` for others.

    Depth is 0 at the first and 1 at the last block. The paper says that costs vary over areas; the
    pairs are ours. Only rules that give each block a loss of its own can teach it. Raises
    InputError for a border that is no depth.
    """
    if not 0 <= border <= 1:
        raise InputError(
            f"a border at depth {border}; blocks are from 0, the first, to 1, the last"
        )
    parts = {name: load_part("objective", name)(diet) for name in (below, above)}
    return _PerBlock(parts[below], parts[above], border)


class _PerBlock(Objective):
    """Of the network as a whole it is the upper objective, which sees the embedding."""

    def __init__(self, below: Objective, above: Objective, border: float) -> None:
        self.below = below
        self.above = above
        self.border = border

    def at_depth(self, depth: float) -> Objective:
        return self.below if depth < self.border else self.above

    def head(self, width: int) -> nn.Module:
        return self.above.head(width)

    def inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return self.above.inputs(batch, generator)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return self.above.loss(outputs, batch)
