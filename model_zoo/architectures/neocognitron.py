"""Neocognitron: planes of S-cells that look for a pattern, and of C-cells that allow it to move."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import architecture
from isocortex.training import Network

from ._gabors import LUMINANCE

_LEAK: Final = 0.01
"""What excitation and inhibition are compared with. It is 1 in the paper, whose weights grow large;
here their norm stays about 1."""
_SATURATION: Final = 0.5
"""α of the paper: the answer at which a C-cell's is half its greatest."""
_FIELD: Final = 3
"""S-cells see 3 × 3 places of all planes below, not 5 × 5: images are small."""
_BLUR: Final = 5
"""C-cells see 5 × 5 places of their own plane, and contrast is against as many."""


class Contrast(nn.Module):
    """Cells that see more, or less, light than their surround: the paper's input is no image."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("luminance", torch.tensor(LUMINANCE).reshape(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """On and off cells, (image, 2, row, column), not negative."""
        grey = (images * self.get_buffer("luminance")).sum(dim=1, keepdim=True)
        framed = functional.pad(grey, (_BLUR // 2,) * 4, mode="replicate")
        contrast = grey - functional.avg_pool2d(framed, _BLUR, 1)
        return torch.cat((contrast, -contrast), dim=1).relu()


class SimpleCells(nn.Module):
    """S-cells: excitation by a pattern, and shunting inhibition by all that is there.

    They answer to the cosine of pattern and input, above a threshold.
    """

    def __init__(self, below: int, planes: int, *, threshold: float) -> None:
        super().__init__()
        self.excitation = nn.Conv2d(below, planes, _FIELD, padding=_FIELD // 2, bias=False)
        self.threshold = threshold
        with torch.no_grad():
            weight = nn.init.uniform_(self.excitation.weight)
            weight.div_(weight.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1))

    def forward(self, cells: Tensor) -> Tensor:
        """(cosine − threshold)/(1 − threshold) above 0 for inputs far above the leak, and less
        for weak ones; (image, plane, row, column).
        """
        weight = self.excitation.weight
        field = torch.ones_like(weight[:1])
        # The floor keeps the root's slope finite where nothing is seen.
        power = functional.conv2d(cells.square(), field, padding=_FIELD // 2) + 1e-12
        norms = weight.square().sum((1, 2, 3)).sqrt().reshape(1, -1, 1, 1)
        excited, inhibited = self.excitation(cells), self.threshold * norms * power.sqrt()
        gain = self.threshold / (1 - self.threshold)
        drive: Tensor = (_LEAK + excited) / (_LEAK + inhibited) - 1
        return gain * drive.relu()


class ComplexCells(nn.Module):
    """C-cells: blurred S-cells, inhibited by the mean of all planes, on every other place."""

    def __init__(self) -> None:
        super().__init__()
        axis = torch.exp(-(torch.arange(_BLUR) - _BLUR // 2).square() / 4)
        blur = axis[:, None] * axis
        self.register_buffer("blur", (blur / blur.sum()).reshape(1, 1, _BLUR, _BLUR))

    def forward(self, cells: Tensor) -> Tensor:
        """(image, plane, row, column), from 0 to 1."""
        blur = self.get_buffer("blur").expand(cells.shape[1], -1, -1, -1)
        blurred = functional.conv2d(cells, blur, None, 2, _BLUR // 2, 1, len(blur))
        return _saturated(blurred)


class WholeField(nn.Module):
    """The last C-cells: one of each plane, for the whole image."""

    def forward(self, cells: Tensor) -> Tensor:
        """The embedding, (image, plane)."""
        return _saturated(cells.amax(dim=(2, 3)))


def _saturated(drive: Tensor) -> Tensor:
    rest = ((1 + drive) / (1 + drive.mean(dim=1, keepdim=True)) - 1).relu()
    return rest / (_SATURATION + rest)


@architecture(
    name="neocognitron",
    summary="neocognitron: three stages of S- and C-cells with 16, 32 and 64 planes",
    term="neocognitron",
    offers=("chain",),
    options={"planes": (16, 32, 64), "thresholds": (0.6, 0.3, 0.3)},
    source="Fukushima 1980, Biol Cybern 36:193; inhibition that follows from the excitatory "
    "weights: Fukushima 2003, Neurocomputing 51:161",
    bibtex="""@article{fukushima1980neocognitron,
  author = {Fukushima, Kunihiko},
  title = {Neocognitron: a self-organizing neural network model for a mechanism of pattern
    recognition unaffected by shift in position},
  journal = {Biological Cybernetics},
  volume = {36},
  number = {4},
  pages = {193--202},
  year = {1980},
  doi = {10.1007/BF00344251}
}""",
)
def neocognitron(
    image_size: tuple[int, int], *, planes: Sequence[int], thresholds: Sequence[float]
) -> Network:
    """Blocks U0, US1, UC1 … UC3; the rule `competitive` teaches it as the paper does.

    Thresholds, r/(1 + r) in the paper's terms, are below its .8, .6 and .6, at which planes drawn
    at random are silent. The inhibitory weight follows from the excitatory ones, as in later
    versions, so that any rule may teach those; S-cells weigh all of their field alike; and the last
    C-cells take the maximum of their plane.
    """
    blocks: dict[str, nn.Module] = {"U0": Contrast()}
    below = 2
    for stage, (count, threshold) in enumerate(zip(planes, thresholds, strict=True), start=1):
        blocks[f"US{stage}"] = SimpleCells(below, count, threshold=threshold)
        blocks[f"UC{stage}"] = ComplexCells() if stage < len(planes) else WholeField()
        below = count
    return Network(blocks, width=below)
