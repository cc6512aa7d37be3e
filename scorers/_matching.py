"""Matchings of units with neuroids: who is paired with whom, and how well the pairs agree.

Kernels take responses x (stimulus, unit) and y (stimulus, neuroid) in float64. All pairs are judged
by Pearson's r, with its sign: a unit that does the opposite of a neuroid is no match for it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from isocortex.errors import IncompatibleError, InputError
from isocortex.geometry import Array, Positions, Side
from isocortex.responses import Responses
from isocortex.statistics import Counts, weighted_columnwise_correlation


@dataclass(frozen=True, eq=False)
class Matching:
    """Pairs: `units[k]` with `neuroids[k]`, which makes up `shares[k]` of the whole, 1."""

    units: Positions
    neuroids: Positions
    shares: Array


def require_units(side: Side, whose: str) -> Array:
    """The responses (stimulus, unit) in float64; `whose` names the side in errors.

    Raises IncompatibleError where single units are not known.
    """
    if not isinstance(side, Responses):
        raise IncompatibleError(
            f"this measure needs the responses of single units; {whose} is a {type(side).__name__}"
        )
    return np.asarray(side.values, np.float64)


def varying(values: Array, whose: str) -> Positions:
    """The positions of the columns that are not constant up to rounding. InputError if all are."""
    found = np.flatnonzero(values.std(axis=0) > 1e-12 * np.abs(values).max(axis=0))
    if not len(found):
        raise InputError(
            f"{whose}: each unit answers alike to all {len(values)} stimuli of a comparison: there "
            "is nothing to match"
        )
    return found


def standardised(values: Array) -> Array:
    """Columns less their mean, of unit length; none may be constant. Products are Pearson's r."""
    centred: Array = values - values.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=0)
    return centred


def matched(x: Array, y: Array, rule: str) -> Matching:
    """The pairs that one of `RULES` finds among all units and neuroids that vary.

    A unit without any tuning on these stimuli has no part in it, as if it had not been recorded.
    Cost: n·p·v for the correlations, (p, v), besides the rule's.
    """
    units, neuroids = varying(x, "the model"), varying(y, "the brain")
    found = RULES[rule](standardised(x[:, units]).T @ standardised(y[:, neuroids]))
    return Matching(units[found.units], neuroids[found.neuroids], found.shares)


def agreement(x: Array, y: Array, matching: Matching, weights: Counts) -> Array:
    """Σ share · r over the pairs, under each row of weights (resample, stimulus): (resample,).

    0 where a row weighs no stimulus. Cost: resamples · stimuli · pairs; the memory of `_BLOCK`
    pairs for all resamples.
    """
    total = np.zeros(len(weights))
    for start in range(0, len(matching.shares), _BLOCK):
        block = slice(start, start + _BLOCK)
        first, second = x[:, matching.units[block]], y[:, matching.neuroids[block]]
        correlations = weighted_columnwise_correlation(first, second, weights)
        total += correlations @ matching.shares[block]
    return total


_BLOCK: Final = 1024


def _best(correlations: Array) -> Matching:
    """Each unit with its best neuroid, each neuroid with its best unit; either way counts half."""
    units, neuroids = correlations.shape
    return Matching(
        np.concatenate([np.arange(units), correlations.argmax(axis=0)]),
        np.concatenate([correlations.argmax(axis=1), np.arange(neuroids)]),
        np.repeat([0.5 / units, 0.5 / neuroids], [units, neuroids]),
    )


def _assignment(correlations: Array) -> Matching:
    """The one-to-one pairs of largest total correlation, as many as the smaller side has."""
    units, neuroids = linear_sum_assignment(correlations, maximize=True)
    return Matching(units, neuroids, np.full(len(units), 1 / len(units)))


def _transport(correlations: Array) -> Matching:
    """The pairs of the optimal transport of the units' uniform mass to the neuroids' one."""
    import ot

    # Whole numbers: each unit has the mass v, each neuroid p. So a plan's shares are exact.
    units, neuroids = correlations.shape
    masses = np.full(units, float(neuroids)), np.full(neuroids, float(units))
    plan = ot.emd(*masses, 1 - correlations, numItermax=_UNLIMITED)
    first, second = np.nonzero(plan)
    return Matching(first, second, plan[first, second] / (units * neuroids))


_UNLIMITED: Final = 10**9
"""Network simplex ends by itself; POT's own limit of 10⁵ steps would cut large problems short."""

RULES: Final = {"best": _best, "assignment": _assignment, "transport": _transport}
