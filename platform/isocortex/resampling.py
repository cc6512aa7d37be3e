"""Resampling: factors drawn again, left out one by one, or given each other's labels.

Each draw is a row of weights, so that a statistic of all draws is a weighted matrix product. All
draws are seeded: equal seeds pair the statistics of two models.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr

from .errors import InputError
from .geometry import Array, Brain, Side, require_same_stimuli
from .statistics import Counts, bootstrap_counts, dual_variance, interval, jackknife_counts

Statistic = Callable[..., Array]
"""A statistic under weights: of (draw, size) arrays by factor, as keywords, it makes (draw,)."""


@dataclass(frozen=True)
class Bootstrap:
    """A statistic and its `draws` (draw,), spread around it by its `variance`."""

    estimate: float
    variance: float
    draws: Array = field(repr=False)

    def interval(self, *, confidence: float = 0.95) -> tuple[float, float]:
        """The percentile interval that holds the share `confidence` of the draws."""
        return interval(self.draws, confidence=confidence)


@dataclass(frozen=True)
class Jackknife:
    """A statistic, its bias and variance, and how much of it is owed to each group left out."""

    estimate: float
    bias: float
    variance: float
    influence: Array = field(repr=False)


def bootstrap(
    statistic: Statistic, sizes: Mapping[str, int], *, draws: int = 1000, seed: int = 0
) -> Bootstrap:
    """The statistic with each factor of `sizes`, such as stimuli or neuroids, drawn with return.

    Of two factors, drawn at once, the variance is that of Schütt et al. (2023, eLife 12:e82566),
    `dual_variance`. The draws are shifted and scaled to the estimate and that variance. Raises
    InputError for other than one or two factors, or fewer than 2 of one.

    >>> heights = np.array([1.0, 2.0, 4.0])
    >>> bootstrap(lambda child: child @ heights / child.sum(axis=1), {"child": 3}).estimate
    2.3333333333333335
    """
    _check_sizes(sizes)
    one = {name: np.ones((1, size)) for name, size in sizes.items()}
    many = {
        name: bootstrap_counts(size, draws, seed=seed + place)
        for place, (name, size) in enumerate(sizes.items())
    }
    estimate = float(statistic(**one)[0])
    both = statistic(**many)
    alone = {name: statistic(**_ones(one, draws) | {name: many[name]}) for name in sizes}
    parts = [(float(alone[name].var()), size) for name, size in sizes.items()]
    if len(parts) == 1:
        variance = parts[0][0] * parts[0][1] / (parts[0][1] - 1)
    else:
        variance = dual_variance(float(both.var()), *parts)
    spread = both - both.mean()
    scale = (variance / spread.var()) ** 0.5 if spread.any() else 0.0
    return Bootstrap(estimate, variance, estimate + spread * scale)


def jackknife(
    statistic: Statistic, sizes: Mapping[str, int], *, most: int = 200, seed: int = 0
) -> Jackknife:
    """The statistic without each of up to `most` groups of the one factor in `sizes`.

    Bias and variance are those of Quenouille and Tukey (Efron & Tibshirani 1993, eq. 11.5 and
    11.8); the variance is not too small on average (Efron & Stein 1981). Raises InputError as
    `bootstrap` does, and for two factors.

    >>> heights = np.array([1.0, 2.0, 4.0])
    >>> found = jackknife(lambda child: child @ heights / child.sum(axis=1), {"child": 3})
    >>> round(found.variance, 12) == round(float(heights.var(ddof=1)) / 3, 12)
    True
    """
    _check_sizes(sizes)
    if len(sizes) != 1:
        raise InputError(f"a jackknife leaves out one factor; got {', '.join(sizes)}")
    ((name, size),) = sizes.items()
    estimate = float(statistic(**{name: np.ones((1, size))})[0])
    left = statistic(**{name: jackknife_counts(size, most=most, seed=seed)})
    groups, mean = len(left), float(left.mean())
    influence = (groups - 1) / groups * (mean - left)
    return Jackknife(
        estimate,
        (groups - 1) * (mean - estimate),
        float((influence**2).sum() * groups / (groups - 1)),
        influence,
    )


def permutation_null(
    similarity: Callable[[Side, Brain], xr.DataArray],
    models: Mapping[str, Side],
    brain: Brain,
    *,
    permutations: int = 1000,
    seed: int = 0,
) -> xr.DataArray:
    """What models score whose stimuli bear each other's labels: (permutation, model, subject).

    Rows and columns of a Gram or of dissimilarities are permuted together (Mantel 1967), alike for
    all models, so that `max_statistic_p_values` may take them as one family. `similarity` is such
    as `load_scorer("rsa")`. Costs one call of it for each permutation and model. Raises
    MismatchError for other stimuli.
    """
    for model in models.values():
        require_same_stimuli(model, brain)
    generator = np.random.default_rng(seed)
    null = []
    for _ in range(permutations):
        order = generator.permutation(len(brain.ids))
        shuffled = (replace(side.select(order), ids=side.ids) for side in models.values())
        null.append([similarity(side, brain).values for side in shuffled])
    return xr.DataArray(
        np.array(null),
        dims=("permutation", "model", "subject"),
        coords={"model": list(models), "subject": list(brain.subjects)},
    )


def _ones(one: Mapping[str, Counts], draws: int) -> dict[str, Counts]:
    return {name: np.broadcast_to(row, (draws, row.shape[1])) for name, row in one.items()}


def _check_sizes(sizes: Mapping[str, int]) -> None:
    if len(sizes) not in (1, 2):
        raise InputError(f"one or two factors can be resampled at once; got {len(sizes)}")
    for name, size in sizes.items():
        if size < 2:
            raise InputError(f"the factor {name!r} has {size}: one of a kind can't be resampled")
