"""Relative position: where a patch of an image lies, seen from the patch in the middle."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.errors import InputError
from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective

from ._heads import Together

_AROUND = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
"""Rows down and columns to the right of the middle."""


@objective(
    name="relative-position",
    summary="say where a patch lies around the patch in the middle of its image",
    term="pretext",
    offers=("loss",),
    source="Doersch, Gupta & Efros 2015, ICCV, arXiv:1505.05192",
    bibtex="""@inproceedings{doersch2015unsupervised,
  author = {Doersch, Carl and Gupta, Abhinav and Efros, Alexei A.},
  title = {Unsupervised visual representation learning by context prediction},
  booktitle = {International Conference on Computer Vision},
  pages = {1422--1430},
  year = {2015},
  eprint = {1505.05192},
  archiveprefix = {arXiv}
}""",
)
def relative_position(diet: Diet) -> Objective:
    """Cross-entropy of the eight places, from the embeddings of both patches.

    Patches have a quarter of the image's sides, lie a gap apart and are each moved a little at
    random, as in the paper; they are drawn up to the size of an image, because all networks take
    that. Nothing is done about lenses that blur colours, which drawn images don't have. Two inputs
    have one output, so no "output-error" is offered. Raises InputError for images that are not
    square, or smaller than 16 pixels.
    """
    height, width = diet.image_size
    if height != width or height < 16:
        raise InputError(
            f"images of {height} × {width} pixels have no patches around a middle; take square "
            "ones of 16 pixels or more"
        )
    return _RelativePosition(height)


class _RelativePosition(Objective):
    def __init__(self, side: int) -> None:
        self.side = side
        self.jitter = side // 32
        self.apart = side // 2 - side // 8 - self.jitter  # so that patches just stay within

    def head(self, width: int) -> nn.Module:
        return Together(2, nn.Linear(2 * width, len(_AROUND)))

    def inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        around = torch.tensor(_AROUND)[self.places(batch).cpu()]
        centres = torch.stack([torch.zeros_like(around), around], dim=1) * self.apart
        moved = torch.randint(-self.jitter, self.jitter + 1, centres.shape, generator=generator)
        both = (centres + moved).flatten(0, 1).to(batch.images)
        return _patches(batch.images.repeat_interleave(2, dim=0), both, side=self.side)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return functional.cross_entropy(outputs, self.places(batch))

    def places(self, batch: Batch) -> Tensor:
        """Which of the eight places is shown of each image: all in turn, so batches are balanced.

        It depends on the place in the batch alone, so that `inputs` and `loss` agree on it; the
        same image comes up in other places in other rounds.
        """
        return torch.arange(len(batch), device=batch.images.device) % len(_AROUND)


def _patches(images: Tensor, centres: Tensor, *, side: int) -> Tensor:
    """A quarter of each side of each image about a centre in pixels, (row, column) from its own."""
    quarter = torch.full((len(images),), 0.25).to(images)
    row, column = (2 * centres / side).unbind(dim=1)
    nothing = torch.zeros_like(row)
    affine = torch.stack([quarter, nothing, column, nothing, quarter, row], dim=1).reshape(-1, 2, 3)
    places = functional.affine_grid(affine, list(images.shape), align_corners=False)
    return functional.grid_sample(images, places, padding_mode="border", align_corners=False)
