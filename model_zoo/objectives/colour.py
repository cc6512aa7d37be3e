"""Colour: give the colours of an image that is shown in grey."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.errors import InputError
from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective

from ._heads import decoder
from ._views import luma


@objective(
    name="colour",
    summary="give the colours of an image that is shown in grey",
    term="fill-in",
    offers=("loss", "output-error", "targets"),
    source="Zhang, Isola & Efros 2016, ECCV, arXiv:1603.08511, eq. 1",
    bibtex="""@inproceedings{zhang2016colorful,
  author = {Zhang, Richard and Isola, Phillip and Efros, Alexei A.},
  title = {Colorful image colorization},
  booktitle = {European Conference on Computer Vision},
  pages = {649--666},
  year = {2016},
  eprint = {1603.08511},
  archiveprefix = {arXiv}
}""",
)
def colour(diet: Diet) -> Objective:
    """The mean squared error of what each pixel's colour has beyond its brightness.

    It is the paper's first, quadratic loss, whose best answer is the mean of the likely colours;
    the paper goes on to tell 313 classes of colour, which it weights. Colours are red, green and
    blue less brightness rather than a and b of CIE Lab. Raises InputError for grey images.
    """
    if (diet.train.pixels == diet.train.pixels[..., :1]).all():
        raise InputError("the diet's images are grey, so they have no colours to give")
    return _Colour(diet.image_size)


class _Colour(Objective):
    def __init__(self, image_size: tuple[int, int]) -> None:
        self.image_size = image_size

    def head(self, width: int) -> nn.Module:
        return decoder(width, self.image_size)

    def inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return luma(batch.images).expand_as(batch.images)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return functional.mse_loss(outputs, self.targets(batch))

    def targets(self, batch: Batch) -> Tensor:
        return (batch.images - luma(batch.images)).flatten(1)
