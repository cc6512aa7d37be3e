"""Non-negative least squares from the normal equations."""

from typing import Final

import numpy as np

from isocortex.geometry import Array

_NEGLIGIBLE: Final = 1e-12
_PATIENCE: Final = 3
"""How often all weights that are wrong may change sides without fewer of them being wrong."""


def non_negative_weights(normal: Array, target: Array) -> Array:
    """The w ≥ 0 (p,) with the least wᵀMw/2 − bᵀw, for M = XᵀX + ridge (p, p) and b = Xᵀy (p,).

    Block principal pivoting (Portugal, Júdice & Vicente 1994, Math Comp 63:625): weights change
    sides all at once, one by one where that goes in circles, so that it ends at the solution. Cost:
    some 10 systems of the weights that are not 0. M must be positive definite.
    """
    free = np.zeros(len(target), dtype=bool)
    weights, slope = np.zeros(len(target)), -target
    fewest, patience = len(target) + 1, _PATIENCE
    rounding = _NEGLIGIBLE * np.abs(target).max(initial=0)
    while True:
        wrong = np.where(free, weights < 0, slope < -rounding)
        count = int(wrong.sum())
        if count == 0:
            return weights
        fewest, patience = (count, _PATIENCE) if count < fewest else (fewest, patience - 1)
        if patience < 0:  # the last one alone: this cannot go in circles
            wrong[: int(np.flatnonzero(wrong)[-1])] = False
        free ^= wrong
        weights, slope = _solution(normal, target, free)


def _solution(normal: Array, target: Array, free: Array) -> tuple[Array, Array]:
    """The least squares of the free weights, all others 0, and the slope by each weight."""
    weights = np.zeros(len(target))
    weights[free] = np.linalg.solve(normal[np.ix_(free, free)], target[free])
    slope: Array = normal @ weights - target
    slope[free] = 0
    return weights, slope
