"""Representational similarity: the dissimilarities of both sides, and how they are compared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from isocortex.errors import InputError, UnknownNameError
from isocortex.geometry import Array, Brain, Side, require_same_stimuli
from isocortex.statistics import Counts

from ._comparisons import Compare, cosine, pearson, rho_a, spearman
from ._concordance import tau_a, tau_b
from ._rdm import dissimilarity_vector
from ._whitened import whitened_correlation, whitened_cosine


@dataclass(frozen=True)
class Comparison:
    """A comparison, and how many weights (resample × pair) it is given at once."""

    prepare: Callable[[Array, Array], Compare]
    at_once: int


COMPARISONS: Final = {
    "spearman": Comparison(spearman, 1 << 16),
    "pearson": Comparison(pearson, 1 << 22),
    "cosine": Comparison(cosine, 1 << 22),
    "kendall": Comparison(tau_a, 1 << 24),
    "kendall-b": Comparison(tau_b, 1 << 24),
    "rho-a": Comparison(rho_a, 1 << 16),
    "cosine-whitened": Comparison(whitened_cosine, 1 << 22),
    "correlation-whitened": Comparison(whitened_correlation, 1 << 22),
}
"""Ranks are held for each side and stay small enough for the processor's cache; the others make
one matrix product with many columns, or small ones, which pay when they have many rows."""

PRODUCTS: Final = 1 << 24
"""How many products of a model's with a subject's dissimilarities are held at once: 128 MiB."""


_ROUNDING: Final = 1e-12
"""Dissimilarities that differ by less than this share of the largest are equal."""


def compared(
    modelled: Array, recorded: Array, comparison: str, counts: Counts | None = None
) -> Array:
    """The similarities of dissimilarities (model, pair) and (subject, pair): (model, subject).

    Under each row of `counts` (resample, stimulus) they are (resample, model, subject). Raises
    UnknownNameError for a comparison that is not in `COMPARISONS`.
    """
    if comparison not in COMPARISONS:
        raise UnknownNameError.among("comparison", comparison, COMPARISONS)
    drawn = np.ones((1, stimuli_of(modelled))) if counts is None else counts
    together = max(1, PRODUCTS // recorded.size)
    similarity = np.concatenate(
        [
            _resampled(COMPARISONS[comparison], modelled[start : start + together], recorded, drawn)
            for start in range(0, len(modelled), together)
        ],
        axis=1,
    )
    return similarity[0] if counts is None else similarity


def _resampled(comparison: Comparison, modelled: Array, recorded: Array, counts: Counts) -> Array:
    """The similarities under each row of counts: (resample, model, subject)."""
    compare = comparison.prepare(modelled, recorded)
    blocks = np.array_split(counts, -(-len(counts) * modelled.shape[1] // comparison.at_once))
    return np.concatenate([compare(block) for block in blocks if len(block)])


def stimuli_of(dissimilarities: Array) -> int:
    """How many stimuli the pairs of dissimilarities (side, pair) are made of."""
    stimuli: int = round((1 + (1 + 8 * dissimilarities.shape[1]) ** 0.5) / 2)
    return stimuli


def of_models(models: Sequence[Side], brain: Brain, dissimilarity: str) -> Array:
    """The dissimilarities of each model: (model, pair). Raises as `rsa` does."""
    for model in models:
        require_same_stimuli(model, brain)
    return np.array(
        [_varied(dissimilarity_vector(model, dissimilarity), "the model") for model in models]
    )


def of_brain(brain: Brain, dissimilarity: str) -> Array:
    """The dissimilarities of each subject: (subject, pair). Raises as `rsa` does."""
    sides = zip(brain.subjects, brain.sides, strict=True)
    return np.array(
        [
            _varied(dissimilarity_vector(side, dissimilarity), f"subject {name}")
            for name, side in sides
        ]
    )


def _varied(dissimilarities: Array, whose: str) -> Array:
    if dissimilarities.size < 3:
        raise InputError(
            f"{whose} holds {dissimilarities.size} pairs of stimuli; to compare dissimilarities "
            "takes 3 stimuli or more"
        )
    largest = np.abs(dissimilarities).max()
    if not np.isfinite(largest):
        raise InputError(f"a dissimilarity of {whose} is not finite; leave out its stimuli")
    if np.ptp(dissimilarities) <= _ROUNDING * largest:
        raise InputError(f"all dissimilarities of {whose} are equal: there is nothing to compare")
    return dissimilarities
