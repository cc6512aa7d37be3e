"""Attribution: which component of a network do differences between scores follow?

A component can be told from the others only where they were crossed: the same architectures were
trained for the same objectives by the same rules, each with several seeds.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Final

import numpy as np
import xarray as xr
from scipy import stats

from .errors import InputError
from .recipes import Recipe

FACTORS: Final = ("architecture", "objective", "rule")
SEEDS: Final = "seeds"
"""The source that is left: differences between networks of one recipe but for the seed."""

_ROUNDING: Final = 1e-12
"""Sums of squares below this share of all are 0 but for rounding."""


def crossed_values(values: Mapping[str, float]) -> xr.DataArray:
    """Numbers of networks, by recipe, as (architecture, objective, rule, seed).

    Raises InputError where there are none, where they are of several diets, budgets or constraints,
    or where a cell of the crossing is missing.
    """
    if not values:
        raise InputError("no network has a value, so there is nothing to attribute")
    recipes = {Recipe.parse(name): value for name, value in values.items()}
    others = {(each.diet, each.budget, each.constraints) for each in recipes}
    if len(others) != 1:
        raise InputError(f"{len(others)} diets, budgets or constraints; one each can be attributed")
    levels = {
        name: sorted({getattr(each, name) for each in recipes}) for name in (*FACTORS, "seed")
    }
    found = xr.DataArray(np.nan, coords=levels, dims=tuple(levels))
    for each, value in recipes.items():
        found.loc[{name: getattr(each, name) for name in levels}] = value
    if bool(found.isnull().any()):
        raise InputError(
            f"{int(found.isnull().sum())} of {found.size} crossed cells have no value: each "
            "architecture, objective, rule and seed must meet each other"
        )
    return found


def variance_shares(values: xr.DataArray) -> xr.Dataset:
    """How much of the variance follows each component, each interaction, and the seeds.

    `values` is (…components, seed), complete. Over `source`: `eta_squared` is the share of the sum
    of squares, which adds up to 1; `omega_squared` the same less what seeds alone would give it
    (Hays 1963; below 0 where it is less); `p` is that of the F-test against seeds, NaN for these.
    The design is balanced, so types I, II and III agree. Raises InputError for missing values, one
    seed, or a component with one level.
    """
    _require_crossed(values)
    factors = [str(dim) for dim in values.dims if dim != "seed"]
    cells = values.mean("seed")
    within = float(((values - cells) ** 2).sum())
    free = cells.size * (values.sizes["seed"] - 1)
    total = float(((values - values.mean()) ** 2).sum())
    noise = within / free if within > _ROUNDING * total else 0.0
    rows = {SEEDS: (within / total, np.nan, np.nan)}
    for source in _sources(factors):
        squares = float((_effect(cells, source) ** 2).sum()) * values.size
        squares /= np.prod([values.sizes[name] for name in source])
        degrees = int(np.prod([values.sizes[name] - 1 for name in source]))
        nothing = float(squares <= _ROUNDING * total)  # what is left to p if seeds never differ
        p = stats.f.sf(squares / degrees / noise, degrees, free) if noise else nothing
        omega = (squares - degrees * noise) / (total + noise)
        rows[" × ".join(source)] = (squares / total, omega, float(p))
    names = [name for name in rows if name != SEEDS] + [SEEDS]
    table = np.array([rows[name] for name in names])
    columns = ("eta_squared", "omega_squared", "p")
    return xr.Dataset(
        {name: ("source", table[:, place]) for place, name in enumerate(columns)},
        coords={"source": names},
    )


def _sources(factors: list[str]) -> list[tuple[str, ...]]:
    """Each component, then each two of them, and so on."""
    return [
        chosen for count in range(1, len(factors) + 1) for chosen in combinations(factors, count)
    ]


def _effect(cells: xr.DataArray, source: tuple[str, ...]) -> xr.DataArray:
    """What the means of these components add to those of fewer: by inclusion and exclusion."""
    found: xr.DataArray = xr.zeros_like(cells.mean([d for d in cells.dims if d not in source]))
    for count in range(len(source) + 1):
        for kept in combinations(source, count):
            means = cells.mean([dim for dim in cells.dims if dim not in kept])
            found = found + (-1) ** (len(source) - count) * means
    return found


def _require_crossed(values: xr.DataArray) -> None:
    if "seed" not in values.dims or min(values.sizes.values()) < 2:
        raise InputError(
            f"values have the sizes {dict(values.sizes)}; expected components × seed, two or more "
            "of each"
        )
    if bool(values.isnull().any()):
        raise InputError(f"{int(values.isnull().sum())} of {values.size} values are missing")
    if not float(values.std()):
        raise InputError("all values are equal: there is no variance to attribute")
