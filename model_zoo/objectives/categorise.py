"""Categorise: say what is in the image, or what a film is of."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective


@objective(
    variants={
        "categorise": {
            "summary": "cross-entropy of categories",
            "needs": ("labels",),
        },
        "categorise-film": {
            "summary": "cross-entropy of categories after a whole film, such as what comes next",
            "needs": ("labels", "sequence", "film"),
            "options": {"film": True},
        },
    },
    term="categorise",
    offers=("loss", "output-error", "targets"),
    source="Yamins et al. 2014, PNAS 111:8619",
    bibtex="""@article{yamins2014performance,
  author = {Yamins, Daniel L. K. and Hong, Ha and Cadieu, Charles F. and Solomon, Ethan A. and
    Seibert, Darren and DiCarlo, James J.},
  title = {Performance-optimized hierarchical models predict neural responses in higher visual
    cortex},
  journal = {Proceedings of the National Academy of Sciences},
  volume = {111},
  number = {23},
  pages = {8619--8624},
  year = {2014},
  doi = {10.1073/pnas.1403112111}
}""",
)
def categorise(diet: Diet, *, film: bool = False) -> Objective:
    """The objective for the categories of a diet, told from images or from its films."""
    return _Categorise(len(diet.categories), film)


class _Categorise(Objective):
    def __init__(self, categories: int, film: bool) -> None:
        self.categories, self.film = categories, film

    def head(self, width: int) -> nn.Module:
        return nn.Linear(width, self.categories)

    def inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        if not self.film:
            return batch.images
        assert batch.sequence is not None  # the card needs it
        return batch.sequence

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        assert batch.labels is not None  # the card needs them
        return functional.cross_entropy(outputs, batch.labels)

    def targets(self, batch: Batch) -> Tensor:
        assert batch.labels is not None  # the card needs them
        return functional.one_hot(batch.labels, self.categories).to(batch.images.dtype)
