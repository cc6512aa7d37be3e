"""RSA with reweighted features: do some units' distances, each with its own weight, do better?

Each unit has an RDM of its own, (x_iu − x_ju)². Their weighted sum is fitted to a brain's RDM on
training stimuli, by non-negative least squares with a ridge, and compared on the pairs of held-out
stimuli (Kaniuth & Hebart 2022; Jozwik et al. 2016). The pairs are never listed: sums over all pairs
of products of two units' distances follow from two products of the responses (`_normal_equations`).
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import xarray as xr

from isocortex.errors import IncompatibleError, InputError
from isocortex.geometry import Array, Brain, Positions, Side, geometry_of, require_same_stimuli
from isocortex.registry import scorer
from isocortex.responses import Responses
from isocortex.statistics import Counts

from ._compared import compared, of_brain
from ._non_negative import non_negative_weights
from ._rdm import square_matrices

PENALTIES: Final = (10.0, 1.0, 1e-1, 1e-2, 1e-3)
"""Ridges to choose from, as shares of the mean sum of squares of a unit's distances. The first of
those that do equally well is chosen."""

_FOLDS: Final = 5
_FEWEST: Final = 12
_FEWEST_IN_A_FOLD: Final = 4


@scorer(
    name="rsa-reweighted",
    summary="Pearson RDMs predicted by squared differences of units, each with a weight of its own",
    options={"dissimilarity": "pearson", "units": 500},
    family="similarity",
    accepts=("responses", "dissimilarities"),
    reads="units",
    invariant_to=("stimulus order", "unit order", "isotropic scale", "translation"),
    range=(-1.0, 1.0),
    splits={"kind": "halves", "scored": 100, "seed": 0},
    answers="Are the brain's dissimilarities among those that the model's units span?",
    source="Kaniuth & Hebart 2022, NeuroImage 257:119294; Jozwik et al. 2016, Neuropsychologia "
    "83:201",
    bibtex="""@article{kaniuth2022feature,
  author = {Kaniuth, Philipp and Hebart, Martin N.},
  title = {Feature-reweighted representational similarity analysis: A method for improving the fit
    between computational models, brains, and behavior},
  journal = {NeuroImage},
  volume = {257},
  pages = {119294},
  year = {2022},
  doi = {10.1016/j.neuroimage.2022.119294}
}""",
)
def rsa_reweighted(
    model: Side,
    brain: Brain,
    *,
    counts: Counts | None = None,
    dissimilarity: str = "pearson",
    units: int = 500,
) -> xr.DataArray:
    """Pearson's r of predicted and recorded dissimilarities of held-out stimuli: (subject,).

    The mean over five folds of r on the pairs within a fold, for weights fitted to the pairs within
    the other folds; the ridge is chosen there by two inner folds. With `counts` (resample,
    stimulus) it is (resample, subject) for the same weights. Deviates from Kaniuth & Hebart in what
    a unit predicts (squared differences, not products of z-scores), in one pass of folds instead
    of ten, and in that of a wider layer only the p = `units` that vary most get a weight. Fewer
    than 20 stimuli make fewer folds. Cost: for each fold and subject some 100 systems of up to p
    equations; 4 p² numbers in memory. Raises InputError for fewer than 12 stimuli
    and a constant model, IncompatibleError without units.
    """
    require_same_stimuli(model, brain)
    if not isinstance(model, Responses):
        raise IncompatibleError(f"weights of units take units; got a {type(model).__name__}")
    if len(brain.ids) < _FEWEST:
        raise InputError(
            f"{len(brain.ids)} stimuli; weights that are tested on others take {_FEWEST} or more"
        )
    if model.is_constant:
        raise InputError("the model answers alike to all stimuli: there is nothing to weigh")
    recorded = square_matrices(of_brain(_with_geometries(brain), dissimilarity))
    weighed = _Units.most_varied(model, units)
    drawn = np.ones((1, len(brain.ids))) if counts is None else counts
    folds = _folds(len(brain.ids), min(_FOLDS, len(brain.ids) // _FEWEST_IN_A_FOLD))
    each = [_fold_similarity(weighed, recorded, train, test, drawn) for train, test in folds]
    similarity = xr.DataArray(
        np.mean(each, axis=0),
        dims=("resample", "subject"),
        coords={"subject": list(brain.subjects)},
    )
    return similarity.isel(resample=0) if counts is None else similarity


def _fold_similarity(
    units: "_Units", recorded: Array, train: Positions, test: Positions, counts: Counts
) -> Array:
    """Pearson's r on the pairs of `test` of weights fitted on `train`: (resample, subject)."""
    predicted = units.select(test).distances(_fitted(units, recorded, train))
    each = [
        compared(one[None], own[None], "pearson", counts[:, test])[:, 0, 0]
        for one, own in zip(predicted, _pairs(recorded, test), strict=True)
    ]
    return np.stack(each, axis=-1)


def _pairs(recorded: Array, positions: Positions) -> Array:
    """The dissimilarities (subject, pair) among some stimuli, of (subject, n, n)."""
    first, second = np.triu_indices(len(positions), k=1)
    pairs: Array = recorded[:, positions[first], positions[second]]
    return pairs


def _with_geometries(brain: Brain) -> Brain:
    sides = tuple(
        geometry_of(side) if isinstance(side, Responses) else side for side in brain.sides
    )
    return Brain(brain.subjects, sides)


def _folds(stimuli: int, folds: int) -> list[tuple[Positions, Positions]]:
    """The positions to fit on and to test on: every `folds`-th stimulus of a fixed random order."""
    order = np.random.default_rng(0).permutation(stimuli)
    return [
        (np.sort(np.delete(order, np.s_[first::folds])), np.sort(order[first::folds]))
        for first in range(folds)
    ]


@dataclass(frozen=True)
class _Units:
    """Responses (n, p) of units, up to a constant for each."""

    responses: Array = field(repr=False)

    @classmethod
    def most_varied(cls, model: Responses, count: int) -> "_Units":
        """The `count` units with the largest variance, or all, less their means."""
        responses = model.values - model.values.mean(axis=0)
        order = np.argsort(-(responses**2).sum(axis=0), kind="stable")
        return cls(responses[:, np.sort(order[:count])])

    def select(self, positions: Positions) -> "_Units":
        """The responses to some of the stimuli."""
        return _Units(self.responses[positions])

    def distances(self, weights: Array) -> Array:
        """Σᵤ wᵤ (xᵢᵤ − xⱼᵤ)² for weights (set, p): (set, pair)."""
        first, second = np.triu_indices(len(self.responses), k=1)
        found = []
        for own in weights:
            products = (self.responses * own) @ self.responses.T
            squares = np.diagonal(products)
            found.append((squares[first] + squares[second] - 2 * products[first, second]).clip(0))
        return np.array(found)


def _fitted(units: _Units, recorded: Array, train: Positions) -> Array:
    """Each subject's weights (subject, p), with the ridge that predicts best within `train`."""
    inner = np.mean(
        [
            _inner_similarity(units, recorded, train[fitted], train[held_out])
            for fitted, held_out in _folds(len(train), 2)
        ],
        axis=0,
    )
    best = (inner >= inner.max(axis=0) - 1e-9).argmax(axis=0)
    equations = _normal_equations(units.select(train), recorded[:, train[:, None], train])
    return np.array(
        [equations.weights(subject, PENALTIES[chosen]) for subject, chosen in enumerate(best)]
    )


def _inner_similarity(units: _Units, recorded: Array, train: Positions, test: Positions) -> Array:
    """Pearson's r on the pairs of `test` for each ridge fitted on `train`: (penalty, subject)."""
    equations = _normal_equations(units.select(train), recorded[:, train[:, None], train])
    similarity = np.empty((len(PENALTIES), len(recorded)))
    for subject, own in enumerate(_pairs(recorded, test)):
        weights = np.array([equations.weights(subject, penalty) for penalty in PENALTIES])
        predicted = units.select(test).distances(weights)
        similarity[:, subject] = compared(predicted, own[None], "pearson")[:, 0]
    return similarity


@dataclass(frozen=True)
class _NormalEquations:
    """XᵀX (p, p) and Xᵀy (subject, p) of the pairs' distances, both less their means."""

    normal: Array = field(repr=False)
    targets: Array = field(repr=False)

    def weights(self, subject: int, penalty: float) -> Array:
        """The non-negative weights (p,) with a ridge of `penalty` mean squares."""
        scale = np.trace(self.normal) / len(self.normal)
        if scale <= 0:  # no unit tells any two stimuli apart
            return np.zeros(len(self.normal))
        ridge = penalty * scale * np.eye(len(self.normal))
        return non_negative_weights(self.normal + ridge, self.targets[subject])


def _normal_equations(units: _Units, recorded: Array) -> _NormalEquations:
    """Sums over pairs i < j of n stimuli, from sums over stimuli, for recorded (subject, n, n).

    With columns x centred and s = x²: Σᵢⱼ (xᵢᵤ − xⱼᵤ)²(xᵢᵥ − xⱼᵥ)² is
    2n sᵤ·sᵥ + 2 Σsᵤ Σsᵥ + 4 (xᵤ·xᵥ)², and half of it counts each pair once.
    """
    x = units.responses - units.responses.mean(axis=0)
    squares = x**2
    stimuli, totals = len(x), squares.sum(axis=0)
    products = stimuli * squares.T @ squares + np.outer(totals, totals) + 2 * (x.T @ x) ** 2
    pairs = stimuli * (stimuli - 1) / 2
    sums = stimuli * totals  # of the distances of each unit
    products -= np.outer(sums, sums) / pairs
    targets = [
        rows @ squares - np.einsum("iu,iu->u", x, matrix @ x) - sums * rows.sum() / 2 / pairs
        for matrix, rows in zip(recorded, recorded.sum(axis=2), strict=True)
    ]
    return _NormalEquations(products, np.array(targets))
