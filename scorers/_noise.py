"""The noise of neuroids and how they share it, from how the trials of a stimulus differ.

The estimators bear rsatoolbox's names and give its numbers for N residuals about one mean. About
the means of n stimuli, residuals have N − n degrees of freedom and depend on each other. This
changes how much is shrunk: by (N − n)/(N − 1) of rsatoolbox's share for "shrinkage_diag", and by
the inverse of that for "shrinkage_eye". Two repeats then shrink as their differences do, which are
independent (`tests/scorers/test_noise.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.linalg import solve_triangular

from isocortex.errors import InputError, UnknownNameError
from isocortex.geometry import Array


@dataclass(frozen=True, eq=False)
class NoiseCovariance:
    """The covariance diag(a) + w·EᵀE (p, p) of p neuroids, in its parts.

    `independent` is a (p,), `residuals` E (trial, p) and `weight` w. Where neuroids are more than
    trials, no matrix of p × p is ever made.
    """

    independent: Array = field(repr=False)
    residuals: Array = field(repr=False)
    weight: float

    def matrix(self) -> Array:
        """The covariance itself, (p, p)."""
        matrix: Array = self.weight * (self.residuals.T @ self.residuals)
        np.einsum("ii->i", matrix)[:] += self.independent  # the diagonal, in place
        return matrix

    def whiten(self, responses: Array) -> Array:
        """Responses (row, p) in coordinates of white noise: products of rows are x Σ⁻¹ yᵀ.

        Cost: (rows + trials)·p·min(p, trials) and the cube of the lesser. Raises InputError where
        the covariance has no inverse.
        """
        trials, neuroids = self.residuals.shape
        if self.weight == 0:
            whitened: Array = responses / np.sqrt(self.independent)
            return whitened
        if neuroids <= trials:
            return self._whiten_by_neuroids(responses)
        return self._whiten_by_trials(responses)

    def _whiten_by_neuroids(self, responses: Array) -> Array:
        matrix = self.matrix()
        try:
            root = np.linalg.cholesky(matrix)
            # What is left of a neuroid's variance, given the neuroids before it.
            own = np.diagonal(root) ** 2 / np.diagonal(matrix)
        except np.linalg.LinAlgError:
            own = np.zeros(1)
        if own.min() <= 1e-12:
            raise _singular(*self.residuals.shape)
        return np.asarray(solve_triangular(root, responses.T, lower=True).T)

    def _whiten_by_trials(self, responses: Array) -> Array:
        """With R = E a^−½ √w, (I + RᵀR)^−½ = I − RᵀV g(s) VᵀR for the eigenvalues s of RRᵀ.

        g(s) = (1 − (1 + s)^−½)/s, written so that it keeps its digits at s = 0.
        """
        if self.independent.min() <= 0:
            raise _singular(*self.residuals.shape)
        deviations = np.sqrt(self.independent)
        scaled = self.residuals * (np.sqrt(self.weight) / deviations)
        values, vectors = np.linalg.eigh(scaled @ scaled.T)
        roots = np.sqrt(1 + values.clip(min=0))
        share = (vectors / (roots * (1 + roots))) @ vectors.T
        white: Array = responses / deviations
        white -= (white @ scaled.T) @ share @ scaled
        return white


def noise_covariance(
    residuals: Array, degrees: int, method: str = "shrinkage_diag"
) -> NoiseCovariance:
    """The covariance of residuals (trial, p) that have `degrees` degrees of freedom.

    `method` is "full", the sample covariance; "diag", its diagonal; "shrinkage_diag", drawn towards
    the diagonal (Schäfer & Strimmer 2005, Stat Appl Genet Mol Biol 4:32); "shrinkage_eye", drawn
    towards equal variances (Ledoit & Wolf 2004, J Multivar Anal 88:365). Raises UnknownNameError
    for another, InputError for a neuroid without noise or without degrees of freedom.
    """
    if method not in ESTIMATORS:
        raise UnknownNameError.among("estimator of noise", method, ESTIMATORS)
    if degrees < 1:
        raise InputError(
            f"{len(residuals)} trials leave nothing to estimate noise from: repeat some stimulus, "
            'or choose noise="none"'
        )
    silent = np.flatnonzero((residuals**2).sum(axis=0) == 0)
    if silent.size:
        raise InputError(
            f"neuroid number {silent[0]} answers all trials of a stimulus alike: there is no noise "
            'to normalise by; leave it out or choose noise="none"'
        )
    independent, weight = ESTIMATORS[method](residuals, degrees)
    return NoiseCovariance(independent, residuals, weight)


def _full(residuals: Array, degrees: int) -> tuple[Array, float]:
    return np.zeros(residuals.shape[1]), 1 / degrees


def _diagonal(residuals: Array, degrees: int) -> tuple[Array, float]:
    return np.asarray((residuals**2).sum(axis=0) / degrees), 0.0


def _towards_diagonal(residuals: Array, degrees: int) -> tuple[Array, float]:
    """λ = Σ Var(r)/Σ r² over the correlations r of different neuroids.

    Var(r) = N/(N − n)·Var(w)·N/(N − n)² for products w of N residuals, here with N − 1 for an N.
    """
    variances, _ = _diagonal(residuals, degrees)
    scaled = residuals / np.sqrt(variances)
    trials, neuroids = scaled.shape
    squares = scaled**2
    products = _squared_products(scaled) - neuroids * degrees**2
    fourth = (squares.sum(axis=1) ** 2).sum() - (squares**2).sum()
    share = 1.0
    if products > 1e-12 * neuroids * degrees**2:
        spread = fourth / (trials - 1) / products - 1 / (trials - 1) ** 2
        share = trials * (trials - 1) / degrees * spread
    share = float(np.clip(share, 0, 1))
    return share * variances, (1 - share) / degrees


def _towards_identity(residuals: Array, degrees: int) -> tuple[Array, float]:
    """λ = b²/d², in Ledoit & Wolf's letters."""
    trials, neuroids = residuals.shape
    squares = (residuals**2).sum(axis=1)
    mean = squares.sum() / (trials * neuroids)
    products = _squared_products(residuals) / trials**2
    distance = products - neuroids * mean**2
    spread = ((squares**2).sum() / trials - products) / trials * (trials - 1) / degrees
    share = float(np.clip(spread / distance, 0, 1)) if distance > 1e-12 * products else 1.0
    return np.full(neuroids, share * mean * trials / degrees), (1 - share) / degrees


def _squared_products(rows: Array) -> float:
    """The sum of the squares of EᵀE, which is that of EEᵀ: the smaller one is made."""
    trials, neuroids = rows.shape
    product = rows.T @ rows if neuroids <= trials else rows @ rows.T
    return float((product**2).sum())


def _singular(trials: int, neuroids: int) -> InputError:
    return InputError(
        f"the noise covariance of {neuroids} neuroids in {trials} trials has no inverse; choose "
        'noise="shrinkage_diag", or "diag"'
    )


Estimator = Callable[[Array, int], tuple[Array, float]]
"""From residuals and degrees of freedom to the `independent` and the `weight` of a covariance."""

ESTIMATORS: Final[Mapping[str, Estimator]] = {
    "full": _full,
    "diag": _diagonal,
    "shrinkage_diag": _towards_diagonal,
    "shrinkage_eye": _towards_identity,
}
