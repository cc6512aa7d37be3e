"""Local connections: receptive fields as in a convolution, but each place has its own."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE: Final = 3
"""Rows and columns of a unit's receptive field in the map below."""


class LocallyConnected(nn.Module):
    """A 3 × 3 convolution, padded by 1, whose weights are not shared between places.

    `weight` is (place and channel, input channel, row, column): one row for each unit, places in
    reading order. It is applied as a convolution of one group per place, with the images along the
    rows, so that whatever redirects convolutions redirects these too.
    """

    def __init__(
        self, inputs: int, outputs: int, map_size: tuple[int, int], *, stride: int
    ) -> None:
        super().__init__()
        self.stride, self.outputs = stride, outputs
        self.map_size = halved(map_size) if stride == 2 else map_size
        units = self.map_size[0] * self.map_size[1] * outputs
        self.weight = nn.Parameter(torch.empty(units, inputs, SIDE, SIDE))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)  # as torch draws a convolution's

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (image, channel, row, column) of maps (image, input channel, row, column)."""
        patches = functional.unfold(maps, SIDE, padding=1, stride=self.stride)
        images, inputs, places = patches.shape
        drive = functional.conv2d(
            patches.permute(2, 1, 0).reshape(1, places * inputs, images, 1),
            self.weight.reshape(-1, inputs, 1, 1),
            groups=places,
        )
        return drive.reshape(*self.map_size, self.outputs, images).permute(3, 2, 0, 1)

    def tie(self, weight: Tensor) -> None:
        """Give all places the same weight, that of a convolution (channel, input, row, column)."""
        with torch.no_grad():
            self.weight.copy_(weight.repeat(self.map_size[0] * self.map_size[1], 1, 1, 1))


def halved(map_size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a map after a padded 3 × 3 convolution of stride 2."""
    return (map_size[0] + 1) // 2, (map_size[1] + 1) // 2
