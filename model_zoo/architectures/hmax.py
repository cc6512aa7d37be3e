"""HMAX: simple cells match templates, complex cells take the most active of their neighbours."""

from collections.abc import Sequence
from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import architecture
from isocortex.training import Network

from ._gabors import LUMINANCE, gabor_pairs

_FLOOR: Final = 0.1
"""Contrast at which a cell is half normalised; the papers have 0, so that noise counts as edges."""
_SHARPNESS: Final = 288.0
"""Of S2's tuning, by the mean square difference: exp(−|x − p|²/2σ²α) of Mutch & Lowe 2006, CVPR,
for four orientations, α = (size/4)² and σ = 1/3."""
_USUAL: Final = 0.3
"""C1's answers to most images are below this, and so are prototypes that are drawn at random."""


class S1(nn.Module):
    """Gabor cells, as large as the contrast of what they see allows: contrast is divided out."""

    def __init__(self, wavelengths: Sequence[float], orientations: int) -> None:
        super().__init__()
        angles = torch.arange(orientations) * (torch.pi / orientations)
        for place, wavelength in enumerate(wavelengths):
            even = gabor_pairs(wavelength, angles)[0]
            unit = even / even.square().sum((1, 2), keepdim=True).sqrt()
            self.register_buffer(f"kernels{place}", unit.unsqueeze(1))
        self.scales = len(wavelengths)
        self.register_buffer("luminance", torch.tensor(LUMINANCE).reshape(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """|cosine| of kernel and image, (image, scale · orientation, row, column), from 0 to 1."""
        grey = (images * self.get_buffer("luminance")).sum(dim=1, keepdim=True)
        return torch.cat([self._matched(grey, place) for place in range(self.scales)], dim=1)

    def _matched(self, grey: Tensor, place: int) -> Tensor:
        kernels = self.get_buffer(f"kernels{place}")
        reach = kernels.shape[-1] // 2
        side = torch.ones_like(kernels[:1])
        energy = functional.conv2d(grey.square(), side, padding=reach).clamp(min=0)
        floor = _FLOOR**2 * side.numel()
        return functional.conv2d(grey, kernels, padding=reach).abs() / (energy + floor).sqrt()


class C1(nn.Module):
    """The greatest answer of S1 over nearby places and over the two scales of a band."""

    def __init__(self, reaches: Sequence[int], stride: int) -> None:
        super().__init__()
        self.reaches = tuple(reaches)
        self.stride = stride

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (image, band · orientation, row, column); reaches are in pixels to each side."""
        pairs = maps.reshape(len(maps), len(self.reaches), 2, -1, *maps.shape[2:])
        bands = pairs.amax(dim=2).unbind(dim=1)
        pooled = [
            functional.max_pool2d(
                functional.pad(band, (reach,) * 4), 2 * reach + 1, self.stride
            )  # S1 is never negative: padding with 0 adds nothing
            for band, reach in zip(bands, self.reaches, strict=True)
        ]
        return torch.cat(pooled, dim=1)


class S2(nn.Module):
    """Cells that answer most, by 1, to one patch of C1: their prototype, the same in each band."""

    def __init__(self, orientations: int, sizes: Sequence[int], count: int) -> None:
        super().__init__()
        self.orientations = orientations
        self.prototypes = nn.ModuleList(
            nn.Conv2d(orientations, count, size, padding=size // 2, bias=False) for size in sizes
        )
        for weight in self.parameters():
            nn.init.uniform_(weight, 0, _USUAL)

    def forward(self, maps: Tensor) -> Tensor:
        """exp(−β mean (patch − prototype)²), (image, band · prototype, row, column)."""
        bands = maps.reshape(-1, self.orientations, *maps.shape[2:])
        found = torch.cat(
            [_likeness(bands, cast(nn.Conv2d, each)) for each in self.prototypes], dim=1
        )
        return found.reshape(len(maps), -1, *found.shape[2:])


def _likeness(bands: Tensor, prototypes: nn.Conv2d) -> Tensor:
    weight = prototypes.weight
    reach = weight.shape[-1] // 2
    energy = functional.conv2d(bands.square(), torch.ones_like(weight[:1]), padding=reach)
    own = weight.square().sum((1, 2, 3)).reshape(1, -1, 1, 1)
    differences = (energy - 2 * prototypes(bands) + own) / weight[0].numel()
    return torch.exp(-_SHARPNESS * differences)


class C2(nn.Module):
    """The greatest answer of each prototype, wherever and at whatever scale it is."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.bands = bands

    def forward(self, maps: Tensor) -> Tensor:
        """The embedding, (image, prototype), from 0 to 1."""
        by_band = maps.reshape(len(maps), self.bands, -1, *maps.shape[2:])
        return by_band.amax(dim=(1, 3, 4))


@architecture(
    name="hmax",
    summary="HMAX: Gabor cells, a maximum over places and scales, 192 prototypes, a maximum",
    term="hmax",
    offers=("chain",),
    options={
        "wavelengths": (3.0, 4.0, 6.0, 8.0),
        "orientations": 4,
        "reaches": (2, 4),
        "sizes": (3, 5, 7),
        "count": 64,
    },
    source="Riesenhuber & Poggio 1999, Nat Neurosci 2:1019; stored prototypes: Serre et al. 2007, "
    "IEEE Trans Pattern Anal Mach Intell 29:411",
    bibtex="""@article{riesenhuber1999hierarchical,
  author = {Riesenhuber, Maximilian and Poggio, Tomaso},
  title = {Hierarchical models of object recognition in cortex},
  journal = {Nature Neuroscience},
  volume = {2},
  number = {11},
  pages = {1019--1025},
  year = {1999},
  doi = {10.1038/14819}
}
@article{serre2007robust,
  author = {Serre, Thomas and Wolf, Lior and Bileschi, Stanley and Riesenhuber, Maximilian and
    Poggio, Tomaso},
  title = {Robust object recognition with cortex-like mechanisms},
  journal = {IEEE Transactions on Pattern Analysis and Machine Intelligence},
  volume = {29},
  number = {3},
  pages = {411--426},
  year = {2007},
  doi = {10.1109/TPAMI.2007.56}
}""",
)
def hmax(
    image_size: tuple[int, int],
    *,
    wavelengths: Sequence[float],
    orientations: int,
    reaches: Sequence[int],
    sizes: Sequence[int],
    count: int,
) -> Network:
    """Blocks S1, C1, S2 and C2; only S2's prototypes can be taught, and none needs to be.

    They begin at random between 0 and .3; the rule `imprint` stores patches of C1 in them, as Serre
    et al. do. For images of 32 pixels there are two bands of two scales instead of eight, 192
    prototypes instead of a thousand, all bands have one grid of every other pixel, and prototypes
    may reach over the edge. S1's Gabor functions are those of `gabor4`.
    """
    blocks = {
        "S1": S1(wavelengths, orientations),
        "C1": C1(reaches, stride=2),
        "S2": S2(orientations, sizes, count),
        "C2": C2(len(reaches)),
    }
    return Network(blocks, width=count * len(sizes))
