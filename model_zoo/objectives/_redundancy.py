"""Terms that keep an embedding from collapsing: units must vary, and say different things."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

_LEAST: Final = 1e-4
"""Added to variances, so that the root has a slope at 0 (Bardes et al. 2022, eq. 1)."""


def too_still(outputs: Tensor) -> Tensor:
    """How far the standard deviations over inputs stay below 1, on average over outputs.

    Equation 1 of Bardes, Ponce & LeCun 2022.
    """
    return functional.relu(1 - (outputs.var(dim=0) + _LEAST).sqrt()).mean()


def too_alike(outputs: Tensor) -> Tensor:
    """The sum of squared covariances of different outputs over their number (eq. 4)."""
    centred = outputs - outputs.mean(dim=0)
    covariance = centred.T @ centred / (len(outputs) - 1)
    return off_diagonal_squares(covariance) / outputs.shape[1]


def off_diagonal_squares(matrix: Tensor) -> Tensor:
    """The sum of the squares off the diagonal."""
    return (matrix**2).sum() - (torch.diagonal(matrix) ** 2).sum()
