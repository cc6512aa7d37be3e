"""Locally connected blocks: receptive fields as in a convolution, but each place has its own."""

from torch import nn

from isocortex.registry import architecture
from isocortex.training import Network

from ._local import SIDE, LocallyConnected, halved


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
            nn.Conv2d(inputs, outputs, SIDE, 2, padding=1, bias=False)
            if shared
            else LocallyConnected(inputs, outputs, map_size, stride=2)
        )
        blocks[f"block{number}"] = nn.Sequential(connections, nn.BatchNorm2d(outputs), nn.ReLU())
        inputs, map_size = outputs, halved(map_size)
    blocks["block4"].extend([nn.AdaptiveAvgPool2d(1), nn.Flatten()])  # type: ignore[operator]
    return Network(blocks, width=inputs)
