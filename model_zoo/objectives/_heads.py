"""Heads that several objectives share."""

from torch import nn


def projector(width: int, outputs: int) -> nn.Module:
    """Two linear maps with batch normalisation and a rectification between them.

    The loss sees its outputs only, so that the embedding may keep what the loss throws away (Chen
    et al. 2020, section 4.2).
    """
    return nn.Sequential(
        nn.Linear(width, outputs, bias=False),
        nn.BatchNorm1d(outputs),
        nn.ReLU(),
        nn.Linear(outputs, outputs),
    )


def decoder(width: int, image_size: tuple[int, int]) -> nn.Module:
    """One linear map to all pixels, (image, 3 · height · width)."""
    return nn.Linear(width, 3 * image_size[0] * image_size[1])
