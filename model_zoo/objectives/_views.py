"""Views of images: what may change of an image while it stays an image of the same thing.

All randomness comes from the generator, on the CPU, so views are the same on every device.
"""

import math
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

_SMALLEST: Final = 0.2
"""The smallest share of the area that a crop keeps: MoCo v2's; SimCLR's .08 is for 224 pixels."""
_JITTER: Final = 0.4
"""Brightness, contrast and saturation change by up to this: SimCLR's at strength .5 (CIFAR-10)."""
_HUE: Final = 0.1
_JITTERED: Final = 0.8
_GREY: Final = 0.2
_LUMA: Final = (0.299, 0.587, 0.114)


def two_views(images: Tensor, generator: torch.Generator) -> Tensor:
    """Two views of each image, (2 · image, 3, h, w): all first ones, then all second ones."""
    return torch.cat([one_view(images, generator), one_view(images, generator)])


def one_view(images: Tensor, generator: torch.Generator) -> Tensor:
    """A view of each image: cropped, maybe flipped, its colours jittered, maybe grey.

    After Chen et al. 2020, appendix A, without the blur, which they leave out at 32 pixels as well.
    """
    return _recoloured(_cropped(images, generator), generator)


def _uniform(like: Tensor, low: float, high: float, generator: torch.Generator) -> Tensor:
    """One number for each image, (image,)."""
    return (low + (high - low) * torch.rand(len(like), generator=generator)).to(like)


def _cropped(images: Tensor, generator: torch.Generator) -> Tensor:
    """Random resized crops, half of them mirrored, as one affine sampling."""
    area = _uniform(images, _SMALLEST, 1, generator)
    stretch = _uniform(images, math.log(3 / 4) / 2, math.log(4 / 3) / 2, generator).exp()
    width, height = ((area.sqrt() * each).clamp(max=1) for each in (stretch, 1 / stretch))
    x = (1 - width) * _uniform(images, -1, 1, generator)
    y = (1 - height) * _uniform(images, -1, 1, generator)
    side = torch.where(_uniform(images, 0, 1, generator) < 0.5, -1, 1)
    nothing = torch.zeros_like(x)
    rows = torch.stack([width * side, nothing, x, nothing, height, y], dim=1)
    places = functional.affine_grid(rows.reshape(-1, 2, 3), list(images.shape), align_corners=False)
    return functional.grid_sample(images, places, padding_mode="border", align_corners=False)


def _recoloured(images: Tensor, generator: torch.Generator) -> Tensor:
    factors = [_uniform(images, 1 - _JITTER, 1 + _JITTER, generator) for _ in range(3)]
    brightness, contrast, saturation = (each[:, None, None, None] for each in factors)
    turn = 2 * math.pi * _uniform(images, -_HUE, _HUE, generator)
    jittered = (_uniform(images, 0, 1, generator) < _JITTERED)[:, None, None, None]
    grey = (_uniform(images, 0, 1, generator) < _GREY)[:, None, None, None]
    shown = images * 0.25 + 0.5  # as shares of the full range; a batch has mean 0 and spread 1
    changed = (shown * brightness).clamp(0, 1)
    mean = luma(changed).mean(dim=(2, 3), keepdim=True)
    changed = (mean + (changed - mean) * contrast).clamp(0, 1)
    changed = _turned(changed, turn, saturation).clamp(0, 1)
    shown = torch.where(jittered, changed, shown)
    return (torch.where(grey, luma(shown).expand_as(shown), shown) - 0.5) / 0.25


def luma(images: Tensor) -> Tensor:
    """The brightness, (image, 1, h, w)."""
    weights = torch.tensor(_LUMA).to(images)
    return torch.einsum("nchw,c->nhw", images, weights)[:, None]


def _turned(images: Tensor, turn: Tensor, saturation: Tensor) -> Tensor:
    """Colours turned about the grey axis, and nearer to it or farther from it.

    SimCLR shifts the hue of HSV instead; a turn keeps the sum of the channels and is linear.
    """
    axis = torch.full((3,), 1 / math.sqrt(3)).to(images)
    cross = torch.linalg.cross(torch.eye(3).to(images), axis.expand(3, 3))
    grey = torch.outer(axis, axis)
    cosine, sine = turn.cos()[:, None, None], turn.sin()[:, None, None]
    rotation = grey + cosine * (torch.eye(3).to(images) - grey) + sine * cross
    brightness = luma(images)
    colours = torch.einsum("nij,njhw->nihw", rotation, images) - brightness
    return brightness + saturation * colours
