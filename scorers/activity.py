"""Activity statistics: are a layer's units as sparse, as uneven and as redundant as neurons?

They ask nothing about which stimulus drives which unit: two sides can agree in all of them and
represent nothing alike. But they tell networks apart that were taught by different rules, which
comparisons of representations hardly do (Nayebi et al. 2020; `studies/identification.py`).

All are free of units of measurement and of the number of units: a thousand of a layer's and a
hundred recorded neurons have the same expectation. Units that answer alike to all stimuli are left
out, since neurons that do are not recorded. What noise adds is not taken out: with their noise,
averages over few trials look sparser, less correlated, of thinner tails and more dimensions. The
halves of the trials that make a ceiling have that in common, which makes the ceiling generous.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import xarray as xr

from isocortex.errors import InputError, UnknownNameError
from isocortex.geometry import Array, Brain, Side
from isocortex.registry import scorer

from ._gram import over_subjects, require_comparable
from ._matching import require_units, standardised, varying


@scorer(
    variants={
        "activity-statistics": {
            "summary": "how nearly sparseness, unevenness, tails, dimensions and redundancy agree",
            "options": {
                "statistics": (
                    "lifetime_sparseness",
                    "population_sparseness",
                    "rate_unevenness",
                    "gain_unevenness",
                    "kurtosis",
                    "dimensionality",
                    "correlation",
                )
            },
            "invariant_to": ("stimulus order", "unit order", "isotropic scale"),
        },
        "activity-statistics-centred": {
            "summary": "the same of the statistics that don't depend on the units' baselines",
            "options": {
                "statistics": ("gain_unevenness", "kurtosis", "dimensionality", "correlation")
            },
            "invariant_to": ("stimulus order", "unit order", "isotropic scale", "translation"),
        },
    },
    family="similarity",
    accepts=("responses",),
    reads="units",
    symmetric=True,
    metric="one-minus",
    range=(0.0, 1.0),
    splits={"kind": "halves", "scored": 100, "seed": 0},
    answers="Is the activity of the model's units distributed like that of neurons?",
    source="statistics of activity after Nayebi et al. 2020, arXiv:2010.11765; sparseness: Rolls & "
    "Tovee 1995, doi:10.1152/jn.1995.73.2.713; Vinje & Gallant 2000, "
    "doi:10.1126/science.287.5456.1273; dimensionality: Litwin-Kumar et al. 2017, Neuron 93:1153. "
    "That they are compared as ratios is our own",
    bibtex="""@inproceedings{nayebi2020identifying,
  author = {Nayebi, Aran and Srivastava, Sanjana and Ganguli, Surya and Yamins, Daniel L. K.},
  title = {Identifying learning rules from neural network observables},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {33},
  year = {2020},
  eprint = {2010.11765},
  archiveprefix = {arXiv}
}
@article{rolls1995sparseness,
  author = {Rolls, Edmund T. and Tovee, Martin J.},
  title = {Sparseness of the neuronal representation of stimuli in the primate temporal visual
    cortex},
  journal = {Journal of Neurophysiology},
  volume = {73},
  number = {2},
  pages = {713--726},
  year = {1995},
  doi = {10.1152/jn.1995.73.2.713}
}
@article{vinje2000sparse,
  author = {Vinje, William E. and Gallant, Jack L.},
  title = {Sparse coding and decorrelation in primary visual cortex during natural vision},
  journal = {Science},
  volume = {287},
  number = {5456},
  pages = {1273--1276},
  year = {2000},
  doi = {10.1126/science.287.5456.1273}
}
@article{litwinkumar2017optimal,
  author = {Litwin-Kumar, Ashok and Harris, Kameron Decker and Axel, Richard and Sompolinsky, Haim
    and Abbott, L. F.},
  title = {Optimal degrees of synaptic connectivity},
  journal = {Neuron},
  volume = {93},
  number = {5},
  pages = {1153--1164},
  year = {2017}
}""",
)
def activity(model: Side, brain: Brain, *, statistics: Sequence[str]) -> xr.DataArray:
    """By what share the statistics agree, 0 to 1 (all equal): (subject,).

    The mean over `statistics` of the smaller value over the larger, see `activity_statistics`. It
    does not fall to 0 by chance: unrelated sides of equal statistics score 1. Without the units'
    baselines, as in standardised responses, sparseness means nothing; the variant `-centred` then
    compares the rest. Raises InputError for fewer than 4 stimuli or 2 units that vary,
    IncompatibleError where single units are not known, UnknownNameError for another statistic.
    """
    require_comparable(model, brain)
    for name in statistics:
        if name not in STATISTICS:
            raise UnknownNameError.among("statistic", name, STATISTICS)
    modelled = _measured(_varying_responses(model, "the model"), statistics)

    def similarity(side: Side, whose: str) -> float:
        recorded = _measured(_varying_responses(side, whose), statistics)
        return float(shared_part(modelled, recorded).mean())

    return over_subjects(brain, similarity)


def shared_part(first: xr.DataArray, second: xr.DataArray) -> xr.DataArray:
    """min/max of each pair of numbers, none negative; 1 where both are 0. 1 − it is a metric."""
    smaller, larger = (xr.apply_ufunc(each, first, second) for each in (np.minimum, np.maximum))
    share: xr.DataArray = smaller / larger.where(larger > 0)
    return share.fillna(1.0)


def activity_statistics(side: Side, *, whose: str = "the side") -> xr.DataArray:
    """Statistics of the responses r of p units to n stimuli, none with a unit: (statistic,).

    - `lifetime_sparseness`: (1 − ⟨r⟩²/⟨r²⟩)/(1 − 1/n) over stimuli, mean over units: 0 where all
      drive a unit alike, 1 where one does (Vinje & Gallant 2000). Also 1 for a mean of 0: it is
      meant for responses that start from 0.
    - `population_sparseness`: the same over units, 1/p for 1/n, mean over stimuli that drive any.
    - `rate_unevenness`, `gain_unevenness`: the same over units of their mean response and of its
      standard deviation: CV²/(1 + CV²), with their coefficient of variation.
    - `kurtosis`: m₄/m₂² of a unit's responses, median over units; 3 for a Gaussian.
    - `skewness`: m₃/m₂^1.5, median over units; it alone may be negative.
    - `dimensionality`: ⟨Cᵢᵢ⟩²/⟨Cᵢⱼ²⟩ over pairs of different units, with their covariance C: what
      the participation ratio (Σλ)²/Σλ² would be of many more units (Litwin-Kumar et al. 2017). At
      most n − 1, which is what unrelated units have.
    - `correlation`: √⟨rᵢⱼ²⟩ over pairs of different units; 1/√(n − 1) for unrelated ones.
    - `spectrum_exponent`: α of λₖ ∝ k^−α over the ranks of 3 to half of all, least squares of
      logarithms weighted by 1/k (after Stringer et al. 2019, doi:10.1038/s41586-019-1346-5, who
      cross-validate and take 11 to 500 of 2,800). It depends on p unless p ≫ n. NaN for fewer than
      12 dimensions.

    Units that answer alike to all stimuli are left out. The exponent apart, sides of unequal p
    compare; n should be equal. Noise in r changes all of them. Cost: n²·p. Raises InputError for
    fewer than 4 stimuli or 2 units that vary, IncompatibleError where single units are not known.
    """
    x = _varying_responses(side, whose)
    return _measured(x, tuple(STATISTICS))


def _measured(x: Array, statistics: Sequence[str]) -> xr.DataArray:
    values = [STATISTICS[name](x) for name in statistics]
    return xr.DataArray(values, dims="statistic", coords={"statistic": list(statistics)})


def _varying_responses(side: Side, whose: str) -> Array:
    """The responses (n, p) of the units that vary, as shares of the largest."""
    values = require_units(side, whose)
    kept = varying(values, whose)
    if len(kept) < 2 or len(values) < _FEWEST_STIMULI:
        raise InputError(
            f"{whose}: {len(kept)} of its units vary over {len(values)} stimuli; statistics of "
            f"activity take 2 units and {_FEWEST_STIMULI} stimuli or more"
        )
    x = values[:, kept]
    scaled: Array = x / np.abs(x).max()  # fourth powers may not overflow
    return scaled


_FEWEST_STIMULI: Final = 4


def sparseness(values: Array) -> Array:
    """(1 − mean²/mean square)/(1 − 1/n) over the first axis of n numbers: 0 to 1; 0 for all 0.

    It is s²/⟨r²⟩ with the unbiased variance s², so its expectation hardly depends on n.
    """
    square = (values**2).mean(axis=0)
    spread = values.var(axis=0, ddof=1)
    share: Array = np.divide(spread, square, out=np.zeros_like(square), where=square > 0)
    return share


def _moment(x: Array, order: int) -> float:
    """The standardised moment of each unit, median over units."""
    return float(np.median((standardised(x) ** order).sum(axis=0)) * len(x) ** (order / 2 - 1))


def _dimensionality(x: Array) -> float:
    """Width-free participation ratio of responses (n, p), at most n − 1."""
    centred = x - x.mean(axis=0)
    size = (centred**2).sum(axis=0).mean()
    return float(1 / max(_pairs_mean_square(centred) / size**2, 1 / (len(x) - 1)))


def _pairs_mean_square(columns: Array) -> float:
    """The mean square of the product of two different columns (n, p); the products are never made.

    Σᵢⱼ (cᵢ·cⱼ)² is the squared norm of C Cᵀ, (n, n), of which the columns' own share is taken out.
    """
    count = columns.shape[1]
    own = ((columns**2).sum(axis=0) ** 2).sum()
    every = ((columns @ columns.T) ** 2).sum()
    return float(max(every - own, 0.0) / (count * (count - 1)))


def _spectrum_exponent(x: Array) -> float:
    """The exponent of the decay of the covariance's eigenvalues, NaN for too few of them."""
    centred = x - x.mean(axis=0)
    dimensions = min(len(x) - 1, x.shape[1])
    small = centred @ centred.T if len(x) < x.shape[1] else centred.T @ centred
    values = np.linalg.eigvalsh(small)[::-1][:dimensions]
    ranks = np.arange(_FIRST_RANK, dimensions // 2 + 1)
    decay = values[ranks - 1] if dimensions >= _FEWEST_DIMENSIONS else values[:0]
    if not len(decay) or decay[-1] <= _NEGLIGIBLE * values[0]:
        return float("nan")
    weights = 1 / np.sqrt(ranks)  # polyfit squares them
    return float(-np.polyfit(np.log(ranks), np.log(decay), 1, w=weights)[0])


_FIRST_RANK: Final = 3
_FEWEST_DIMENSIONS: Final = 12
_NEGLIGIBLE: Final = 1e-12
"""An eigenvalue of less than this share of the largest may be rounding: no power law is left."""


STATISTICS: Final[Mapping[str, Callable[[Array], float]]] = {
    "lifetime_sparseness": lambda x: float(sparseness(x).mean()),
    "population_sparseness": lambda x: float(sparseness(x[x.any(axis=1)].T).mean()),
    "rate_unevenness": lambda x: float(sparseness(x.mean(axis=0))),
    "gain_unevenness": lambda x: float(sparseness(x.std(axis=0))),
    "kurtosis": lambda x: _moment(x, 4),
    "skewness": lambda x: _moment(x, 3),
    "dimensionality": _dimensionality,
    "correlation": lambda x: _pairs_mean_square(standardised(x)) ** 0.5,
    "spectrum_exponent": _spectrum_exponent,
}
"""Each of responses (n, p) of units that vary, none above 1; `activity_statistics` says what."""
