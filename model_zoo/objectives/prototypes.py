"""Prototypes: tell categories from one example of each, by how near they are."""

import torch
from torch import Tensor
from torch.nn import functional

from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective


@objective(
    name="prototypes",
    summary="tell an image's category from one other image of each (prototypical network)",
    term="few-shot",
    needs=("labels",),
    offers=("loss", "output-error"),
    options={"ways": 60, "shots": 1},
    source="Snell, Swersky & Zemel 2017, NeurIPS, arXiv:1703.05175, eqs. 1 and 2",
    bibtex="""@inproceedings{snell2017prototypical,
  author = {Snell, Jake and Swersky, Kevin and Zemel, Richard},
  title = {Prototypical networks for few-shot learning},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {30},
  year = {2017},
  eprint = {1703.05175},
  archiveprefix = {arXiv}
}""",
)
def prototypes(diet: Diet, *, ways: int, shots: int) -> Objective:
    """Cross-entropy of the nearest mean of `shots` embeddings, in episodes of up to `ways`.

    Each batch is one episode: of a category that has more than `shots` images in it the first so
    many are the examples and the others the queries; the paper draws episodes with as many queries
    of each. A batch without any has a loss of 0. There is no head: the embedding itself is taught.
    """
    return _Prototypes(ways, shots)


class _Prototypes(Objective):
    def __init__(self, ways: int, shots: int) -> None:
        self.ways = ways
        self.shots = shots

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        assert batch.labels is not None  # the card needs them
        way, rank = episode(batch.labels, self.ways, self.shots)
        queries = (way >= 0) & (rank >= self.shots)
        if not queries.any():
            return outputs.sum() * 0
        examples = (way >= 0) & (rank < self.shots)
        distances = squared_distances(outputs[queries], centres(outputs[examples], way[examples]))
        return functional.cross_entropy(-distances, way[queries])


def episode(labels: Tensor, ways: int, shots: int) -> tuple[Tensor, Tensor]:
    """For each image the number of its category in the episode, and its place within that.

    Categories with more than `shots` images take part, numbered 0 … ways − 1 as they come; images
    of others have −1.
    """
    _, category, counts = labels.unique(return_inverse=True, return_counts=True)  # type: ignore[no-untyped-call]
    rank = (category[:, None] == category[None, :]).tril(-1).sum(dim=1)
    first = (rank == 0) & (counts[category] > shots)
    number = torch.full_like(counts, -1)
    number[category[first]] = torch.arange(int(first.sum()), device=labels.device)
    number[number >= ways] = -1
    return number[category], rank


def centres(embeddings: Tensor, way: Tensor) -> Tensor:
    """The mean embedding of each category 0 … n − 1, (category, width); eq. 1."""
    belongs = functional.one_hot(way).to(embeddings)
    return (belongs / belongs.sum(dim=0)).T @ embeddings


def squared_distances(queries: Tensor, means: Tensor) -> Tensor:
    """Between each query and each mean, (query, category)."""
    return ((queries[:, None] - means[None]) ** 2).sum(dim=2)
