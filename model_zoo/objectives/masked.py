"""Masked: fill in the patches of an image that were hidden."""

import torch
from torch import Tensor, nn

from isocortex.errors import InputError
from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective

from ._heads import decoder


@objective(
    name="masked",
    summary="fill in the three quarters of an image's patches that are hidden",
    term="fill-in",
    offers=("loss", "output-error"),
    options={"patches": 8, "hidden": 0.75},
    source="He et al. 2022, arXiv:2111.06377, section 3",
    bibtex="""@inproceedings{he2022masked,
  author = {He, Kaiming and Chen, Xinlei and Xie, Saining and Li, Yanghao and Doll{\\'a}r, Piotr
    and Girshick, Ross},
  title = {Masked autoencoders are scalable vision learners},
  booktitle = {Conference on Computer Vision and Pattern Recognition},
  pages = {16000--16009},
  year = {2022},
  eprint = {2111.06377},
  archiveprefix = {arXiv}
}""",
)
def masked(diet: Diet, *, patches: int, hidden: float) -> Objective:
    """The mean squared error of hidden pixels, with `patches` × `patches` patches an image.

    Hidden patches are grey instead of left out, which only a transformer allows, and pixels are
    not normalised within patches. Raises InputError for images that don't divide into patches.
    """
    if any(length % patches for length in diet.image_size):
        height, width = diet.image_size
        raise InputError(
            f"images of {height} × {width} pixels don't divide into {patches} × {patches} patches"
        )
    return _Masked(diet.image_size, patches, hidden)


class _Masked(Objective):
    def __init__(self, image_size: tuple[int, int], patches: int, hidden: float) -> None:
        self.image_size = image_size
        self.patches = patches
        self.hidden = hidden

    def head(self, width: int) -> nn.Module:
        return decoder(width, self.image_size)

    def inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return batch.images.masked_fill(self.mask(batch), 0)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        mask = self.mask(batch).expand_as(batch.images)
        missed = outputs.reshape(batch.images.shape) - batch.images
        return (missed[mask] ** 2).mean()

    def mask(self, batch: Batch) -> Tensor:
        """Which pixels are hidden, (image, 1, height, width).

        It depends on the place in the batch alone, so that `inputs` and `loss` agree on it; the
        same image comes up in other places in other rounds.
        """
        count = self.patches**2
        drawn = torch.rand(len(batch), count, generator=torch.Generator().manual_seed(0))
        hidden = drawn.argsort(dim=1).argsort(dim=1) < round(self.hidden * count)
        mask = hidden.reshape(-1, 1, self.patches, self.patches).to(batch.images.device)
        rows, columns = (length // self.patches for length in self.image_size)
        return mask.repeat_interleave(rows, dim=2).repeat_interleave(columns, dim=3)
