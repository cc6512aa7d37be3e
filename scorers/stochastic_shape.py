"""Stochastic shape metrics: do trials scatter alike, as well as mean responses agree?

Each stimulus has a cloud of responses, and one rotation moves all clouds of one side onto those of
the other. The papers give a distance d; here both sides are scaled to size 1 and the similarity is
the cosine 1 − d²/2, as Procrustes' is. Between two sides of trials its arc is a metric, as far as
the best rotation is found. A network without noise is a side whose clouds are points: its means
alone are turned onto the brain's, and whatever the brain's trials scatter is missing from it. So no
deterministic model reaches 1, and the scatter costs all of them alike.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr

from isocortex.errors import IncompatibleError, InputError
from isocortex.geometry import Array, Brain, Side
from isocortex.registry import scorer
from isocortex.responses import Responses, Trials

from ._gram import over_subjects, require_comparable


@scorer(
    name="stochastic-shape",
    summary="cosine of the shape angle of means and noise covariances together",
    family="similarity",
    accepts=("responses",),
    reads="units",
    trials=True,
    invariant_to=("stimulus order", "unit order", "rotation", "isotropic scale", "translation"),
    range=(0.0, 1.0),
    splits={"kind": "halves", "scored": 100, "seed": 0},
    answers="Can the brain's trials be rotated onto the model's, noise included?",
    source="Duong et al. 2023, arXiv:2211.11665",
    bibtex="""@inproceedings{duong2023stochastic,
  author = {Duong, Lyndon R. and Zhou, Jingyang and Nassar, Josue and Berman, Jules and
    Olieslagers, Jeroen and Williams, Alex H.},
  title = {Representational dissimilarity metric spaces for stochastic neural networks},
  booktitle = {International Conference on Learning Representations},
  year = {2023},
  eprint = {2211.11665},
  archiveprefix = {arXiv}
}""",
)
def stochastic_shape(model: Side, brain: Brain, *, alpha: float = 1.0) -> xr.DataArray:
    """How far means and noise covariances agree after the best rotation, from 0 to 1: (subject,).

    The cosine that belongs to d² = Σ α ‖aᵢ − bᵢQ‖² + (2 − α) Bures²(Σᵢ, QᵀΣ′ᵢQ) over stimuli i:
    `alpha` 1 is the 2-Wasserstein distance of Gaussians, 2 sees the means alone (`procrustes`), 0
    the covariances alone. Sides of different width are padded with zeros; Responses are clouds
    without noise. Covariances of few trials are taken as they are, so that two samples of the same
    noise look less alike than they are. Of trials that miss some neuroids, a covariance counts
    those that hold both. With noise on both sides Q is found by turns, from six starts; a better
    one may exist, so the score is a lower bound. Cost a turn: n·repeats·p² and the singular values
    of a p × p matrix. Raises InputError where means are all alike, a neuroid has a single trial of
    some stimulus or `alpha` is not from 0 to 2; IncompatibleError where neither units nor trials
    are given.
    """
    require_comparable(model, brain)
    if not 0 <= alpha <= 2:
        raise InputError(f"alpha is {alpha}, expected from 0 (noise alone) to 2 (means alone)")
    x = _gaussians(model, "the model")

    def similarity(side: Side, whose: str) -> float:
        y = _gaussians(side, whose)
        size = _size(x, alpha) * _size(y, alpha)
        return min(1.0, _gaussian_product(x, y, alpha) / size) if size else 0.0

    return over_subjects(brain, similarity)


@dataclass(frozen=True)
class _Gaussians:
    """Centred means (n, p), and rows of noise (n, repeat, p) whose outer products sum to Σᵢ."""

    means: Array
    noise: Array


def _gaussians(side: Side, whose: str) -> _Gaussians:
    values = _values(side, whose)
    counts = np.isfinite(values).sum(axis=1, keepdims=True)
    means = np.nanmean(values, axis=1)
    if isinstance(side, Responses):
        noise = np.zeros((len(means), 0, means.shape[1]))
    else:
        _require_two_trials(side, counts[:, 0], whose)
        noise = np.nan_to_num(values - means[:, None]) / np.sqrt(counts - 1)
    stimuli, repeats, units = noise.shape
    rows = _narrowed(np.vstack([_centred(means, whose), noise.reshape(-1, units)]))
    return _Gaussians(rows[:stimuli], rows[stimuli:].reshape(stimuli, repeats, rows.shape[1]))


def _size(clouds: _Gaussians, alpha: float) -> float:
    return float(np.sqrt(alpha * (clouds.means**2).sum() + (2 - alpha) * (clouds.noise**2).sum()))


def _gaussian_product(x: _Gaussians, y: _Gaussians, alpha: float) -> float:
    """The largest α⟨A, BQ⟩ + (2 − α) Σ ‖Eᵢ Q Fᵢᵀ‖_* over rotations Q that is found.

    tr (Σ^½ Σ′ Σ^½)^½ is the sum of singular values of Eᵢ Q Fᵢᵀ with noise rows Eᵢ and Fᵢ.
    """
    starts = _starts(x.means.T @ y.means, many=bool(x.noise.size and y.noise.size))
    return max(_climbed_gaussians(x, y, alpha, start) for start in starts)


def _climbed_gaussians(x: _Gaussians, y: _Gaussians, alpha: float, rotation: Array) -> float:
    """The product at the end of turns, none of which lowers it.

    A sum of singular values is ⟨Eᵢ Q Fᵢᵀ, Uᵢ⟩ of the best rotation Uᵢ of the trials; given all Uᵢ,
    Q is a Procrustes problem.
    """
    agreement, reached = x.means.T @ y.means, -np.inf
    for _ in range(_MOST_TURNS):
        crossed = x.noise @ rotation @ y.noise.transpose(0, 2, 1)
        left, sizes, right = np.linalg.svd(crossed, full_matrices=False)
        value = alpha * float((agreement * rotation).sum()) + (2 - alpha) * float(sizes.sum())
        if value - reached <= _SETTLED * abs(value):
            break
        reached = value
        turned = (left @ right).transpose(0, 2, 1) @ x.noise
        aligned = np.tensordot(turned, y.noise, axes=((0, 1), (0, 1)))
        rotation = _best_rotation(alpha * agreement + (2 - alpha) * aligned)
    return max(value, reached)


_MOST_TURNS: Final = 500
"""Far more than are needed: up to 60 were, of 100 units; a search that goes on gains little."""

_SETTLED: Final = 1e-12
"""The relative gain of a turn below which no better rotation is sought."""


@scorer(
    name="stochastic-shape-energy",
    summary="cosine of the shape angle of trials as they scatter, by the energy distance",
    family="similarity",
    accepts=("responses",),
    reads="units",
    trials=True,
    invariant_to=("stimulus order", "unit order", "rotation", "isotropic scale", "translation"),
    range=(0.0, 1.0),
    splits={"kind": "halves", "scored": 100, "seed": 0},
    answers="Can the brain's trials be rotated onto the model's, whatever the noise's form?",
    source="Duong et al. 2023, arXiv:2211.11665; energy distance: Székely & Rizzo 2013, J Stat "
    "Plan Inference 143:1249",
    bibtex="""@inproceedings{duong2023stochastic,
  author = {Duong, Lyndon R. and Zhou, Jingyang and Nassar, Josue and Berman, Jules and
    Olieslagers, Jeroen and Williams, Alex H.},
  title = {Representational dissimilarity metric spaces for stochastic neural networks},
  booktitle = {International Conference on Learning Representations},
  year = {2023},
  eprint = {2211.11665},
  archiveprefix = {arXiv}
}""",
)
def energy_shape(model: Side, brain: Brain) -> xr.DataArray:
    """How far all moments of the trials agree after the best rotation, from 0 to 1: (subject,).

    The energy distance E|x − y| − (E|x − x′| + E|y − y′|)/2 of two clouds is half the squared
    distance of their means under the kernel |x| + |y| − |x − y|; the score is the cosine of these,
    over all stimuli, both sides centred and scaled to a root mean square of 1. Q is found by turns
    of weighted Procrustes problems, from the means' on, or six starts with noise on both sides: a
    lower bound, as `stochastic-shape`.
    Cost a turn: n·repeats²·p. Raises InputError where means are all alike or a trial lacks only
    some of the neuroids; IncompatibleError for anything but units and trials.
    """
    require_comparable(model, brain)
    x = _samples(model, "the model")
    own = _own_product(x)

    def similarity(side: Side, whose: str) -> float:
        y = _samples(side, whose)
        return min(1.0, _energy_product(x, y) / float(np.sqrt(own * _own_product(y))))

    return over_subjects(brain, similarity)


@dataclass(frozen=True)
class _Samples:
    """Centred, scaled trials (n, repeat, p), and their weights (n, repeat): a stimulus has 1."""

    rows: Array
    weights: Array


def _samples(side: Side, whose: str) -> _Samples:
    values = _values(side, whose)
    exists = np.isfinite(values)
    whole = exists.all(axis=2)
    if (exists.any(axis=2) & ~whole).any():
        raise InputError(
            f"{whose} has trials of which only some neuroids were recorded: they have no distance; "
            "use stochastic-shape"
        )
    means = np.nanmean(values, axis=1)
    _centred(means, whose)  # refuses constant means
    stimuli, repeats, units = values.shape
    centred = np.nan_to_num(values - means.mean(axis=0)).reshape(-1, units)
    rows = _narrowed(centred).reshape(stimuli, repeats, -1)
    weights = whole / whole.sum(axis=1, keepdims=True)
    scale = np.sqrt((weights[:, :, None] * rows**2).sum() / stimuli)
    return _Samples(rows / scale, weights)


def _energy_product(x: _Samples, y: _Samples) -> float:
    """The largest Σᵢ E(|x| + |y| − |x − yQᵀ|) over rotations Q that is found."""
    means = [np.einsum("nr,nrp->np", side.weights, side.rows) for side in (x, y)]
    many = min(side.weights.shape[1] for side in (x, y)) > 1
    starts = _starts(means[0].T @ means[1], many=many)
    return _length(x) + _length(y) - min(_approached_samples(x, y, start) for start in starts)


def _approached_samples(x: _Samples, y: _Samples, rotation: Array) -> float:
    """Σᵢ E|x − yQᵀ| at the end of turns, none of which raises it."""
    weights, nearest = x.weights[:, :, None] * y.weights[:, None], np.inf
    for _ in range(_MOST_TURNS):
        distances = _distances(x, y, rotation)
        apart = float((weights * distances).sum())
        if nearest - apart <= _SETTLED * len(weights):
            break
        nearest = apart
        # |d| lies below the parabola d²/2|d₀| + |d₀|/2, which touches it at the distance of now.
        pull = weights / distances.clip(min=_NEAREST)
        turned = pull.transpose(0, 2, 1) @ x.rows
        rotation = _best_rotation(np.tensordot(turned, y.rows, axes=((0, 1), (0, 1))))
    return min(apart, nearest)


_NEAREST: Final = 1e-9
"""The distance, as a share of the responses' size, below which two trials weigh no more."""


def _own_product(x: _Samples) -> float:
    """Σᵢ E(|x| + |x′| − |x − x′|) over all pairs of trials of each stimulus."""
    distances = _distances(x, x, np.eye(x.rows.shape[2]))
    _, repeats, _ = distances.shape
    distances[:, range(repeats), range(repeats)] = 0  # the root of a rounding, otherwise
    weights = x.weights[:, :, None] * x.weights[:, None]
    return 2 * _length(x) - float((weights * distances).sum())


def _length(x: _Samples) -> float:
    """Σᵢ E|x|."""
    return float((x.weights * np.linalg.norm(x.rows, axis=2)).sum())


def _distances(x: _Samples, y: _Samples, rotation: Array) -> Array:
    """The distance of each trial to each turned one of the same stimulus, (n, repeat, repeat)."""
    sizes = [(side.rows**2).sum(axis=2) for side in (x, y)]
    products = x.rows @ rotation @ y.rows.transpose(0, 2, 1)
    squares = sizes[0][:, :, None] + sizes[1][:, None] - 2 * products
    distances: Array = np.sqrt(squares.clip(min=0))
    return distances


def _values(side: Side, whose: str) -> Array:
    """Single responses (n, repeat, p), NaN where a trial is missing."""
    if isinstance(side, Responses):
        return np.asarray(side.values, np.float64)[:, None]
    if isinstance(side, Trials):
        return np.asarray(side.values, np.float64)
    raise IncompatibleError(
        f"stochastic shapes need units or trials; of {whose} they got a {type(side).__name__}"
    )


def _require_two_trials(side: Side, counts: Array, whose: str) -> None:
    if counts.min() < 2:
        stimulus, neuroid = np.argwhere(counts < 2)[0]
        raise InputError(
            f"{whose} has a single trial of stimulus {side.ids[stimulus]!r} for neuroid number "
            f"{neuroid}: a variance needs at least two; leave that stimulus or neuroid out"
        )


def _centred(means: Array, whose: str) -> Array:
    centred: Array = means - means.mean(axis=0)
    if (centred**2).sum() <= 1e-24 * (means**2).sum():
        raise InputError(f"{whose} answers alike to all stimuli: there is nothing to compare")
    return centred


def _narrowed(rows: Array) -> Array:
    """The same rows (m, p) but for a rotation of the units, in at most m dimensions."""
    count, units = rows.shape
    if units <= count:
        return rows
    triangle: Array = np.linalg.qr(rows.T).R
    return triangle.T


def _best_rotation(agreement: Array) -> Array:
    """The rotation Q (p, q) with the largest ⟨agreement, Q⟩; 0 where the agreement is silent."""
    return _starts(agreement, many=False)[0]


def _starts(agreement: Array, *, many: bool) -> list[Array]:
    """The best rotation for an agreement (p, q); with `many` others, which mirror some directions.

    Mirrors of the shared directions turn with either side, so that no score depends on its axes.
    """
    left, sizes, right = np.linalg.svd(agreement, full_matrices=False)
    heard = sizes > 1e-12 * sizes.max(initial=0)
    left, right = left[:, heard], right[heard]
    if not many:
        return [left @ right]
    mirrors = np.random.default_rng(0).choice([-1, 1], size=(_MIRRORS, len(right)))
    mirrors[:2] = 1
    mirrors[1, -1:] = -1
    return [(left * mirror) @ right for mirror in mirrors]


_MIRRORS: Final = 6
"""Starts of the search for the best rotation: the means', the same with its least direction
mirrored, which most often is the better one, and some at random."""
