"""Averages over a batch, and averages that follow them from step to step."""

from typing import Final

from torch import Tensor

_SLOWEST: Final = 0.01
"""What a new batch counts once a hundred have been seen; before, all count the same."""


def follow(average: Tensor, fresh: Tensor, seen: int) -> None:
    """Move an average, in place, towards what the batch after `seen` others gives."""
    average.lerp_(fresh, max(1 / (seen + 1), _SLOWEST))


def centred(samples: Tensor) -> Tensor:
    """Samples (sample, input) less their mean."""
    return samples - samples.mean(0)


def covariance(samples: Tensor) -> Tensor:
    """⟨(x − ⟨x⟩)(x − ⟨x⟩)ᵀ⟩ of samples (sample, input), as (input, input)."""
    return centred(samples).T @ centred(samples) / len(samples)
