"""Dissimilarity matrices side by side: the brain's, and those of the layers that speak for models.

Each is drawn by the ranks of its own dissimilarities, since 1 − r of a layer and of a brain are on
different scales (as Kriegeskorte et al. 2008, Neuron 60:1126, draw percentiles).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final
from urllib.parse import quote, urlencode

import numpy as np
import numpy.typing as npt
from scipy import stats

from isocortex.errors import StoreError, UnknownNameError
from isocortex.matrices import Matrix, layer_matrix, read_matrix
from isocortex.scores import ALL_LAYERS
from isocortex.store import Store, StoredBenchmark, StoredScore

from .colours import heat
from .rendering import number

COLOUR_BAR: Final = tuple((round(100 * step / 8, 1), heat(step / 8)) for step in range(9))
"""Per cent and colour along the bar that explains the pictures."""

_TOO_OLD: Final = "it was scored before RDMs were kept"
_MOST_TRIED: Final = 12
_WIDTH: Final = 250

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Picture:
    """A matrix as a page shows it: whose it is, where its picture lies, and the same in words."""

    name: str
    link: str
    address: str
    size: int
    words: str
    caption: str


@dataclass(frozen=True)
class SideBySide:
    """The matrices of one benchmark: the brain's first, if it was made here, then the models'.

    `correlations` are Spearman's ρ of each picture with each, None where there is none. `lacking`
    are models without a matrix, and why; `too_old` says that scoring again would make one,
    `no_brain` why there is none of the brain, `undefined` that some dissimilarities do not exist,
    `unread` that some arrays can't be read, as of a database without its folder of them.
    """

    benchmark: str
    pictures: tuple[Picture, ...]
    correlations: tuple[tuple[float | None, ...], ...]
    shown: int
    of: int
    lacking: tuple[tuple[str, str], ...]
    too_old: bool
    no_brain: str
    undefined: bool
    unread: bool

    @property
    def pairs(self) -> int:
        """How many pairs of stimuli are shown."""
        return self.shown * (self.shown - 1) // 2


def kept_matrix(store: Store, score: StoredScore) -> Matrix | None:
    """The matrix of the layer that a score reports, None if it keeps none. Raises StoreError."""
    detail = store.load_detail(score)
    of = score.counts.get("stimuli", 0)
    return layer_matrix(detail, score.layer, benchmark=score.benchmark, of=of)


def percentiles(values: npt.ArrayLike) -> Numbers:
    """The dissimilarities (n, n) as shares of the ranks among all pairs, 0 on the diagonal."""
    numbers = np.array(values, dtype=np.float64)
    first, second = np.triu_indices(len(numbers), k=1)
    pairs = numbers[first, second]
    ranks = stats.rankdata(pairs, nan_policy="omit") - 1
    shares = ranks / max(np.isfinite(pairs).sum() - 1, 1)
    numbers[first, second] = numbers[second, first] = shares
    np.fill_diagonal(numbers, 0)
    return numbers


def spearman(one: Matrix, other: Matrix) -> float | None:
    """Spearman's ρ over the pairs that both define; None for other stimuli or a flat side."""
    if one.stimuli != other.stimuli:
        return None
    pairs = np.array([_pairs(one), _pairs(other)])
    defined = pairs[:, np.isfinite(pairs).all(axis=0)]
    if defined.shape[1] < 2 or (np.ptp(defined, axis=1) == 0).any():
        return None
    return float(np.corrcoef(stats.rankdata(defined, axis=1))[0, 1])


def first_kept(
    store: Store, offered: Iterable[tuple[StoredBenchmark, Sequence[StoredScore]]]
) -> SideBySide | None:
    """The matrices of the first of these benchmarks of which some score keeps one.

    If none of the first twelve does, those of the very first; None if nothing is offered.
    """
    first = None
    for benchmark, scores in islice(offered, _MOST_TRIED):
        found = side_by_side(store, benchmark, scores)
        if found.pictures:
            return found
        first = first or found
    return first


def side_by_side(
    store: Store, benchmark: StoredBenchmark, scores: Sequence[StoredScore]
) -> SideBySide:
    """The matrices of a brain and of the layers that these scores on the benchmark report."""
    kept = _kept(store, scores)
    matrices = [matrix for _, matrix in kept.found]
    pictures = [_layer_picture(*each) for each in kept.found]
    brain, no_brain = _brain(benchmark, matrices[0].stimuli) if matrices else (None, "")
    if brain is not None:
        matrices.insert(0, brain)
        pictures.insert(0, _brain_picture(benchmark, brain))
    return SideBySide(
        benchmark=benchmark.name,
        pictures=tuple(pictures),
        correlations=tuple(tuple(spearman(one, each) for each in matrices) for one in matrices),
        shown=len(matrices[0].stimuli) if matrices else 0,
        of=matrices[0].of if matrices else 0,
        lacking=tuple(kept.lacking),
        too_old=any(why == _TOO_OLD for _, why in kept.lacking),
        no_brain=no_brain,
        undefined=any(np.isnan(_pairs(each)).any() for each in matrices),
        unread=kept.unread,
    )


@dataclass
class _Kept:
    """What some scores keep, which keep nothing and why, and whether some can't be read."""

    found: list[tuple[StoredScore, Matrix]] = field(default_factory=list)
    lacking: list[tuple[str, str]] = field(default_factory=list)
    unread: bool = False


def _kept(store: Store, scores: Iterable[StoredScore]) -> _Kept:
    kept = _Kept()
    for score in scores:
        try:
            matrix = kept_matrix(store, score)
        except StoreError:  # a database without its folder of arrays
            kept.unread = True
            continue
        if matrix is not None:
            kept.found.append((score, matrix))
        elif score.layer == ALL_LAYERS:
            kept.lacking.append((score.candidate, "its score is of all layers together"))
        else:
            kept.lacking.append((score.candidate, _TOO_OLD))
    return kept


def _brain(benchmark: StoredBenchmark, stimuli: Sequence[str]) -> tuple[Matrix | None, str]:
    """The brain's matrix of these stimuli, or why it can't be shown."""
    if benchmark.dataset_card.get("recorded") == "choices":
        return None, "Choices were recorded here, which have no RDM."
    make = f"isocortex matrices {benchmark.dataset}"
    try:
        matrix = read_matrix(benchmark.dataset, benchmark.region)
    except UnknownNameError:  # of a dataset that is no entry any more
        return None, f"The recordings of {benchmark.dataset} are not known here any more."
    if matrix is None:
        return None, f"The brain's RDM was not made here yet: {make}"
    if matrix.stimuli != tuple(stimuli):
        return None, f"The brain's RDM that was made here is of other stimuli; make it anew: {make}"
    return matrix, ""


def _brain_picture(benchmark: StoredBenchmark, matrix: Matrix) -> Picture:
    place = f"{quote(matrix.dataset)}/{quote(matrix.region)}"
    bins = ", averaged over all bins of time" if "@" in benchmark.region else ""
    return _picture(
        matrix,
        name=f"Brain: {matrix.region} of {matrix.dataset}",
        link=f"/benchmarks/{quote(benchmark.name)}",
        address=f"/matrices/{place}.png?ranks=true",
        made=f"{matrix.made}{bins}",
    )


def _layer_picture(score: StoredScore, matrix: Matrix) -> Picture:
    return _picture(
        matrix,
        name=score.candidate,
        link=f"/models/{quote(score.candidate)}",
        address=f"/matrices/{score.id}.png?{urlencode({'model': score.candidate}, safe='/')}",
        made=matrix.made,
    )


def _picture(matrix: Matrix, *, name: str, link: str, address: str, made: str) -> Picture:
    pairs = _pairs(matrix)
    defined = pairs[np.isfinite(pairs)]
    ends = "none"
    if len(defined):
        ends = f"{number(float(defined.min()))} to {number(float(defined.max()))}"
    count = len(matrix.stimuli)
    return Picture(
        name=name,
        link=link,
        address=address,
        size=count * max(1, round(_WIDTH / count)),
        words=f"{name}: dissimilarities between {count} stimuli, from {ends}, by rank",
        caption=f"{made}; from {ends}",
    )


def _pairs(matrix: Matrix) -> Numbers:
    values = np.array(matrix.values)
    return np.asarray(values[np.triu_indices(len(values), k=1)])
