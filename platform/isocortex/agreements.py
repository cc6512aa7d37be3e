"""Agreement: do scorers rank the same candidates alike?

Two scorers that always agree measure one thing; where they part, a ranking is a choice of scorer.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from .errors import InputError
from .geometry import Array
from .statistics import Counts, Ranking, bootstrap_counts
from .store import Store

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEWEST: Final = 4
"""So many candidates must bear both scores; the ranks of three have six orders, and say nothing."""


def score_table(store: Store, benchmarks: Sequence[str]) -> xr.DataArray:
    """The stored raw scores on benchmarks of one region: (candidate, scorer), NaN where missing.

    Raises InputError for benchmarks of several regions, whose scorers would have the same names.
    """
    places = {name.rpartition("/")[0] for name in benchmarks}
    if len(places) > 1:
        raise InputError(f"one region at a time: the benchmarks are of {', '.join(sorted(places))}")
    stored = {each.name for each in store.benchmarks()}
    known = [name for name in benchmarks if name in stored]
    most = len(store.models())  # each has one score on a benchmark that counts
    found = {
        (each.candidate, name): each.raw
        for name in known
        for each in store.scores(benchmark=name, limit=most).scores
    }
    candidates = sorted({candidate for candidate, _ in found})
    values = [[found.get((each, name), np.nan) for name in known] for each in candidates]
    return xr.DataArray(
        np.array(values, dtype=np.float64).reshape(len(candidates), len(known)),
        dims=("candidate", "scorer"),
        coords={"candidate": candidates, "scorer": [name.rpartition("/")[2] for name in known]},
    )


def agreement(
    scores: xr.DataArray, *, draws: int = 1000, seed: int = 0, confidence: float = 0.95
) -> xr.DataArray:
    """Spearman's ρ of each two scorers over the candidates that both scored: (scorer,
    other_scorer).

    `scores` is (candidate, scorer), NaN where a score is missing. The coordinates `low` and `high`
    are percentile intervals over candidates drawn with return, `candidates` says how many were
    shared. NaN where fewer than 4 are, or a scorer gives all of them one score. Costs a sort of
    the candidates for each pair. Raises InputError for other dims or fewer than two scorers.
    """
    if set(scores.dims) != {"candidate", "scorer"} or scores.sizes["scorer"] < 2:
        raise InputError(
            f"scores have the sizes {dict(scores.sizes)}; expected candidates × two scorers or more"
        )
    values = scores.transpose("candidate", "scorer").values.astype(np.float64)
    count = values.shape[1]
    counts = bootstrap_counts(len(values), draws, seed=seed)
    found = np.full((4, count, count), np.nan)
    for one in range(count):
        for other in range(one + 1):
            pair = _pair(values[:, one], values[:, other], counts, confidence)
            found[:, one, other] = found[:, other, one] = pair
    names = scores.scorer.values
    dims = ("scorer", "other_scorer")
    bounds = {"low": (dims, found[1]), "high": (dims, found[2])}
    shared = {"candidates": (dims, found[3].astype(int))}
    return xr.DataArray(
        found[0],
        dims=dims,
        coords={"scorer": names, "other_scorer": names, **bounds, **shared},
        name="Spearman's ρ",
        attrs={"confidence": confidence},
    )


def plot_agreement(agreed: xr.DataArray) -> "Figure":
    """A drawn matrix of `agreement`, scorers that agree side by side; save it by `savefig`.

    Scorers of which nothing is known come last.
    """
    from matplotlib.figure import Figure

    order = cluster_order(agreed)
    values = agreed.values[np.ix_(order, order)]
    names = [str(agreed.scorer.values[place]) for place in order]
    size = 2.5 + 0.3 * len(names)
    figure = Figure(figsize=(size + 0.8, size), layout="constrained")
    axes = figure.add_subplot()
    least = -1.0 if np.nanmin(values, initial=0.0) < 0 else 0.0
    image = axes.imshow(values, cmap="viridis", vmin=least, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0, labelsize=9)
    axes.spines[:].set_visible(False)
    axes.set_facecolor("0.9")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            dark = (value - least) / (1 - least) < 0.6
            text = f"{100 * value:.0f}"
            colour = "white" if dark else "black"
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    label = "Spearman's ρ over candidates (in the cells × 100)"
    figure.colorbar(image, ax=axes, shrink=0.6, label=label)
    return figure


def cluster_order(agreed: xr.DataArray) -> npt.NDArray[np.intp]:
    """The order of scorers in which those that agree are neighbours: (scorer,).

    By average linkage of 1 − ρ, its branches turned so that neighbours are nearest; what agrees
    with none by any number comes last.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
    from scipy.spatial.distance import squareform

    distances = 1 - agreed.values
    known = np.flatnonzero(np.isfinite(agreed.values).sum(axis=1) > 1)
    unknown = np.setdiff1d(np.arange(len(distances)), known)
    if len(known) < 3:
        return np.concatenate([known, unknown])
    # Pairs without a number count as unrelated.
    condensed = squareform(
        np.nan_to_num(distances[np.ix_(known, known)], nan=1.0).clip(min=0), checks=False
    )
    leaves = leaves_list(optimal_leaf_ordering(linkage(condensed, "average"), condensed))
    return np.concatenate([known[leaves], unknown])


def _pair(
    one: Array, other: Array, counts: Counts, confidence: float
) -> tuple[float, float, float, int]:
    """ρ, its interval, and how many candidates both scored."""
    both = np.isfinite(one) & np.isfinite(other)
    shared = int(both.sum())
    if shared < FEWEST or np.ptp(one[both]) == 0 or np.ptp(other[both]) == 0:
        return np.nan, np.nan, np.nan, shared
    weights = np.concatenate([np.ones((1, shared)), counts[:, both]])
    rho = _weighted_spearman(one[both], other[both], weights)
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(rho[1:], [tail, 1 - tail])
    return float(rho[0]), float(low), float(high), shared


def _weighted_spearman(one: Array, other: Array, weights: Counts) -> Array:
    """Spearman's ρ where each value occurs `weights` times, (draw,); NaN where all are alike."""
    half = (weights.sum(axis=1, keepdims=True) + 1) / 2
    first, second = (_ranks(side, weights) - half for side in (one, other))
    shared = (weights * first * second).sum(axis=1)
    own = (weights * first**2).sum(axis=1) * (weights * second**2).sum(axis=1)
    positive = own > 1e-9
    return np.where(positive, shared / np.sqrt(np.where(positive, own, 1.0)), np.nan)


def _ranks(values: Array, weights: Counts) -> Array:
    ranking = Ranking.of(values)
    ranks = np.empty_like(weights)
    ranks[:, ranking.order] = ranking.ranks(weights[:, ranking.order])
    return ranks
