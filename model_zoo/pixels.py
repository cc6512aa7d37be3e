"""The image itself: what any network must beat."""

import torch
from torch import nn

from isocortex.candidates import Candidate, Preprocessing
from isocortex.cards import CandidateCard
from isocortex.registry import candidate


class Pixels(nn.Module):
    """The image as it comes, under the name of a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels = nn.Identity()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The same images, (image, 3, height, width)."""
        same: torch.Tensor = self.pixels(images)
        return same


@candidate(
    name="pixels",
    summary="The image's own red, green and blue at 64 × 64 pixels",
    architecture="identity",
    objective="none",
    learning_rule="hand-set",
    diet="none",
    preprocessing={"resize": 64, "crop": 64},
    source="isocortex; the pixel model of Kriegeskorte et al. 2008, Neuron 60:1126",
    bibtex="""@article{kriegeskorte2008matching,
  title = {Matching Categorical Object Representations in Inferior Temporal Cortex of Man and
    Monkey},
  author = {Kriegeskorte, Nikolaus and Mur, Marieke and Ruff, Douglas A. and Kiani, Roozbeh and
    Bodurka, Jerzy and Esteky, Hossein and Tanaka, Keiji and Bandettini, Peter A.},
  journal = {Neuron},
  volume = {60},
  number = {6},
  pages = {1126--1141},
  year = {2008},
  doi = {10.1016/j.neuron.2008.10.043}
}""",
    licence="BSD-3-Clause",
)
def pixels(card: CandidateCard) -> Candidate:
    """The image in one layer; values are sRGB from 0 to 1, not linear light."""
    return Candidate(card, Pixels().eval(), Preprocessing(**card.preprocessing), ("pixels",))
