"""SwAV: put two views of an image into the same cluster, and images evenly into all of them."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective

from ._heads import Cosines, projector
from ._views import two_views


@objective(
    name="swav",
    summary="the same cluster for two views, and all clusters as often (SwAV)",
    term="cluster-views",
    offers=("loss", "output-error"),
    options={
        "outputs": 64,
        "prototypes": 32,
        "temperature": 0.1,
        "smoothness": 0.05,
        "rounds": 3,
    },
    source="Caron et al. 2020, arXiv:2006.09882, eqs. 1–5",
    bibtex="""@inproceedings{caron2020unsupervised,
  author = {Caron, Mathilde and Misra, Ishan and Mairal, Julien and Goyal, Priya and Bojanowski,
    Piotr and Joulin, Armand},
  title = {Unsupervised learning of visual features by contrasting cluster assignments},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2020},
  eprint = {2006.09882},
  archiveprefix = {arXiv}
}""",
)
def swav(
    diet: Diet,
    *,
    outputs: int,
    prototypes: int,
    temperature: float,
    smoothness: float,
    rounds: int,
) -> Objective:
    """The cross-entropy of one view's clusters and the code of the other, a mean over both.

    Two views of full size, without the small ones of section 3.3, and without the queue that the
    paper adds where a batch has fewer images than there are prototypes. The length of a prototype
    is divided away rather than set to 1 after each step. `smoothness` is ε.
    """
    return _SwAV(outputs, prototypes, temperature=temperature, sharing=(smoothness, rounds))


class _SwAV(Objective):
    def __init__(
        self, outputs: int, prototypes: int, *, temperature: float, sharing: tuple[float, int]
    ) -> None:
        self.outputs = outputs
        self.prototypes = prototypes
        self.temperature = temperature
        self.sharing = sharing

    def head(self, width: int) -> nn.Module:
        return Cosines(projector(width, self.outputs), self.outputs, self.prototypes)

    def inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return two_views(batch.images, generator)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        one, other = outputs.chunk(2)
        codes = torch.cat([_shared_out(each.detach(), *self.sharing) for each in (other, one)])
        said = functional.log_softmax(outputs / self.temperature, dim=1)
        return -(codes * said).sum(dim=1).mean()


def _shared_out(scores: Tensor, smoothness: float, rounds: int) -> Tensor:
    """Codes (image, prototype): rows that sum to 1, and columns about as large as each other.

    The Sinkhorn–Knopp algorithm on exp(score/ε), in logarithms so that none overflows.
    """
    codes = scores / smoothness
    for _ in range(rounds):
        codes = functional.log_softmax(codes, dim=0)
        codes = functional.log_softmax(codes, dim=1)
    return codes.exp()
