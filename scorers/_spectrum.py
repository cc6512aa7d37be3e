"""What the regressions share: responses, inner folds, a centred kernel and its spectrum.

They see the model through the centred Gram matrix of its features alone, here called the kernel.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr

from isocortex.errors import InputError, MismatchError
from isocortex.geometry import Array, Geometry, Positions, centre
from isocortex.responses import Responses
from isocortex.splits import Split, make_splits

from ._gram import FEWEST_STIMULI

NEGLIGIBLE: Final = 1e-12
"""A dimension with less than this share of the largest's variance may be rounding of the Gram."""


def responses_of(brain: xr.DataArray, model: Geometry | Responses) -> Array:
    """The responses (stimulus, neuroid) that a model of the same stimuli is to predict, float64.

    Raises MismatchError for another number of stimuli, InputError where a response is not finite,
    where the model answers alike to all stimuli, and for fewer than `FEWEST_STIMULI`.
    """
    responses = brain.transpose("stimulus", "neuroid").values.astype(np.float64)
    if len(responses) != len(model.ids):
        raise MismatchError(
            f"{len(responses)} stimuli were recorded and the model saw {len(model.ids)}; "
            "give both the same stimuli in the same order"
        )
    if len(responses) < FEWEST_STIMULI:
        raise InputError(
            f"{len(responses)} stimuli are too few to fit some and predict others; at least "
            f"{FEWEST_STIMULI} are needed (a benchmark of five folds needs 10)"
        )
    if model.is_constant:
        raise InputError("the model answers alike to all stimuli: it predicts nothing")
    if not np.isfinite(responses).all():
        bad = int(np.flatnonzero(~np.isfinite(responses).all(axis=0))[0])
        raise InputError(
            f"the responses of neuroid {bad} are not all finite; average over its trials or "
            "leave it out"
        )
    return responses


def folds_within(split: Split, count: int, *, shuffled: bool = True) -> list[Positions]:
    """The positions that each of `count` inner folds holds out of a split's training stimuli.

    Where the training stimuli come in groups, whole groups are held out, in as many folds as there
    are groups if those are fewer. Folds that are not `shuffled` follow the order of the stimuli.
    """
    from sklearn.model_selection import GroupKFold

    size = len(split.train)
    if split.groups is not None:
        whole = GroupKFold(min(count, np.unique(split.groups).size))
        folds = [test for _, test in whole.split(split.train, groups=split.groups)]
    elif shuffled:
        protocol = {"kind": "k-fold", "folds": count, "seed": 0}
        folds = [inner.test for inner in make_splits(size, protocol)]
    else:
        folds = np.array_split(np.arange(size), count)
    return [split.train[fold] for fold in folds]


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


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """Ridge on a centred kernel (n, n), and what it leaves where each stimulus is left out in turn.

    `rotated` (n − 1, column) are the responses less their mean, along the kernel's `vectors`.
    """

    values: Array
    vectors: Array
    rotated: Array

    @classmethod
    def of(cls, kernel: Array, responses: Array) -> "LeaveOneOut":
        """The fits of responses (n, column). Cost: one eigendecomposition."""
        values, vectors = spectrum(kernel)
        return cls(values, vectors, vectors.T @ (responses - responses.mean(axis=0)))

    def residuals(self, penalty: float) -> Array:
        """The residual on each stimulus of a fit to all others, (n, column), in one product."""
        shares = penalty / (self.values + penalty)
        residuals: Array = (self.vectors * shares) @ self.rotated
        residuals /= (self.vectors**2 @ shares)[:, None]
        return residuals

    def best(self, penalties: Array) -> float:
        """The penalty that leaves the least squared error, one for all columns."""
        errors = [(self.residuals(penalty) ** 2).sum() for penalty in penalties]
        return float(penalties[np.argmin(errors)])

    def predicted(self, across: Array, penalty: float) -> Array:
        """What a fit to all stimuli says of others, given their kernel (H, n) with these: less the
        mean of the responses, (H, column)."""
        predicted: Array = across @ (self.vectors / (self.values + penalty)) @ self.rotated
        return predicted


def centred_on(kernel: Array, training: Positions, held: Positions) -> tuple[Array, Array]:
    """The kernel of training stimuli (F, F), and of others (H, F), less the means of the former."""
    within, across = kernel[np.ix_(training, training)], kernel[np.ix_(held, training)]
    means = within.mean(axis=0)
    across = across - across.mean(axis=1, keepdims=True) - means + means.mean()
    return centre(within), across
