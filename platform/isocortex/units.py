"""The units of a layer that are read as they are: which ones, and where they sit in its map."""

import math
from typing import Final

import numpy as np

from .errors import InputError
from .responses import Array, Positions

UNITS_READ: Final = 4096
"""How many units of a layer are read at most, for the scorers that read units."""

UNITS_SEED: Final = 0
"""The seed of the sample: layers of one width are sampled alike, whatever candidate or stimuli."""


def sampled_units(total: int) -> Positions:
    """The positions of the units that are read, ascending: all, or a random sample of them."""
    if total <= UNITS_READ:
        return np.arange(total)
    generator = np.random.default_rng(UNITS_SEED)
    return np.sort(generator.choice(total, UNITS_READ, replace=False)).astype(np.intp)


def map_places(shape: tuple[int, ...], units: Positions) -> Array | None:
    """The (row, column) of units of a map (channel, row, column), as shares of it: (unit, 2).

    The middle of a map is (0.5, 0.5), so that maps of different size compare. None for answers of
    any other form, which have no places.
    """
    if len(shape) != 3:
        return None
    _, row, column = np.unravel_index(units, shape)
    return np.column_stack([(row + 0.5) / shape[1], (column + 0.5) / shape[2]])


def own_places(places: Array, shape: tuple[int, ...], units: Positions, *, layer: str) -> Array:
    """The places that a layer itself gives its units, `places` (all units, d): (unit, d).

    Raises InputError unless there is one place, of finite numbers, for each of its units.
    """
    total = math.prod(shape)
    if places.ndim != 2 or len(places) != total or not np.isfinite(places).all():
        raise InputError(
            f"layer {layer}: its unit_places have the shape {places.shape}; finite numbers of the "
            f"shape ({total}, d) are expected, one row for each unit"
        )
    return np.asarray(places[units], np.float64)
