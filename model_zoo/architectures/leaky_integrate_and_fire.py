"""Leaky integrate-and-fire: units that add up what they hear, forget, and fire at a threshold."""

from itertools import pairwise

from torch import nn

from isocortex.registry import architecture
from isocortex.training import Network

from ._spiking import LeakyCells, SpikingBlock, SpikingNetwork, synapses


@architecture(
    name="lif3",
    summary="three fully connected blocks of 128 leaky integrate-and-fire cells, 8 time steps",
    term="spiking",
    offers=("spiking", "separable"),
    options={"width": 128, "decay": 0.9, "steps": 8},
    source="Lapicque 1907, J Physiol Pathol Gen 9:620; in steps: Neftci, Mostafa & Zenke 2019, "
    "IEEE Signal Process Mag 36(6):51; cells of snnTorch, Eshraghian et al. 2023, Proc "
    "IEEE 111:1016",
    bibtex="""@article{eshraghian2023training,
  author = {Eshraghian, Jason K. and Ward, Max and Neftci, Emre O. and Wang, Xinxin and Lenz,
    Gregor and Dwivedi, Girish and Bennamoun, Mohammed and Jeong, Doo Seok and Lu, Wei D.},
  title = {Training Spiking Neural Networks Using Lessons From Deep Learning},
  journal = {Proceedings of the IEEE},
  volume = {111},
  number = {9},
  pages = {1016--1054},
  year = {2023}
}""",
)
def lif3(image_size: tuple[int, int], *, width: int, decay: float, steps: int) -> Network:
    """Blocks of a linear map with biases and cells, which hear on and off cells for each pixel.

    The embedding is the rate of the last cells. Unlike in Neftci et al. synapses have no time
    constant of their own: a spike is a current of one step.
    """
    height, wide = image_size
    sizes = (6 * height * wide, width, width, width)
    blocks = {
        f"block{number}": SpikingBlock(nn.Flatten(), synapses(nn.Linear(*pair)), LeakyCells(decay))
        for number, pair in enumerate(pairwise(sizes), start=1)
    }
    return SpikingNetwork(blocks, width=width, steps=steps)


@architecture(
    name="lif-conv",
    summary="three convolutional blocks of leaky integrate-and-fire cells, 8 time steps",
    term="spiking-convolutional",
    offers=("spiking", "separable"),
    options={"width": 12, "decay": 0.9, "steps": 8},
    source="Neftci, Mostafa & Zenke 2019, IEEE Signal Process Mag 36(6):51; cells of snnTorch",
    bibtex="""@article{neftci2019surrogate,
  author = {Neftci, Emre O. and Mostafa, Hesham and Zenke, Friedemann},
  title = {Surrogate Gradient Learning in Spiking Neural Networks},
  journal = {IEEE Signal Processing Magazine},
  volume = {36},
  number = {6},
  pages = {51--63},
  year = {2019}
}""",
)
def lif_conv(image_size: tuple[int, int], *, width: int, decay: float, steps: int) -> Network:
    """Blocks of a 3 × 3 convolution with biases and cells; the second and third halve the map.

    They have `width`, 2 and 4 times that many channels. The last cells' rates are averaged over
    space. There is no normalisation, so that all that cells hear are spikes and a bias.
    """
    channels = (6, width, 2 * width, 4 * width)
    blocks = {
        f"block{number}": SpikingBlock(
            synapses(nn.Conv2d(*pair, 3, stride=1 if number == 1 else 2, padding=1)),
            LeakyCells(decay),
        )
        for number, pair in enumerate(pairwise(channels), start=1)
    }
    blocks["pool"] = SpikingBlock(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return SpikingNetwork(blocks, width=4 * width, steps=steps)
