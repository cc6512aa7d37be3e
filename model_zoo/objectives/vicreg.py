"""VICReg: outputs agree over two views of an image, vary over images, and covary with no other."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective

from ._heads import projector
from ._redundancy import too_alike, too_still
from ._views import two_views


@objective(
    name="vicreg",
    summary="the same of two views, with variance and without covariance (VICReg)",
    term="reduce-redundancy",
    offers=("loss", "output-error"),
    options={"outputs": 128, "invariance": 25.0, "variance": 25.0, "covariance": 1.0},
    source="Bardes, Ponce & LeCun 2022, arXiv:2105.04906, eq. 6",
    bibtex="""@inproceedings{bardes2022vicreg,
  author = {Bardes, Adrien and Ponce, Jean and LeCun, Yann},
  title = {{VICReg}: variance-invariance-covariance regularization for self-supervised learning},
  booktitle = {International Conference on Learning Representations},
  year = {2022},
  eprint = {2105.04906},
  archiveprefix = {arXiv}
}""",
)
def vicreg(
    diet: Diet, *, outputs: int, invariance: float, variance: float, covariance: float
) -> Objective:
    """The objective with the paper's weights; its projector has 8,192 outputs.

    As in the authors' code, and unlike eq. 5 and 6, the distance of two views is a mean over
    outputs and the variance term a mean over views: the weights belong to those.
    """
    return _VICReg(outputs, (invariance, variance, covariance))


class _VICReg(Objective):
    def __init__(self, outputs: int, weights: tuple[float, float, float]) -> None:
        self.outputs = outputs
        self.weights = weights

    def head(self, width: int) -> nn.Module:
        return projector(width, self.outputs)

    def inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return two_views(batch.images, generator)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        one, other = outputs.chunk(2)
        invariance, variance, covariance = self.weights
        return (
            invariance * functional.mse_loss(one, other)
            + variance * (too_still(one) + too_still(other)) / 2
            + covariance * (too_alike(one) + too_alike(other))
        )
