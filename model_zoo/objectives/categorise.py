"""Categorise: say what is in the image."""

from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective


@objective(
    name="categorise",
    summary="cross-entropy of categories",
    term="categorise",
    needs=("labels",),
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
def categorise(diet: Diet) -> Objective:
    """The objective for the categories of a diet."""
    return _Categorise(len(diet.categories))


class _Categorise(Objective):
    def __init__(self, categories: int) -> None:
        self.categories = categories

    def head(self, width: int) -> nn.Module:
        return nn.Linear(width, self.categories)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        assert batch.labels is not None  # the card needs them
        return functional.cross_entropy(outputs, batch.labels)

    def targets(self, batch: Batch) -> Tensor:
        assert batch.labels is not None  # the card needs them
        return functional.one_hot(batch.labels, self.categories).to(batch.images.dtype)
