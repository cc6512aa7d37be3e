"""What the regressions share: responses, inner folds, and ridge without any fold from one spectrum.

They see the model through the centred Gram matrix of its features alone, here called the kernel.
"""

from collections.abc import Iterable, Sequence
from typing import Final, final

import numpy as np
import xarray as xr
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.linalg.blas import dtrsm

from isocortex.encoding import HeldOut
from isocortex.errors import InputError, MismatchError
from isocortex.geometry import Array, Geometry, Positions, centre
from isocortex.splits import Split, make_splits
from isocortex.statistics import columnwise_correlation

NEGLIGIBLE: Final = 1e-12
"""A dimension with less than this share of the largest's variance may be rounding of the Gram."""


def responses_of(brain: xr.DataArray, model: Geometry) -> Array:
    """The responses (stimulus, neuroid) that a model of the same stimuli is to predict, float64.

    Raises MismatchError for another number of stimuli, InputError where a response is not finite.
    """
    responses = brain.transpose("stimulus", "neuroid").values.astype(np.float64)
    if len(responses) != len(model.ids):
        raise MismatchError(
            f"{len(responses)} stimuli were recorded and the model saw {len(model.ids)}; "
            "give both the same stimuli in the same order"
        )
    if not np.isfinite(responses).all():
        bad = int(np.flatnonzero(~np.isfinite(responses).all(axis=0))[0])
        raise InputError(
            f"the responses of neuroid {bad} are not all finite; average over its trials or "
            "leave it out"
        )
    return responses


def folds_within(split: Split, count: int) -> list[Positions]:
    """The positions that each of `count` inner folds holds out of a split's training stimuli."""
    protocol = {"kind": "k-fold", "folds": count, "seed": 0}
    return [split.train[inner.test] for inner in make_splits(len(split.train), protocol)]


def penalty_grid(kernel: Array) -> Array:
    """21 penalties, half a decade apart: 10⁻⁶ … 10⁴ of the mean squared norm of a stimulus."""
    grid: Array = np.trace(kernel) / len(kernel) * np.logspace(-6, 4, 21)
    return grid


def spectrum(kernel: Array) -> tuple[Array, Array]:
    """Eigenvalues (n − 1) and vectors (n, n − 1) of a centred kernel, without the constant one.

    The constant vector, which the intercept takes up, is lifted above all others and cut off:
    left in, its eigenvalue of 10⁻¹⁶ instead of 0 would swamp a small penalty.
    """
    count = len(kernel)
    values, vectors = np.linalg.eigh(kernel + 2 * np.trace(kernel) / count)
    return values[:-1].clip(min=0), vectors[:, :-1]


def centred_on(kernel: Array, training: Positions, held: Positions) -> tuple[Array, Array]:
    """The kernel of training stimuli (F, F), and of others (H, F), less the means of the former."""
    within, across = kernel[np.ix_(training, training)], kernel[np.ix_(held, training)]
    means = within.mean(axis=0)
    across = across - across.mean(axis=1, keepdims=True) - means + means.mean()
    return centre(within), across


def nested_ridge(
    kernel: Array,
    responses: Array,
    splits: Sequence[Split],
    *,
    penalties: Iterable[float],
    inner_folds: int,
) -> list[HeldOut]:
    """Ridge on a centred kernel (n, n), the penalty of each neuroid by inner folds of each split.

    With the smoother S of all stimuli (ŷ = S y) and C = I − S, the residuals on any set F of a fit
    that never saw F are C_FF⁻¹ (C y)_F. So one eigendecomposition (9 n³ multiplications) serves all
    folds; each penalty costs C (n³/2, one triangle), and for each split what `_Contest.enter` says.
    Memory: four times that of the kernel and of the responses, whatever the number of penalties.
    """
    values, vectors = spectrum(kernel)
    contests = [_Contest(split, responses, inner_folds) for split in splits]
    for penalty in penalties:
        root = vectors * np.sqrt(penalty / (values + penalty))
        complement = root @ root.T  # NumPy sees that it is symmetric and computes one triangle
        residuals = complement @ responses
        for contest in contests:
            contest.enter(complement, residuals)
    return [HeldOut(each.split, each.prediction, each.selection) for each in contests]


@final
class _Contest:
    """The best penalty so far of each neuroid in one split; of equal ones the first.

    `order` holds the training stimuli fold by fold, each fold from its `starts` on.
    `errors` and `selection` (neuroid) are its squared error and mean correlation over the inner
    folds, `prediction` (test stimulus, neuroid) what it says of the test stimuli.
    """

    def __init__(self, split: Split, responses: Array, inner_folds: int) -> None:
        self.split = split
        self.folds = folds_within(split, inner_folds)
        self.order = np.concatenate(self.folds)
        self.starts = np.cumsum([0, *map(len, self.folds[:-1])])
        self.responses = responses
        self.errors = np.full(responses.shape[1], np.inf)
        self.selection = np.zeros(responses.shape[1])
        self.prediction = np.zeros((len(split.test), responses.shape[1]))

    def enter(self, complement: Array, residuals: Array) -> None:
        """Try one penalty, given C (n, n) and C y (n, neuroid).

        An inner fit leaves out its fold F and the test stimuli T. T is eliminated once for all
        folds by block Cholesky: C_TT = L Lᵀ, A = L⁻¹ C_T·, and C_FF − A_Fᵀ A_F is left of F.
        Cost, with m test stimuli and folds of f: m² (n + v)/2 + n m f/2 + n m v multiplications.
        """
        test = self.split.test
        rows = complement[test]
        factor = cholesky(rows[:, test], lower=True, check_finite=False)
        carried = solve_triangular(factor, residuals[test], lower=True, check_finite=False)
        # Transposed, Aᵀ Lᵀ = C_·T, each fold is a slice, and BLAS works in place.
        beside = rows.take(self.order, axis=1).T
        across = dtrsm(1.0, factor, beside, side=1, lower=1, trans_a=1, overwrite_b=1)
        left = residuals[self.order] - across @ carried
        inner = []
        for fold, start in zip(self.folds, self.starts, strict=True):
            part = slice(start, start + len(fold))
            within = complement[np.ix_(fold, fold)] - across[part] @ across[part].T
            lower = cho_factor(within, lower=True, overwrite_a=True, check_finite=False)
            inner.append(cho_solve(lower, left[part], check_finite=False))
        outer = solve_triangular(factor, carried, lower=True, trans=1, check_finite=False)
        self._compare(inner, outer)

    def _compare(self, inner: Sequence[Array], outer: Array) -> None:
        """Keep the neuroids that do better, given residuals on inner folds and test stimuli."""
        errors = np.sum([(residuals**2).sum(axis=0) for residuals in inner], axis=0)
        better = np.flatnonzero(errors < self.errors)
        correlations = []
        for fold, residuals in zip(self.folds, inner, strict=True):
            observed = self.responses[np.ix_(fold, better)]
            correlations.append(columnwise_correlation(observed - residuals[:, better], observed))
        self.errors[better] = errors[better]
        self.selection[better] = np.mean(correlations, axis=0)
        self.prediction[:, better] = (
            self.responses[np.ix_(self.split.test, better)] - outer[:, better]
        )
