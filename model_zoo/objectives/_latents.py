"""Outputs that give the continuous properties of images."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.errors import InputError
from isocortex.training import Batch, Images, Objective


def latents_of(images: Images) -> "Latents":
    """The objective of giving all latents of these images, each with mean 0 and spread 1.

    Raises InputError for a latent that is constant.
    """
    scales = {
        name: (float(each.mean()), float(each.std())) for name, each in images.latents.items()
    }
    still = [name for name, (_, spread) in scales.items() if not spread > 0]
    if still or not scales:
        raise InputError(f"nothing to learn: of {len(scales)} latents, constant: {still}")
    return Latents(scales)


class Latents(Objective):
    """Mean squared error; `scales` are the mean and spread of each latent."""

    def __init__(self, scales: Mapping[str, tuple[float, float]]) -> None:
        self.scales = scales

    def head(self, width: int) -> nn.Module:
        return nn.Linear(width, len(self.scales))

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return functional.mse_loss(outputs, self.targets(batch))

    def targets(self, batch: Batch) -> Tensor:
        scaled = [(batch.latents[n] - mean) / spread for n, (mean, spread) in self.scales.items()]
        return torch.stack(scaled, dim=1)
