"""Rotation: say by how many quarter turns an image was turned."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.errors import InputError
from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective


@objective(
    name="rotation",
    summary="say by how many quarter turns an image was turned",
    term="pretext",
    offers=("loss", "output-error", "targets"),
    source="Gidaris, Singh & Komodakis 2018, arXiv:1803.07728",
    bibtex="""@inproceedings{gidaris2018unsupervised,
  author = {Gidaris, Spyros and Singh, Praveer and Komodakis, Nikos},
  title = {Unsupervised representation learning by predicting image rotations},
  booktitle = {International Conference on Learning Representations},
  year = {2018},
  eprint = {1803.07728},
  archiveprefix = {arXiv}
}""",
)
def rotation(diet: Diet) -> Objective:
    """The objective for a diet of square images. Raises InputError for others."""
    height, width = diet.image_size
    if height != width:
        raise InputError(f"images of {height} × {width} pixels can't be turned; cut them square")
    return _Rotation()


class _Rotation(Objective):
    def head(self, width: int) -> nn.Module:
        return nn.Linear(width, 4)

    def inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        # all four turns of each image, as in the paper: each batch is balanced
        return torch.cat([torch.rot90(batch.images, turns, (2, 3)) for turns in range(4)])

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return functional.cross_entropy(outputs, _turns(batch))

    def targets(self, batch: Batch) -> Tensor:
        return functional.one_hot(_turns(batch), 4).to(batch.images.dtype)


def _turns(batch: Batch) -> Tensor:
    return torch.arange(4, device=batch.images.device).repeat_interleave(len(batch))
