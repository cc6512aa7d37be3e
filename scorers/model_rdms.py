"""Model RDMs with parameters: sums of components, fitted to brains and tested on others.

A component is any side of a comparison: a layer, a recorded or a made-up RDM. Layer-wise
reweighting (Khaligh-Razavi & Kriegeskorte 2014, PLoS Comput Biol 10:e1003915) is the rule
"non-negative" with the layers of a network as components; feature-wise reweighting is the scorer
`rsa-reweighted`. Rules and normalisations are those of rsatoolbox (Schütt et al. 2023,
eLife 12:e82566), so that the same weights come out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final, Literal

import numpy as np
import xarray as xr

from isocortex.errors import InputError, MismatchError, UnknownNameError
from isocortex.geometry import Array, Brain, Dissimilarities, Positions, Side

from ._compared import COMPARISONS, compared, of_brain, of_models
from ._non_negative import non_negative_weights
from ._rdm import square_matrices
from ._second_moments import second_moments

Rule = Literal["fixed", "selected", "interpolated", "weighted", "non-negative"]
"""How components make a model: their mean; the best one; the best mixture of two neighbours; a
weighted sum; one without negative weights."""


@dataclass(frozen=True)
class ModelRdm:
    """A model RDM of `components` by name, on the same stimuli, combined by a `rule`.

    `comparison` is what the fit is best by: any of `rsa`. `ridge` is added to the squares of the
    components in a least-squares fit. `dissimilarity` is that of components and brains of which
    more than dissimilarities is known.
    """

    components: Mapping[str, Side] = field(repr=False)
    rule: Rule = "non-negative"
    comparison: str = "cosine"
    ridge: float = 0.0
    dissimilarity: str = "pearson"

    def __post_init__(self) -> None:
        if self.rule not in _RULES:
            raise UnknownNameError.among("rule", self.rule, _RULES)
        if self.comparison not in COMPARISONS:
            raise UnknownNameError.among("comparison", self.comparison, COMPARISONS)
        least = 2 if self.rule == "interpolated" else 1
        if len(self.components) < least:
            raise InputError(
                f"{len(self.components)} components; {self.rule} takes {least} or more"
            )
        if self.ridge < 0 or (self.ridge and self.comparison not in _EMBEDDINGS):
            raise InputError(
                f"a ridge of {self.ridge} by {self.comparison}; it must be 0 or, where the fit is "
                f"one of least squares ({', '.join(_EMBEDDINGS)}), above 0"
            )

    def select(self, positions: Positions) -> "ModelRdm":
        """The model of some of the stimuli, in the order of `positions`."""
        chosen = {name: side.select(positions) for name, side in self.components.items()}
        return replace(self, components=chosen)


def fit_weights(model: ModelRdm, brain: Brain) -> xr.DataArray:
    """The weights that make the model most similar to all subjects on average: (component,).

    They sum to 1 for "fixed", "selected" and "interpolated", and have the norm 1 where they are
    weighted, as in rsatoolbox; all are 0 where no component with a non-negative weight agrees with
    the brain. Least squares on the mean of the normalised subjects is the best fit by cosine and
    Pearson's r, whitened or not; by ranks a search starts from the best by Pearson's r, and finds
    an optimum near it. Raises MismatchError for other stimuli, InputError for constant or
    redundant components.
    """
    components = of_models(list(model.components.values()), brain, model.dissimilarity)
    weights = _RULES[model.rule](model, components, of_brain(brain, model.dissimilarity))
    return xr.DataArray(weights, dims="component", coords={"component": list(model.components)})


def predicted_rdm(model: ModelRdm, weights: xr.DataArray) -> Dissimilarities:
    """The dissimilarities that the model predicts with `weights` (component,).

    Raises MismatchError for weights of other components.
    """
    missing = set(model.components) - set(weights.component.values.tolist())
    if missing:
        raise MismatchError(f"the weights lack the component {min(missing)!r} of the model")
    sides = list(model.components.values())
    components = of_models(sides, Brain(("",), (sides[0],)), model.dissimilarity)
    wanted = weights.sel(component=list(model.components)).values
    return Dissimilarities(sides[0].ids, square_matrices((wanted @ components)[None])[0])


def cross_validated_similarity(
    model: ModelRdm, brain: Brain, *, stimulus_folds: int = 2, subject_folds: int = 1, seed: int = 0
) -> xr.DataArray:
    """How similar each subject is to a model fitted without its fold: (stimulus fold, subject).

    The weights are fitted to the subjects of the other subject folds on the stimuli of the other
    stimulus folds, and compared on the pairs within the fold's own stimuli. A number of folds of 1
    holds nothing out. Raises as `fit_weights` does, and InputError for folds of fewer than three
    stimuli or for more folds than subjects.
    """
    if not 1 <= subject_folds <= len(brain.subjects):
        raise InputError(f"{subject_folds} folds of {len(brain.subjects)} subjects")
    if not 1 <= stimulus_folds <= len(brain.ids) // 3:
        raise InputError(f"{stimulus_folds} folds of {len(brain.ids)} stimuli; one takes 3 or more")
    generator = np.random.default_rng(seed)
    similarity = np.empty((stimulus_folds, len(brain.subjects)))
    of_stimuli = _folds(len(brain.ids), stimulus_folds, generator)
    of_subjects = _folds(len(brain.subjects), subject_folds, generator)
    for fold, (train, test) in enumerate(of_stimuli):
        for others, own in of_subjects:
            weights = fit_weights(model.select(train), _among(brain, others).select(train))
            prediction = predicted_rdm(model.select(test), weights).matrix
            recorded = of_brain(_among(brain, own).select(test), model.dissimilarity)
            pairs = prediction[np.triu_indices(len(test), k=1)][None]
            similarity[fold, own] = compared(pairs, recorded, model.comparison)[0]
    coords = {"subject": list(brain.subjects)}
    return xr.DataArray(similarity, dims=("stimulus_fold", "subject"), coords=coords)


def _folds(
    size: int, folds: int, generator: np.random.Generator
) -> list[tuple[Positions, Positions]]:
    """The positions to fit on and those to test on, of each fold; all of both for one fold."""
    everything = np.arange(size)
    if folds == 1:
        return [(everything, everything)]
    tests = [np.sort(part) for part in np.array_split(generator.permutation(size), folds)]
    return [(np.setdiff1d(everything, test), test) for test in tests]


def _among(brain: Brain, positions: Positions) -> Brain:
    subjects = tuple(brain.subjects[position] for position in positions)
    return Brain(subjects, tuple(brain.sides[position] for position in positions))


def _mean_similarity(model: ModelRdm, predictions: Array, subjects: Array) -> Array:
    """The similarity of predictions (model, pair) to subjects (subject, pair), (model,)."""
    means: Array = compared(predictions, subjects, model.comparison).mean(axis=1)
    return means


def _fixed(model: ModelRdm, components: Array, subjects: Array) -> Array:
    return np.full(len(components), 1 / len(components))


def _selected(model: ModelRdm, components: Array, subjects: Array) -> Array:
    best = _mean_similarity(model, components, subjects).argmax()
    return np.asarray(np.eye(len(components))[best])


def _interpolated(model: ModelRdm, components: Array, subjects: Array) -> Array:
    from scipy.optimize import minimize_scalar

    fits = []
    for first, second in pairwise(components):

        def loss(share: float, first: Array = first, second: Array = second) -> float:
            mixture = share * first + (1 - share) * second
            return -float(_mean_similarity(model, mixture[None], subjects)[0])

        fits.append(minimize_scalar(loss, bounds=(0, 1), method="bounded"))
    best = int(np.argmin([fit.fun for fit in fits]))
    weights = np.zeros(len(components))
    weights[best : best + 2] = fits[best].x, 1 - fits[best].x
    return weights


def _weighted(model: ModelRdm, components: Array, subjects: Array) -> Array:
    return _best_sum(model, components, subjects, _solution, lowest=None)


def _solution(normal: Array, target: Array) -> Array:
    return np.asarray(np.linalg.solve(normal, target))


def _non_negative(model: ModelRdm, components: Array, subjects: Array) -> Array:
    return _best_sum(model, components, subjects, non_negative_weights, lowest=0.0)


def _best_sum(
    model: ModelRdm,
    components: Array,
    subjects: Array,
    solve: Callable[[Array, Array], Array],
    lowest: float | None,
) -> Array:
    """Weights of norm 1 from least squares; by ranks, from a search that starts there."""
    embed = _EMBEDDINGS.get(model.comparison, _centred)
    embedded, recorded = embed(components), embed(subjects)
    recorded = recorded / np.linalg.norm(recorded, axis=1, keepdims=True)
    normal = embedded @ embedded.T
    normal += model.ridge * np.eye(len(normal))
    if np.linalg.cond(normal) > _REDUNDANT:
        raise InputError(
            "a component is all but a sum of others, so that its weight is not determined; leave "
            "it out, or set a ridge"
        )
    weights = _normed(solve(normal, embedded @ recorded.mean(axis=0)))
    if model.comparison in _EMBEDDINGS or not weights.any():
        return weights
    return _normed(_searched(model, components, subjects, weights, lowest))


def _searched(
    model: ModelRdm, components: Array, subjects: Array, start: Array, lowest: float | None
) -> Array:
    """The weights near `start` that no small change makes better; ranks have no slope to follow."""
    from scipy.optimize import minimize

    scale = 1 / np.linalg.norm(components, axis=1)

    def loss(weights: Array) -> float:
        prediction = (weights * scale) @ components
        return -float(_mean_similarity(model, prediction[None], subjects)[0])

    bounds = [(lowest, None)] * len(start)
    found = minimize(loss, _normed(start / scale), method="Nelder-Mead", bounds=bounds)
    return np.asarray(found.x * scale)


def _normed(weights: Array) -> Array:
    norm = np.linalg.norm(weights)
    return weights / norm if norm > 0 else weights


def _centred(vectors: Array) -> Array:
    return np.asarray(vectors - vectors.mean(axis=1, keepdims=True))


def _whitened(vectors: Array) -> Array:
    """Vectors whose products are those under V⁻¹: the second moments, as `_whitened` tells."""
    return second_moments(vectors).reshape(len(vectors), -1)


_REDUNDANT: Final = 1e12

_EMBEDDINGS: Final[Mapping[str, Callable[[Array], Array]]] = {
    "cosine": lambda vectors: vectors,
    "pearson": _centred,
    "cosine-whitened": _whitened,
    "correlation-whitened": lambda vectors: _whitened(_centred(vectors)),
}
"""Where the cosine of dissimilarities (side, pair) is the comparison; there a sum of components
with the best cosine comes from least squares."""

_RULES: Final[Mapping[Rule, Callable[[ModelRdm, Array, Array], Array]]] = {
    "fixed": _fixed,
    "selected": _selected,
    "interpolated": _interpolated,
    "weighted": _weighted,
    "non-negative": _non_negative,
}
