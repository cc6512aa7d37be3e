"""Topography: do responses grow apart with distance as they do in the brain?

Units and neuroids that lie near each other in cortex are tuned alike, and less so the further they
lie apart. The curve of response correlation over distance says how much and how far. It needs the
places of both sides: the coordinates of neuroids, and of a convolution's units their row and column
in the map, which is a claim about retinotopy. All channels then share their places.

Distances of different sheets have no common unit. Each side's are taken in its own median distance
of pairs that lie apart.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr
from scipy.sparse import csr_array
from scipy.spatial.distance import pdist, squareform

from isocortex.errors import IncompatibleError, InputError, UnknownNameError
from isocortex.geometry import Array, Brain, Positions, Side
from isocortex.registry import scorer
from isocortex.responses import Responses

from ._gram import over_subjects, require_comparable
from ._matching import require_units, standardised, varying

BINS: Final = 10
REACH: Final = 2.0
"""Curves have ten bins up to twice the median distance; few pairs lie further apart."""

MOST_PLACES: Final = 500
"""So many places make 125,000 pairs of places, which is plenty for ten means."""


@scorer(
    variants={
        "topographic": {
            "summary": "concordance of the curves of response correlation over distance",
            "options": {"comparison": "concordance"},
            "source": "curves: Margalit et al. 2024, doi:10.1016/j.neuron.2024.04.018; Blauch, "
            "Behrmann & Plaut 2022, doi:10.1073/pnas.2112566119; their concordance: Lin 1989, "
            "Biometrics 45:255",
        },
        "topographic-shape": {
            "summary": "correlation of the curves of response correlation over distance",
            "options": {"comparison": "correlation"},
            "source": "curves: Margalit et al. 2024, doi:10.1016/j.neuron.2024.04.018; Blauch, "
            "Behrmann & Plaut 2022, doi:10.1073/pnas.2112566119",
        },
    },
    family="similarity",
    accepts=("responses",),
    reads="units",
    symmetric=True,
    invariant_to=("stimulus order", "unit order", "isotropic scale", "translation"),
    range=(-1.0, 1.0),
    splits={"kind": "halves", "scored": 100, "seed": 0},
    answers="Do responses grow apart with distance as they do in the brain?",
    bibtex="""@article{margalit2024unifying,
  author = {Margalit, Eshed and Lee, Hyodong and Finzi, Dawn and DiCarlo, James J. and
    Grill-Spector, Kalanit and Yamins, Daniel L. K.},
  title = {A unifying framework for functional organization in early and higher ventral visual
    cortex},
  journal = {Neuron},
  volume = {112},
  number = {14},
  pages = {2435--2451},
  year = {2024},
  doi = {10.1016/j.neuron.2024.04.018}
}
@article{blauch2022connectivity,
  author = {Blauch, Nicholas M. and Behrmann, Marlene and Plaut, David C.},
  title = {A connectivity-constrained computational account of topographic organization in primate
    high-level visual cortex},
  journal = {Proceedings of the National Academy of Sciences},
  volume = {119},
  number = {3},
  year = {2022},
  doi = {10.1073/pnas.2112566119}
}
@article{lin1989concordance,
  author = {Lin, Lawrence I-Kuei},
  title = {A concordance correlation coefficient to evaluate reproducibility},
  journal = {Biometrics},
  volume = {45},
  number = {1},
  pages = {255--268},
  year = {1989}
}""",
)
def topographic(model: Side, brain: Brain, *, comparison: str = "concordance") -> xr.DataArray:
    """How alike the curves of correlation over distance are, from −1 to 1: (subject,).

    Curves (see `correlation_over_distance`) are compared over the bins in which both sides have
    pairs, each bin counting alike. `comparison` "concordance" is Lin's 2σₓᵧ/(σₓ² + σᵧ² +
    (x̄ − ȳ)²), 1 only for equal curves and near 0 where one is flat: without topography there is
    little to win. Noise flattens the brain's curve, which the ceiling takes into account.
    "correlation" sees the shape alone: any two curves that fall come close to 1, and a flat one
    gets the sign of its noise. A curve without any variation agrees with no other: 0. Neither makes
    a metric, since the bins that two sides share differ from pair to pair.

    Raises IncompatibleError where a side has no places, InputError where it has one place only,
    where fewer than 3 bins are shared, or for fewer than 4 stimuli.
    """
    require_comparable(model, brain)
    if comparison not in _COMPARISONS:
        raise UnknownNameError.among("comparison", comparison, _COMPARISONS)
    modelled = correlation_over_distance(model, whose="the model").values

    def similarity(side: Side, whose: str) -> float:
        recorded = correlation_over_distance(side, whose=whose).values
        shared = np.isfinite(modelled) & np.isfinite(recorded)
        if shared.sum() < _FEWEST_BINS:
            raise InputError(
                f"the curves of the model and of {whose} share {shared.sum()} of {BINS} distances; "
                f"at least {_FEWEST_BINS} are needed to compare them: record more places"
            )
        return _COMPARISONS[comparison](modelled[shared], recorded[shared])

    return over_subjects(brain, similarity)


_FEWEST_BINS: Final = 3


def _concordance(x: Array, y: Array) -> float:
    spread = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    return float(2 * _covariance(x, y) / spread) if spread > _FLAT else 0.0


def _correlation(x: Array, y: Array) -> float:
    if min(x.var(), y.var()) <= _FLAT:
        return 0.0
    return float(np.clip(_covariance(x, y) / (x.std() * y.std()), -1, 1))


def _covariance(x: Array, y: Array) -> float:
    return float(((x - x.mean()) * (y - y.mean())).mean())


_FLAT: Final = 1e-24
"""Curves are of order 1: a smaller variance is rounding."""

_COMPARISONS: Final = {"concordance": _concordance, "correlation": _correlation}


def correlation_over_distance(side: Side, *, whose: str = "the side") -> xr.DataArray:
    """The mean correlation of the responses of two units by their distance: (distance,).

    `distance` is the middle of each of `BINS` bins, in medians of the distances between different
    places; the coordinate `pairs` counts the pairs in each, NaN stands where there are none. Units
    of one place are at distance 0; pairs further apart than `REACH` are left out, and so are units
    that are constant. Neither unit nor origin of the places matters. Of more than `MOST_PLACES`
    different places, a random sample stands for all, with all of their units.

    Cost: n·p, and n·A² for A different places. Memory: A². Raises IncompatibleError without
    places, InputError where all are the same or no unit varies.
    """
    sheet = _sheet_of(side, whose)
    upper = np.triu_indices(len(sheet.units))
    bins = np.floor(sheet.distances[upper] * BINS / REACH + _EDGE).astype(np.intp)
    within = bins < BINS
    pairs = np.bincount(bins[within], sheet.pairs()[upper][within], BINS)
    sums = np.bincount(bins[within], sheet.correlations()[upper][within], BINS)
    means = np.divide(sums, pairs, out=np.full(BINS, np.nan), where=pairs > 0)
    coords = {
        "distance": ("distance", (np.arange(BINS) + 0.5) * REACH / BINS, {"units": "medians"}),
        "pairs": ("distance", pairs.astype(np.intp)),
    }
    return xr.DataArray(means, dims="distance", coords=coords, attrs={"units": "Pearson's r"})


_EDGE: Final = 1e-9
"""Rounding may not decide on which side of an edge a distance lies that is equal to it."""


def smoothness(side: Side, *, whose: str = "the side") -> float:
    """Moran's I of the maps of responses to all stimuli: about −1/(p − 1) without topography.

    Each unit is standardised over the stimuli; pairs of units weigh wᵢⱼ = 1/(1 + d), d their
    distance in medians. I = (p/Σwᵢⱼ) Σ wᵢⱼ zᵢ zⱼ / Σ zᵢ² over i ≠ j, with z less its mean over the
    map, both sums over all stimuli (after Moran 1950, Biometrika 37:17). Positive where near units
    respond alike. Cost, memory, sample and errors as `correlation_over_distance`; InputError also
    where all units respond alike, so that no map has any variation.
    """
    sheet = _sheet_of(side, whose)
    total, mean = sheet.units.sum(), sheet.sums.sum(axis=0) / sheet.units.sum()
    variation = total * (1 - mean @ mean)
    if variation <= _FLAT**0.5 * total:
        raise InputError(f"{whose}: all units respond alike; there is no map to be smooth or not")
    sums = sheet.sums - np.outer(sheet.units, mean)
    nearness = 1 / (1 + sheet.distances)
    shared = (nearness * (sums @ sums.T)).sum() - variation
    weights = sheet.units @ nearness @ sheet.units - total
    return float(total / weights * shared / variation)


@dataclass(frozen=True, eq=False)
class _Sheet:
    """Units gathered by place, A different ones: what pairs of units sum to needs no more.

    `sums` (A, n) are the summed responses of a place's units, each of unit length; `units` (A,)
    their number; `distances` (A, A) in medians.
    """

    sums: Array
    units: Array
    distances: Array

    def pairs(self) -> Array:
        """How many pairs of different units there are between two places, (A, A)."""
        pairs = np.outer(self.units, self.units)
        np.fill_diagonal(pairs, self.units * (self.units - 1) / 2)
        return pairs

    def correlations(self) -> Array:
        """The sum of their correlations, (A, A)."""
        sums: Array = self.sums @ self.sums.T
        np.fill_diagonal(sums, (np.diagonal(sums) - self.units) / 2)
        return sums


def _sheet_of(side: Side, whose: str) -> _Sheet:
    values = require_units(side, whose)
    places = _places_of(side, whose)
    kept = varying(values, whose)
    different, where = np.unique(places[kept], axis=0, return_inverse=True)
    if len(different) < 2:
        raise InputError(f"{whose}: all units lie at one place; there are no distances")
    sampled = _sampled(len(different))
    gather = csr_array((np.ones(len(kept)), (where, np.arange(len(kept)))))[sampled]
    units = gather.sum(axis=1)
    between = pdist(different[sampled])
    apart = np.outer(units, units)[np.triu_indices(len(units), k=1)]
    distances = squareform(between / _weighted_median(between, apart))
    return _Sheet(gather @ standardised(values[:, kept]).T, units, distances)


def _sampled(places: int) -> Positions:
    """The positions of the places that are used; places are sorted, so units may have any order."""
    if places <= MOST_PLACES:
        return np.arange(places)
    return np.sort(np.random.default_rng(0).permutation(places)[:MOST_PLACES])


def _places_of(side: Side, whose: str) -> Array:
    if not isinstance(side, Responses) or side.places is None:
        raise IncompatibleError(
            f"{whose} has no places: a topography needs the coordinates of neuroids (x, y, z) and "
            "the row and column of units"
        )
    if not np.isfinite(side.places).all():
        raise InputError(f"{whose}: a unit's place is not finite; leave that unit out")
    return np.asarray(side.places, np.float64)


def _weighted_median(values: Array, weights: Array) -> float:
    """The smallest value that, with all below it, holds half of the weight."""
    order = values.argsort()
    running = weights[order].cumsum()
    return float(values[order][np.searchsorted(running, running[-1] / 2)])
