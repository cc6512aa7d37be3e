"""Variance partitioning: what do layers or models explain alone, and what do they share?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
import xarray as xr

from isocortex.encoding import HeldOut
from isocortex.errors import InputError
from isocortex.geometry import Array, Geometry
from isocortex.splits import Metadata, make_splits
from isocortex.statistics import Counts, bootstrap_counts

from ._banded import banded_search, dirichlet_draws, unit_kernels
from ._nested import Choice
from ._spectrum import penalty_grid, responses_of

FIVE_FOLDS: Final[Mapping[str, Any]] = {"kind": "k-fold", "folds": 5, "seed": 0}


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """How often stimuli are drawn anew, the share of draws within the interval, and the seed."""

    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0


def partition_variance(
    models: Mapping[str, Geometry],
    brain: xr.DataArray,
    *,
    protocol: Mapping[str, Any] = FIVE_FOLDS,
    metadata: Metadata | None = None,
    draws: int = 8,
    resampling: Resampling | None = None,
) -> xr.Dataset:
    """The variance of responses (stimulus, neuroid) that two or three models explain, in parts.

    Banded ridge is fitted to each subset of the models and explains, over the held-out stimuli of
    all splits, R² of each neuroid. The parts are those of a Venn diagram: "a" is what only a
    explains, "a & b" what either could, but no other model; they sum to the R² of all models. A
    shared part is negative where models explain more together than the sum of what each does;
    noise leaves any part a little below or above 0.

    `explained`, `low` and `high` (part, neuroid) are the parts and their percentile intervals over
    stimuli, the fits held fixed; `mean_explained`, `mean_low` and `mean_high` (part) those of the
    mean over neuroids. `total` (subset, neuroid) are the R² themselves. `protocol` and `metadata`
    are those of `make_splits`. Cost: 3 or 7 times that of `banded-ridge` with as many `draws`.
    Raises InputError for fewer than two or more than three models, and for a constant neuroid.

    Source: Borcard, Legendre & Drapeau 1992, Ecology 73:1045; de Heer et al. 2017, J Neurosci
    37:6539, for cross-validated R².
    """
    if not 2 <= len(models) <= 3:
        raise InputError(f"{len(models)} models; variance is partitioned among two or three")
    responses = responses_of(brain, next(iter(models.values())))
    if (flat := np.ptp(responses, axis=0) == 0).any():
        raise InputError(f"neuroid {int(flat.argmax())} is constant: it has no variance to explain")
    resampling = resampling or Resampling()
    splits = make_splits(len(responses), protocol, metadata=metadata)
    counts = bootstrap_counts(len(responses), resampling.resamples, seed=resampling.seed)
    kernels, names = unit_kernels(models), list(models)
    drawn, totals = [], []
    for subset in _subsets(len(names)):
        chosen = kernels[list(subset)]
        fits = banded_search(
            chosen,
            responses,
            splits,
            shares=dirichlet_draws(len(chosen), draws, seed=resampling.seed),
            penalties=penalty_grid,
            choice=Choice(),
        )
        totals.append(_explained(fits, responses, np.ones((1, len(responses))))[0])
        drawn.append(_explained(fits, responses, counts))
    return _labelled(names, brain, np.array(totals), np.array(drawn), resampling.confidence)


def _subsets(count: int) -> Iterator[tuple[int, ...]]:
    """All subsets of `count` models but the empty one: single ones first, then pairs, then all."""
    for size in range(1, count + 1):
        yield from combinations(range(count), size)


def _explained(fits: Sequence[HeldOut], responses: Array, counts: Counts) -> Array:
    """R² over the held-out stimuli of all splits, under each row of counts: (resample, neuroid)."""
    tests = np.concatenate([fit.split.test for fit in fits])
    weights = counts[:, tests]
    observed = responses[tests] - responses.mean(axis=0)
    residuals = responses[tests] - np.concatenate([fit.prediction for fit in fits])
    mean = weights @ observed / weights.sum(axis=1, keepdims=True)
    total = weights @ observed**2 - weights.sum(axis=1, keepdims=True) * mean**2
    explained: Array = 1 - weights @ residuals**2 / total
    return explained


def _parts(totals: Array) -> Array:
    """The parts of a Venn diagram from the R² of all subsets, both along the first axis.

    What all models explain less what the models outside of P do is the sum of the parts within P;
    inclusion and exclusion give the part P itself.
    """
    subsets = list(_subsets({3: 2, 7: 3}[len(totals)]))
    value = dict(zip(subsets, totals, strict=True)) | {(): np.zeros_like(totals[0])}
    whole = subsets[-1]
    parts = []
    for part in subsets:
        inside = [s for s in subsets if set(s) <= set(part)]
        parts.append(
            sum(
                (-1) ** (len(part) - len(s))
                * (value[whole] - value[tuple(m for m in whole if m not in s)])
                for s in inside
            )
        )
    return np.array(parts)


def _labelled(
    names: Sequence[str], brain: xr.DataArray, totals: Array, drawn: Array, confidence: float
) -> xr.Dataset:
    """All results by name, from R² (subset, neuroid) and resampled R² (subset, resample, neuroid).

    The resampled parts are put around the parts: their spread is what resampling tells.
    """
    parts, resampled = _parts(totals), _parts(drawn)
    resampled += (parts - resampled.mean(axis=1))[:, None]
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.quantile(resampled, ends, axis=1)
    mean_low, mean_high = np.quantile(resampled.mean(axis=2), ends, axis=1)
    over = ("part", "neuroid")
    subsets = list(_subsets(len(names)))
    coords = {
        "part": [" & ".join(names[each] for each in subset) for subset in subsets],
        "subset": [" + ".join(names[each] for each in subset) for subset in subsets],
    }
    if "neuroid" in brain.coords:
        coords["neuroid"] = [str(name) for name in brain.neuroid.values]
    return xr.Dataset(
        {
            "explained": (over, parts),
            "low": (over, low),
            "high": (over, high),
            "mean_explained": ("part", parts.mean(axis=1)),
            "mean_low": ("part", mean_low),
            "mean_high": ("part", mean_high),
            "total": (("subset", "neuroid"), totals),
        },
        coords=coords,
        attrs={"units": "share of variance", "confidence": confidence},
    )
