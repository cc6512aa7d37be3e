"""Responses as they are, for the comparisons to which units, their places or single trials matter.

All others take a `Geometry`, which is smaller and invariant to rotation.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from .errors import InputError

Array = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Responses:
    """Responses of p units or neuroids to n stimuli: `values` (n, p).

    `places` (p, d) says where each of them sits, None where they have no place: the row and column
    of a convolution's units as shares of the map, the coordinates of neuroids as recorded. A layer
    wider than what is read is a seeded random sample of its `total` units. Raises InputError for
    another shape and for values that are not finite.
    """

    ids: tuple[str, ...]
    values: Array = field(repr=False)
    places: Array | None = field(default=None, repr=False)
    total: int = 0

    def __post_init__(self) -> None:
        _check_shape(self.values, (len(self.ids), None), "responses (stimulus, unit)")
        if not np.isfinite(self.values).all():
            bad = self.ids[int(np.argwhere(~np.isfinite(self.values))[0][0])]
            raise InputError(f"the response to stimulus {bad!r} is not finite")
        if self.total == 0:
            object.__setattr__(self, "total", self.values.shape[1])

    def select(self, positions: Positions) -> "Responses":
        """The responses to some of the stimuli, in the order of `positions`."""
        ids = tuple(self.ids[position] for position in positions)
        return replace(self, ids=ids, values=self.values[positions])

    @property
    def is_constant(self) -> bool:
        """Whether each unit answers alike to all stimuli, up to rounding."""
        return bool((self.values.std(axis=0) <= 1e-12 * np.abs(self.values).max(axis=0)).all())


@dataclass(frozen=True, eq=False)
class Trials:
    """Single trials of p neuroids on n stimuli: `values` (n, repeat, p), NaN where one is missing.

    Raises InputError for another shape, infinite values, and a neuroid without any trial of some
    stimulus.
    """

    ids: tuple[str, ...]
    values: Array = field(repr=False)

    def __post_init__(self) -> None:
        _check_shape(self.values, (len(self.ids), None, None), "trials (stimulus, repeat, neuroid)")
        if np.isinf(self.values).any():
            raise InputError("trials are infinite; NaN marks a missing one")
        empty = np.isnan(self.values).all(axis=1)
        if empty.any():
            stimulus, neuroid = np.argwhere(empty)[0]
            raise InputError(f"neuroid {neuroid} has no trial of stimulus {self.ids[stimulus]!r}")

    def select(self, positions: Positions) -> "Trials":
        """The trials of some of the stimuli, in the order of `positions`."""
        ids = tuple(self.ids[position] for position in positions)
        return replace(self, ids=ids, values=self.values[positions])

    def mean(self) -> Responses:
        """The mean over the trials that exist."""
        return Responses(self.ids, np.nanmean(self.values, axis=1))


@dataclass(frozen=True, eq=False)
class Choices:
    """What an observer chose for n stimuli: `shares` (n, choice), rows summing to 1.

    A single trial is a row with a 1; several are averaged. Raises InputError for another shape.
    """

    ids: tuple[str, ...]
    choices: tuple[str, ...]
    shares: Array = field(repr=False)

    def __post_init__(self) -> None:
        _check_shape(self.shares, (len(self.ids), len(self.choices)), "shares (stimulus, choice)")

    def select(self, positions: Positions) -> "Choices":
        """The choices for some of the stimuli, in the order of `positions`."""
        ids = tuple(self.ids[position] for position in positions)
        return replace(self, ids=ids, shares=self.shares[positions])


def _check_shape(values: Array, expected: tuple[int | None, ...], what: str) -> None:
    sizes = zip(values.shape, expected, strict=False)
    if values.ndim != len(expected) or any(want not in (None, size) for size, want in sizes):
        wanted = ", ".join("any" if size is None else str(size) for size in expected)
        raise InputError(f"{what} have the shape {values.shape}, expected ({wanted})")
