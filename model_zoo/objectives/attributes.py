"""Attributes: several properties of an image at once, such as where, how large and how turned."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.errors import InputError
from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective


@objective(
    name="attributes",
    summary="the continuous properties that the diet's images were drawn from",
    term="attributes",
    needs=("latents",),
    offers=("loss", "output-error", "targets"),
    source="Hong et al. 2016, Nat Neurosci 19:613",
    bibtex="""@article{hong2016explicit,
  author = {Hong, Ha and Yamins, Daniel L. K. and Majaj, Najib J. and DiCarlo, James J.},
  title = {Explicit information for category-orthogonal object properties increases along the
    ventral stream},
  journal = {Nature Neuroscience},
  volume = {19},
  number = {4},
  pages = {613--622},
  year = {2016},
  doi = {10.1038/nn.4247}
}""",
)
def attributes(diet: Diet) -> Objective:
    """The mean squared error of all latents of a diet, each with mean 0 and spread 1.

    An embedding that says nothing has a loss of 1. Raises InputError for a latent that is constant.
    """
    scales = {
        name: (float(each.mean()), float(each.std())) for name, each in diet.train.latents.items()
    }
    still = [name for name, (_, spread) in scales.items() if not spread > 0]
    if still or not scales:
        raise InputError(f"nothing to learn: of {len(scales)} latents, constant: {still}")
    return _Attributes(scales)


class _Attributes(Objective):
    def __init__(self, scales: Mapping[str, tuple[float, float]]) -> None:
        self.scales = scales

    def head(self, width: int) -> nn.Module:
        return nn.Linear(width, len(self.scales))

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return functional.mse_loss(outputs, self.targets(batch))

    def targets(self, batch: Batch) -> Tensor:
        scaled = [(batch.latents[n] - mean) / spread for n, (mean, spread) in self.scales.items()]
        return torch.stack(scaled, dim=1)
