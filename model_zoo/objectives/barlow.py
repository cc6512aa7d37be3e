"""Barlow: an output agrees over two views of an image, and with no other output."""

import torch
from torch import Tensor, nn

from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective

from ._heads import projector
from ._redundancy import off_diagonal_squares
from ._views import two_views


@objective(
    name="barlow",
    summary="the same of two views, with units that are not redundant (Barlow twins)",
    term="reduce-redundancy",
    offers=("loss", "output-error"),
    options={"outputs": 128, "weight": 5e-3},
    source="Zbontar et al. 2021, arXiv:2103.03230, eq. 1",
    bibtex="""@inproceedings{zbontar2021barlow,
  author = {Zbontar, Jure and Jing, Li and Misra, Ishan and LeCun, Yann and Deny, St{\\'e}phane},
  title = {Barlow twins: self-supervised learning via redundancy reduction},
  booktitle = {International Conference on Machine Learning},
  pages = {12310--12320},
  year = {2021},
  eprint = {2103.03230},
  archiveprefix = {arXiv}
}""",
)
def barlow(diet: Diet, *, outputs: int, weight: float) -> Objective:
    """The objective with the paper's weight of redundancy; its projector has 8,192 outputs."""
    return _Barlow(outputs, weight)


class _Barlow(Objective):
    def __init__(self, outputs: int, weight: float) -> None:
        self.outputs = outputs
        self.weight = weight

    def head(self, width: int) -> nn.Module:
        return projector(width, self.outputs)

    def inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return two_views(batch.images, generator)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        one, other = (_standardised(each) for each in outputs.chunk(2))
        agreement = one.T @ other / len(one)
        same = ((1 - agreement.diagonal()) ** 2).sum()
        return same + self.weight * off_diagonal_squares(agreement)


def _standardised(outputs: Tensor) -> Tensor:
    """Mean 0 and spread 1 over inputs; 1e-5 as in batch normalisation, which the authors use."""
    variance = outputs.var(dim=0, correction=0)
    return (outputs - outputs.mean(dim=0)) / (variance + 1e-5).sqrt()
