"""Four convolutional blocks: the plain feed-forward network that others differ from by one part."""

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor, nn

from isocortex.registry import architecture
from isocortex.training import Network


class LocalContrast(nn.Module):
    """|x| over its own mean over channels: rectified and normalised (Jarrett et al. 2009)."""

    def forward(self, x: Tensor) -> Tensor:
        """The same shape, not negative."""
        size = x.abs()
        return size / (size.mean(dim=1, keepdim=True) + 0.1)


ACTIVATIONS: Final[Mapping[str, Callable[[], nn.Module]]] = {
    "relu": nn.ReLU,
    "softplus": nn.Softplus,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "abs-normalised": LocalContrast,
}


@architecture(
    variants={
        "conv4": {
            "summary": "four convolutional blocks, 16 to 128 channels, ReLU",
            "options": {"width": 16, "activation": "relu"},
        },
        "conv4-sigmoid": {
            "summary": "conv4 with sigmoids",
            "options": {"width": 16, "activation": "sigmoid"},
        },
        "conv4-tanh": {
            "summary": "conv4 with hyperbolic tangents",
            "options": {"width": 16, "activation": "tanh"},
        },
        "conv4-softplus": {
            "summary": "conv4 with softplus, a smooth ReLU",
            "options": {"width": 16, "activation": "softplus"},
        },
        "conv4-abs": {
            "summary": "conv4, rectified by the absolute value and normalised over channels",
            "options": {"width": 16, "activation": "abs-normalised"},
        },
    },
    term="convolutional",
    offers=("chain",),
    source="LeCun et al. 1989, Neural Comput 1:541; activations: Nair & Hinton 2010, ICML",
    bibtex="""@article{lecun1989backpropagation,
  author = {LeCun, Yann and Boser, Bernhard and Denker, John S. and Henderson, Donnie and Howard,
    Richard E. and Hubbard, Wayne and Jackel, Lawrence D.},
  title = {Backpropagation applied to handwritten zip code recognition},
  journal = {Neural Computation},
  volume = {1},
  number = {4},
  pages = {541--551},
  year = {1989},
  doi = {10.1162/neco.1989.1.4.541}
}""",
)
def conv4(image_size: tuple[int, int], *, width: int, activation: str) -> Network:
    """Blocks of a 3 × 3 convolution, batch normalisation and activation; three halve the map.

    Channels are `width`, 2, 4 and 8 times that; the last map is averaged over space.
    """
    shapes = [(3, width, 1), (width, 2 * width, 2), (2 * width, 4 * width, 2)]
    shapes.append((4 * width, 8 * width, 2))
    blocks: dict[str, nn.Module] = {
        f"block{number}": nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            ACTIVATIONS[activation](),
        )
        for number, (inputs, outputs, stride) in enumerate(shapes, start=1)
    }
    blocks["block4"].extend([nn.AdaptiveAvgPool2d(1), nn.Flatten()])  # type: ignore[operator]
    with torch.no_grad():
        return Network(blocks, width=8 * width)
