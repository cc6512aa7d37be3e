"""Deep linear pathways: networks without nonlinearity, whose learning curves are known exactly."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from isocortex.registry import architecture
from isocortex.training import Network

_GAIN: Final = 0.3
"""Singular values of each layer at the start: small, so that pathways compete for what they learn
(Shi et al. 2022) rather than share it evenly."""


class Pathways(nn.Module):
    """Chains of linear maps without biases beside each other, whose outputs are added.

    `depths` are the numbers of layers of each.
    """

    def __init__(self, inputs: int, width: int, depths: Sequence[int]) -> None:
        super().__init__()
        self.paths = nn.ModuleList(
            nn.Sequential(
                nn.Linear(inputs, width, bias=False),
                *(nn.Linear(width, width, bias=False) for _ in range(depth - 1)),
            )
            for depth in depths
        )
        for weight in self.parameters():
            nn.init.orthogonal_(weight, gain=_GAIN)

    def forward(self, pixels: Tensor) -> Tensor:
        """The sum over pathways, (image, width)."""
        return torch.stack([path(pixels) for path in self.paths]).sum(dim=0)


@architecture(
    variants={
        "deep-linear": {
            "summary": "two linear pathways of two layers each",
            "options": {"width": 64, "depths": (2, 2)},
        },
        "deep-linear-race": {
            "summary": "a linear pathway of two layers beside one of four",
            "options": {"width": 64, "depths": (2, 4)},
        },
    },
    term="deep-linear",
    source="Saxe, McClelland & Ganguli 2014, ICLR, arXiv:1312.6120; pathways: Shi, "
    "Shea-Brown & Buice 2022, NeurIPS",
    bibtex="""@inproceedings{saxe2014exact,
  author = {Saxe, Andrew M. and McClelland, James L. and Ganguli, Surya},
  title = {Exact solutions to the nonlinear dynamics of learning in deep linear neural networks},
  booktitle = {International Conference on Learning Representations},
  year = {2014},
  eprint = {1312.6120},
  archiveprefix = {arXiv}
}
@inproceedings{shi2022learning,
  author = {Shi, Jianghong and Shea-Brown, Eric and Buice, Michael A.},
  title = {Learning dynamics of deep linear networks with multiple pathways},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {35},
  year = {2022}
}""",
)
def deep_linear(image_size: tuple[int, int], *, width: int, depths: Sequence[int]) -> Network:
    """One block of linear pathways from pixels to `width` units, orthogonal at the start."""
    pixels = 3 * image_size[0] * image_size[1]
    pathways = nn.Sequential(nn.Flatten(), Pathways(pixels, width, depths))
    return Network({"pathways": pathways}, width=width)
