"""Contrast: two views of one image are alike, and unlike views of other images."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective

from ._heads import projector
from ._views import two_views


@objective(
    name="contrast",
    summary="tell two views of one image from views of others (SimCLR)",
    term="contrast",
    offers=("loss", "output-error"),
    options={"outputs": 64, "temperature": 0.5},
    source="Chen et al. 2020, arXiv:2002.05709, eq. 1",
    bibtex="""@inproceedings{chen2020simple,
  author = {Chen, Ting and Kornblith, Simon and Norouzi, Mohammad and Hinton, Geoffrey},
  title = {A simple framework for contrastive learning of visual representations},
  booktitle = {International Conference on Machine Learning},
  pages = {1597--1607},
  year = {2020},
  eprint = {2002.05709},
  archiveprefix = {arXiv}
}""",
)
def contrast(diet: Diet, *, outputs: int, temperature: float) -> Objective:
    """SimCLR's objective with the temperature that the paper uses on CIFAR-10."""
    return _Contrast(outputs, temperature)


class _Contrast(Objective):
    def __init__(self, outputs: int, temperature: float) -> None:
        self.outputs = outputs
        self.temperature = temperature

    def head(self, width: int) -> nn.Module:
        return projector(width, self.outputs)

    def inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return two_views(batch.images, generator)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        unit = functional.normalize(outputs)
        logits = unit @ unit.T / self.temperature
        itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
        other = torch.arange(len(unit), device=unit.device).roll(len(unit) // 2)
        return functional.cross_entropy(logits.masked_fill(itself, float("-inf")), other)
