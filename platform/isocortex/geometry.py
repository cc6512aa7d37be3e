"""Geometry: all that a linear or rotation-invariant comparison needs of a layer or a region.

Such a comparison sees the responses X (stimulus × unit) only through X Xᵀ. A Pearson RDM needs the
row means and the number of units besides. So a layer of 800,000 units on 1,000 stimuli is a
1,000 × 1,000 matrix.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import xarray as xr

from .errors import InputError, MismatchError
from .responses import Array as Array
from .responses import Choices, Responses, Trials
from .responses import Positions as Positions

BLOCK_BYTES: Final = 32 * 10**6
"""How much of the responses is held in float64 at once while a Gram matrix is summed."""

GATHERED_SQUARES: Final = 2
"""How many n × n matrices are held while a Gram matrix is summed: the sum and one block's share."""


@dataclass(frozen=True)
class Projection:
    """How a geometry was reduced: its row-centred responses went through a random projection.

    They were brought to `dimensions` by the matrix of `seed`. `bound` is the relative error ε that
    squared distances stay within (see `isocortex.projection`), `error` the root mean square of the
    relative errors that were seen.
    """

    dimensions: int
    seed: int
    bound: float
    error: float


@dataclass(frozen=True, eq=False)
class Geometry:
    """Responses to n stimuli up to a rotation of the units.

    `gram` (n, n) holds Σᵤ (xᵢᵤ − mᵢ)(xⱼᵤ − mⱼ) over the units u, with mᵢ in `means` (n,): the means
    are kept apart because adding them would cost the digits that a Pearson RDM needs. `units` is
    the number of units. `projection` says how `gram` was estimated; None where it is exact.
    """

    ids: tuple[str, ...]
    gram: Array = field(repr=False)
    means: Array = field(repr=False)
    units: int
    projection: Projection | None = None

    def select(self, positions: Positions) -> "Geometry":
        """The geometry of some of the stimuli, in the order of `positions`."""
        ids = tuple(self.ids[position] for position in positions)
        gram = self.gram[np.ix_(positions, positions)]
        return replace(self, ids=ids, gram=gram, means=self.means[positions])

    @property
    def is_constant(self) -> bool:
        """Whether each unit answers alike to all stimuli, up to rounding."""
        total = float(np.trace(self.gram))
        means = self.means - self.means.mean()
        varying = total - self.gram.sum() / len(means) + self.units * (means @ means)
        offsets = self.units * float(self.means @ self.means)
        # Where all units share their values, `total` itself is rounding of the offsets.
        return bool(varying <= 1e-12 * total + 1e-24 * offsets)

    def uncentred_gram(self) -> Array:
        """Σᵤ xᵢᵤ xⱼᵤ, (n, n): the products of the responses as they are."""
        gram: Array = self.gram + self.units * np.outer(self.means, self.means)
        return gram

    def centred_gram(self) -> Array:
        """Σᵤ (xᵢᵤ − x̄ᵤ)(xⱼᵤ − x̄ᵤ), (n, n): each unit centred over the stimuli."""
        means = self.means - self.means.mean()
        gram: Array = centre(self.gram) + self.units * np.outer(means, means)
        return gram


@dataclass(frozen=True, eq=False)
class Dissimilarities:
    """A symmetric dissimilarity matrix (n, n) with a zero diagonal, where no more is known."""

    ids: tuple[str, ...]
    matrix: Array = field(repr=False)

    def select(self, positions: Positions) -> "Dissimilarities":
        """The dissimilarities among some of the stimuli, in the order of `positions`."""
        ids = tuple(self.ids[position] for position in positions)
        return Dissimilarities(ids, self.matrix[np.ix_(positions, positions)])


Side = Geometry | Dissimilarities | Responses | Trials | Choices
"""One side of a comparison."""


@dataclass(frozen=True)
class Brain:
    """One region of all subjects on the same stimuli: one `Side` for each subject."""

    subjects: tuple[str, ...]
    sides: tuple[Side, ...]

    def __post_init__(self) -> None:
        if not self.sides or len(self.subjects) != len(self.sides):
            raise MismatchError(f"{len(self.subjects)} subjects for {len(self.sides)} geometries")
        if any(side.ids != self.sides[0].ids for side in self.sides):
            raise MismatchError("the subjects of a brain must have seen the same stimuli")

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the stimuli."""
        return self.sides[0].ids

    def select(self, positions: Positions) -> "Brain":
        """The brain's answers to some of the stimuli, in the order of `positions`."""
        return Brain(self.subjects, tuple(side.select(positions) for side in self.sides))


def geometry_of(responses: xr.DataArray | Responses) -> Geometry:
    """The geometry of responses with the dims (stimulus, unit) or (stimulus, neuroid).

    Raises InputError if a response is not finite.
    """
    if isinstance(responses, Responses):
        return gather_geometry(responses.ids, responses.values, name="responses")
    if responses.ndim != 2 or responses.dims[0] != "stimulus":
        raise InputError(f"responses have dims {responses.dims}, expected (stimulus, unit)")
    ids = tuple(str(name) for name in responses.stimulus.values)
    return gather_geometry(ids, responses.values, name="responses")


class Rows(Protocol):
    """Responses (stimulus, unit) that can be read in blocks, from memory or from disk."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of stimuli and of units."""

    def __getitem__(self, block: tuple[slice, slice], /) -> npt.NDArray[np.floating]: ...


def gather_geometry(
    ids: Sequence[str], rows: Rows, *, name: str, means: Array | None = None
) -> Geometry:
    """The geometry of `rows` (n, p), which may lie on disk: they are read in blocks of units.

    Rows whose `means` (n,) are known are read once, and not twice. Cost: n²p/2 multiplications in
    float64; `GATHERED_SQUARES` n × n matrices and 3 × `BLOCK_BYTES` in memory. Raises InputError,
    with `name`, if a value is not finite.
    """
    stimuli, units = rows.shape
    if means is None:
        means = np.zeros(stimuli)
        for block in _blocks(rows):
            means += block.sum(axis=1, dtype=np.float64)
        means /= units
    require_finite(ids, means, name=name)
    return Geometry(tuple(ids), sum_products(rows, means), means, units)


def sum_products(rows: Rows, means: Array) -> Array:
    """Σᵤ (xᵢᵤ − mᵢ)(xⱼᵤ − mⱼ) over the units u of `rows` (n, p), with m in `means`: (n, n)."""
    gram = np.zeros((len(means), len(means)))
    for block in _blocks(rows):
        deviations = block.astype(np.float64)
        deviations -= means[:, None]
        gram += deviations @ deviations.T  # a matrix by its own transpose: half the work (syrk)
    return gram


def require_finite(ids: Sequence[str], means: Array, *, name: str) -> None:
    """Raise InputError, with `name`, unless the mean response to each stimulus is finite."""
    if not np.isfinite(means).all():
        bad = ids[int(np.flatnonzero(~np.isfinite(means))[0])]
        raise InputError(f"{name}: the response to stimulus {bad!r} is not finite")


def _blocks(rows: Rows) -> Iterator[npt.NDArray[np.floating]]:
    """The rows (n, p) in blocks of units, each of `BLOCK_BYTES` at most in float64."""
    stimuli, units = rows.shape
    width = max(1, BLOCK_BYTES // (8 * stimuli))
    for start in range(0, units, width):
        yield rows[:, start : start + width]


def centre(matrix: Array) -> Array:
    """A symmetric matrix (n, n) with the mean of each row and column taken out."""
    means = matrix.mean(axis=0)
    centred: Array = matrix - means - means[:, None] + means.mean()
    return centred


def require_same_stimuli(model: Side, brain: Side | Brain) -> None:
    """Raise MismatchError unless both sides hold the same stimuli in the same order."""
    if model.ids == brain.ids:
        return
    missing = sorted(set(brain.ids) - set(model.ids))[:3]
    raise MismatchError(
        f"model and brain differ in their stimuli: {len(model.ids)} and {len(brain.ids)}"
        + (f"; the model lacks {', '.join(missing)}" if missing else ", in another order")
    )
