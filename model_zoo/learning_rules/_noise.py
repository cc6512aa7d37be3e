"""Noise that is the same on every device."""

import torch
from torch import Tensor


def noise_like(tensor: Tensor, size: float, generator: torch.Generator) -> Tensor:
    """Gaussian noise of a standard deviation, drawn on the CPU and put where the tensor is."""
    return size * torch.randn(tensor.shape, generator=generator).to(tensor)
