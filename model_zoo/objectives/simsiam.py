"""SimSiam: foretell one's own answer to another view of the image."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective

from ._heads import Predicting, projector
from ._views import two_views


@objective(
    name="simsiam",
    summary="foretell one's own answer to another view (SimSiam)",
    term="distil-itself",
    offers=("loss", "output-error"),
    options={"outputs": 128, "bottleneck": 32},
    source="Chen & He 2021, arXiv:2011.10566, eqs. 1–4",
    bibtex="""@inproceedings{chen2021exploring,
  author = {Chen, Xinlei and He, Kaiming},
  title = {Exploring simple {Siamese} representation learning},
  booktitle = {Conference on Computer Vision and Pattern Recognition},
  pages = {15750--15758},
  year = {2021},
  eprint = {2011.10566},
  archiveprefix = {arXiv}
}""",
)
def simsiam(diet: Diet, *, outputs: int, bottleneck: int) -> Objective:
    """Minus the cosine of what is foretold of a view and the other's projection, held still.

    Projections are normalised over the batch, too, and have two layers, as on CIFAR-10; there are
    2,048 outputs in the paper, of which the predictor's hidden layer has a quarter as well.
    """
    return _SimSiam(outputs, bottleneck)


class _SimSiam(Objective):
    def __init__(self, outputs: int, bottleneck: int) -> None:
        self.outputs = outputs
        self.bottleneck = bottleneck

    def head(self, width: int) -> nn.Module:
        """Its outputs are what is foretold, and beside it the projection."""
        normalised = nn.BatchNorm1d(self.outputs, affine=False)
        projections = nn.Sequential(projector(width, self.outputs), normalised)
        foretold = projector(self.outputs, self.outputs, hidden=self.bottleneck)
        return Predicting(projections, foretold, beside=True)

    def inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return two_views(batch.images, generator)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        foretold, projections = outputs.chunk(2, dim=1)
        other = projections.detach().roll(len(outputs) // 2, dims=0)
        return -functional.cosine_similarity(foretold, other).mean()
