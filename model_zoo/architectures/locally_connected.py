"""Locally connected blocks: receptive fields as in a convolution, but each place has its own."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import architecture
from isocortex.training import Network

_SIDE = 3


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
        self.weight = nn.Parameter(torch.empty(units, inputs, _SIDE, _SIDE))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)  # as torch draws a convolution's

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (image, channel, row, column) of maps (image, input channel, row, column)."""
        patches = functional.unfold(maps, _SIDE, padding=1, stride=self.stride)
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


@architecture(
    variants={
        "local4": {
            "summary": "four locally connected blocks, 8 to 64 channels, ReLU",
            "options": {"width": 8, "shared": False},
            "term": "locally-connected",
        },
        "local4-shared": {
            "summary": "the same blocks with shared weights: local4's convolutional control",
            "options": {"width": 8, "shared": True},
            "term": "convolutional",
        },
    },
    offers=("chain",),
    source="Bartunov et al. 2018, NeurIPS, arXiv:1807.04587",
    bibtex="""@inproceedings{bartunov2018assessing,
  author = {Bartunov, Sergey and Santoro, Adam and Richards, Blake A. and Marris, Luke and Hinton,
    Geoffrey E. and Lillicrap, Timothy P.},
  title = {Assessing the Scalability of Biologically-Motivated Deep Learning Algorithms and
    Architectures},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {31},
  year = {2018}
}""",
)
def local4(image_size: tuple[int, int], *, width: int, shared: bool) -> Network:
    """Blocks of local connections, batch normalisation and ReLU; each halves the map.

    Channels are `width`, 2, 4 and 8 times that. That is half as many as in conv4, whose first block
    keeps the map's size, because weights grow with the map. Normalisation is by channel.
    """
    blocks: dict[str, nn.Module] = {}
    inputs, map_size = 3, image_size
    for number in range(1, 5):
        outputs = width * 2 ** (number - 1)
        connections = (
            nn.Conv2d(inputs, outputs, _SIDE, 2, padding=1, bias=False)
            if shared
            else LocallyConnected(inputs, outputs, map_size, stride=2)
        )
        blocks[f"block{number}"] = nn.Sequential(connections, nn.BatchNorm2d(outputs), nn.ReLU())
        inputs, map_size = outputs, halved(map_size)
    blocks["block4"].extend([nn.AdaptiveAvgPool2d(1), nn.Flatten()])  # type: ignore[operator]
    return Network(blocks, width=inputs)
