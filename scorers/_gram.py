"""Centred Gram matrices of a layer and a region: checked, and factored into coordinates."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import xarray as xr
from scipy.linalg.lapack import dpstrf

from isocortex.errors import IncompatibleError, InputError
from isocortex.geometry import Array, Brain, Geometry, Side, require_same_stimuli

FEWEST_STIMULI: Final = 4
"""Two or three stimuli span so little that nearly any two geometries of them look alike."""

_ROUNDING: Final = 16 * np.finfo(np.float64).eps
"""What rounding leaves where nothing should be, per stimulus, as a share of the largest number
that was rounded. Measured: up to 1.3 epsilons, at 500 stimuli of 5,000 units."""


def require_comparable(model: Side, brain: Brain) -> None:
    """Raise MismatchError for other stimuli, InputError for fewer than `FEWEST_STIMULI`."""
    require_same_stimuli(model, brain)
    if len(model.ids) < FEWEST_STIMULI:
        raise InputError(
            f"{len(model.ids)} stimuli are too few to compare geometries; at least "
            f"{FEWEST_STIMULI} are needed (a benchmark may halve its own twice)"
        )


def require_responses(side: Side, whose: str) -> Geometry:
    """The side itself. Raises IncompatibleError where it is bare dissimilarities."""
    if not isinstance(side, Geometry):
        raise IncompatibleError(
            f"this measure needs responses; of {whose} only dissimilarities are known"
        )
    return side


def centred_kernel(side: Side, whose: str) -> Array:
    """The Gram matrix (n, n) of the responses, each unit centred over the stimuli.

    `whose` names the side in errors. Raises IncompatibleError for bare dissimilarities, InputError
    where all stimuli are answered alike.
    """
    geometry = require_responses(side, whose)
    if geometry.is_constant:
        raise InputError(f"{whose} answers alike to all stimuli: there is nothing to compare")
    return geometry.centred_gram()


def squared_distances(kernel: Array) -> Array:
    """The squared Euclidean distance of each pair of stimuli (n, n), from a Gram matrix (n, n)."""
    sizes = np.diagonal(kernel)
    distances: Array = (sizes + sizes[:, None] - 2 * kernel).clip(min=0)
    return distances


def coordinates(side: Side, whose: str) -> Array:
    """Coordinates F (n, rank) with F Fᵀ the centred Gram matrix; errors as `centred_kernel`.

    They are the centred responses but for a rotation of the units, which leaves the singular
    values of XᵀY as they are. A Cholesky decomposition with pivots costs n·rank², a tenth of what
    eigenvalues cost, and stops where only rounding is left: a direction of that size, kept, would
    enter a sum of singular values with its square root.
    """
    kernel = centred_kernel(side, whose)
    # Centring takes offsets of the units out of larger numbers, which have left their rounding.
    largest = max(np.diagonal(each).max() for each in (require_responses(side, whose).gram, kernel))
    # Transposed it is laid out as LAPACK wants it, and is worked on in place.
    tolerance = _ROUNDING * len(kernel) * largest
    lower, pivots, rank, _ = dpstrf(kernel.T, tol=tolerance, lower=1, overwrite_a=1)
    factor = np.zeros((len(kernel), rank))
    factor[pivots - 1] = np.tril(lower[:, :rank])
    return factor


def most_components(stimuli: int) -> int:
    """How many dimensions of either side are compared where their sizes do not count: (n − 1) // 2.

    Two subspaces of more dimensions than that meet whatever the responses, and each such meeting
    would count as a perfect correlation.
    """
    return (stimuli - 1) // 2


def main_components(factor: Array, share: float = 1.0) -> tuple[Array, Array]:
    """Principal components (n, k), orthonormal, and their variances (k,), descending.

    `factor` (n, rank) are `coordinates`. Kept are the fewest components with the `share` of the
    variance, at most `most_components`. Cost: n·rank² and the eigenvalues of a rank × rank matrix.
    """
    most = most_components(len(factor))
    if share == 1 and factor.shape[1] <= most:
        every, sizes, _ = np.linalg.svd(factor, full_matrices=False)
        return every, sizes**2
    # The squared problem is three times faster; its lost digits are those of small components.
    ascending, axes = np.linalg.eigh(factor.T @ factor)
    variances = ascending[::-1].clip(min=0)
    enough = int((variances.cumsum() < (share - _MARGIN) * variances.sum()).sum()) + 1
    kept = min(enough, most)
    components: Array = factor @ axes[:, ::-1][:, :kept] / np.sqrt(variances[:kept])
    return components, variances[:kept]


_MARGIN: Final = 1e-12
"""Rounding may not decide whether one more component is needed."""


def over_subjects(brain: Brain, similarity: Callable[[Side, str], float]) -> xr.DataArray:
    """The similarity of each subject, (subject,); it is given the side and a name for errors."""
    values = [similarity(side, name) for side, name in _named(brain)]
    return xr.DataArray(values, dims="subject", coords={"subject": list(brain.subjects)})


def _named(brain: Brain) -> Iterator[tuple[Side, str]]:
    for name, side in zip(brain.subjects, brain.sides, strict=True):
        yield side, f"subject {name}"
