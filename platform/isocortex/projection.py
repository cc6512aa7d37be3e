"""Random projection: a layer too wide for memory and disk, reduced with a known error.

Each stimulus's responses, less their mean, are multiplied by a sparse random matrix (Li, Hastie &
Church 2006, "Very sparse random projections", doi:10.1145/1150402.1150436): entries are ±√(s/k)
with probability 1/2s each and 0 else, s = √p for p units and k dimensions. Means stay exact.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from .geometry import Array, Geometry, Projection, require_finite, sum_products

PROJECTION_SEED: Final = 0
"""The seed of the matrix: layers of one width meet the same one, whatever candidate or stimuli."""


def error_bound(stimuli: int, dimensions: int) -> float:
    """The relative error ε that no squared distance exceeds, with a probability of 1 − 1/n.

    From k = 6 ln n / (ε²/2 − ε³/3) (Johnson & Lindenstrauss; Achlioptas 2003, theorem 1.1, β = 1),
    which very sparse matrices meet as p grows. 1 where so few dimensions guarantee nothing.

    >>> round(error_bound(1000, 4096), 3)
    0.15
    """
    least = 6 * math.log(max(stimuli, 2)) / dimensions
    if least >= 1 / 6:
        return 1.0
    return float(brentq(lambda error: error**2 / 2 - error**3 / 3 - least, 0, 1))


def matrix_bytes(units: int, dimensions: int) -> int:
    """About how much memory the matrix takes: a sign and a position for each entry that is not 0,
    with room for its making."""
    return dimensions * math.ceil(40 * math.sqrt(units))


class ProjectedRows:
    """What a layer answers to n stimuli, brought from p units to `dimensions` batch by batch."""

    def __init__(self, stimuli: int, units: int, dimensions: int) -> None:
        self.shape = (stimuli, units)
        self._rows = np.empty((stimuli, dimensions), np.float32)
        self._matrix = _matrix(units, dimensions)
        self._errors: dict[int, tuple[float, int]] = {}

    def __setitem__(self, stimuli: slice, rows: npt.NDArray[np.float32]) -> None:
        """Take in the rows (stimulus, unit) of a batch of stimuli."""
        deviations = rows - rows.mean(axis=1, dtype=np.float64, keepdims=True).astype(np.float32)
        projected = (self._matrix @ deviations.T).T
        self._rows[stimuli] = projected
        self._errors[stimuli.start] = _squared_errors(deviations, projected)

    def geometry(self, ids: Sequence[str], means: Array, *, name: str) -> Geometry:
        """The geometry, with what is known of its error; `means` (n,) are those of the rows.

        Raises InputError as `gather_geometry`.
        """
        require_finite(ids, means, name=name)
        stimuli, dimensions = self._rows.shape
        squares, count = np.sum(list(self._errors.values()), axis=0)
        projection = Projection(
            dimensions=dimensions,
            seed=PROJECTION_SEED,
            bound=error_bound(stimuli, dimensions),
            error=math.sqrt(squares / max(count, 1)),
        )
        gram = sum_products(self._rows, np.zeros(stimuli))
        return Geometry(tuple(ids), gram, means, self.shape[1], projection)


def _matrix(units: int, dimensions: int) -> Any:
    """The sparse matrix (dimensions, units) in float32."""
    from sklearn.random_projection import SparseRandomProjection

    maker = SparseRandomProjection(dimensions, random_state=PROJECTION_SEED)
    shape_only = np.broadcast_to(np.float32(0), (1, units))
    return maker.fit(shape_only).components_.astype(np.float32)


def _squared_errors(exact: npt.NDArray[np.float32], projected: Array) -> tuple[float, int]:
    """Sum and number of the squared relative errors of squared lengths and distances in a batch."""
    true, estimated = _lengths_and_distances(exact), _lengths_and_distances(projected)
    seen = true > 1e-6 * true.max(initial=0)  # of equal answers only rounding is left
    return float(((estimated[seen] / true[seen] - 1) ** 2).sum()), int(seen.sum())


def _lengths_and_distances(rows: npt.NDArray[np.floating]) -> Array:
    gram = (rows @ rows.T).astype(np.float64)
    lengths = np.diagonal(gram)
    first, second = np.triu_indices(len(rows), 1)
    distances = lengths[first] + lengths[second] - 2 * gram[first, second]
    return np.concatenate([lengths, distances])
