"""Representational similarity analysis: do pairs of stimuli differ alike in model and brain?"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import xarray as xr

from isocortex.errors import IncompatibleError, InputError, UnknownNameError
from isocortex.geometry import Array, Brain, Side, require_same_stimuli
from isocortex.registry import scorer
from isocortex.statistics import Counts, Ranking, pair_counts

from ._rdm import dissimilarity_vector


@scorer(
    variants={
        "rsa": {
            "summary": "Pearson RDMs compared by Spearman's ρ",
            "options": {"comparison": "spearman"},
        },
        "rsa-pearson": {
            "summary": "Pearson RDMs compared by Pearson's r",
            "options": {"comparison": "pearson"},
        },
        "rsa-cosine": {
            "summary": "Pearson RDMs compared by their cosine",
            "options": {"comparison": "cosine"},
        },
        "rsa-kendall": {
            "summary": "Pearson RDMs compared by Kendall's τ-a",
            "options": {"comparison": "kendall"},
        },
    },
    family="similarity",
    accepts=("responses", "dissimilarities"),
    invariant_to=(
        "stimulus order",
        "unit order",
        "isotropic scale",
        "unit translation",
    ),
    range=(-1.0, 1.0),
    splits={"kind": "halves", "scored": 500, "seed": 0},
    answers="Are stimuli that differ for the model the ones that differ for the brain?",
    source="Kriegeskorte, Mur & Bandettini 2008, Front Syst Neurosci 2:4; τ-a: Nili et al. 2014",
    bibtex="""@article{kriegeskorte2008rsa,
  author = {Kriegeskorte, Nikolaus and Mur, Marieke and Bandettini, Peter},
  title = {Representational similarity analysis -- connecting the branches of systems neuroscience},
  journal = {Frontiers in Systems Neuroscience},
  volume = {2},
  pages = {4},
  year = {2008},
  doi = {10.3389/neuro.06.004.2008}
}""",
)
def rsa(
    model: Side, brain: Brain, *, counts: Counts | None = None, comparison: str = "spearman"
) -> xr.DataArray:
    """The correlation of model and brain dissimilarities, from −1 to 1: (subject,).

    With `counts` (resample, stimulus) the stimuli weigh as often as they are drawn, pairs of a
    stimulus with itself are dropped, and the result is (resample, subject). The dissimilarities of
    a geometry are 1 − Pearson's r over units. Raises InputError where all of them are equal.
    """
    require_same_stimuli(model, brain)
    if comparison not in _COMPARISONS:
        raise UnknownNameError.among("comparison", comparison, _COMPARISONS)
    modelled = _varied(dissimilarity_vector(model), "the model")
    recorded = np.array(
        [
            _varied(dissimilarity_vector(side), f"subject {name}")
            for name, side in zip(brain.subjects, brain.sides, strict=True)
        ]
    )
    compare = _COMPARISONS[comparison](modelled, recorded)
    coords = {"subject": list(brain.subjects)}
    if counts is None:
        similarity = compare(np.ones((1, modelled.size)))[0]
        return xr.DataArray(similarity, dims="subject", coords=coords)
    blocks = np.array_split(counts, -(-len(counts) * modelled.size // _BLOCK))
    similarity = np.concatenate([compare(pair_counts(block)) for block in blocks])
    return xr.DataArray(similarity, dims=("resample", "subject"), coords=coords)


_BLOCK: Final = 1 << 18
"""How many weights are held at once: blocks that fit into the processor's cache are faster."""

_Compare = Callable[[Counts], Array]
"""From weights (resample, pair) to similarities (resample, subject)."""


def _varied(dissimilarities: Array, whose: str) -> Array:
    if np.ptp(dissimilarities) == 0:
        raise InputError(f"all dissimilarities of {whose} are equal: there is nothing to compare")
    return dissimilarities


def _cosine(modelled: Array, recorded: Array) -> _Compare:
    def compare(weights: Counts) -> Array:
        cross = weights @ (recorded * modelled).T
        norms = (weights @ modelled**2)[:, None] * (weights @ (recorded**2).T)
        cosine: Array = cross / np.sqrt(norms)
        return cosine

    return compare


def _pearson(modelled: Array, recorded: Array) -> _Compare:
    # Centring on the unweighted means first costs nothing and keeps the digits.
    model = modelled - modelled.mean()
    brain = recorded - recorded.mean(axis=1, keepdims=True)

    def compare(weights: Counts) -> Array:
        total = weights.sum(axis=1, keepdims=True)
        mean_model = weights @ model[:, None] / total
        mean_brain = weights @ brain.T / total
        covariance = weights @ (brain * model).T / total - mean_model * mean_brain
        variance_model = weights @ (model**2)[:, None] / total - mean_model**2
        variance_brain = weights @ (brain**2).T / total - mean_brain**2
        correlation: Array = covariance / np.sqrt(variance_model * variance_brain)
        return correlation

    return compare


def _spearman(modelled: Array, recorded: Array) -> _Compare:
    model, *subjects = (Ranking.of(values) for values in (modelled, *recorded))

    def compare(weights: Counts) -> Array:
        model_ranks = np.empty_like(weights)
        model_ranks[:, model.order] = _standardised_ranks(model, weights)
        similarity = np.empty((len(weights), len(subjects)))
        for column, subject in enumerate(subjects):
            ranks = _standardised_ranks(subject, weights)
            gathered = model_ranks[:, subject.order]
            gathered *= weights[:, subject.order]
            similarity[:, column] = np.einsum("rp,rp->r", gathered, ranks)
        return similarity

    return compare


def _standardised_ranks(ranking: Ranking, weights: Counts) -> Array:
    """Ranks (resample, sorted pair) whose weighted mean is 0 and weighted sum of squares 1."""
    ordered = weights[:, ranking.order]
    ranks = ranking.ranks(ordered)
    ranks -= (ordered.sum(axis=1, keepdims=True) + 1) / 2
    ranks /= np.sqrt(np.einsum("rp,rp,rp->r", ranks, ranks, ordered))[:, None]
    return ranks


_MOST_KENDALL_PAIRS: Final = 5_000
"""τ-a compares pairs of pairs: 5,000 pairs (100 stimuli) already make 200 MB."""


def _kendall(modelled: Array, recorded: Array) -> _Compare:
    """Kendall's τ-a, (concordant − discordant) / all pairs of pairs; ties count against it."""
    if modelled.size > _MOST_KENDALL_PAIRS:
        raise IncompatibleError(
            f"Kendall's τ-a of {modelled.size} dissimilarities needs "
            f"{modelled.size**2 * 8 / 1e9:.1f} GB; it is offered up to "
            f"{_MOST_KENDALL_PAIRS}. Use rsa (Spearman) instead"
        )
    model = np.sign(modelled[:, None] - modelled)

    def compare(weights: Counts) -> Array:
        possible = weights.sum(axis=1) ** 2 - (weights**2).sum(axis=1)
        agreement = []
        for dissimilarities in recorded:
            concordance = model * np.sign(dissimilarities[:, None] - dissimilarities)
            agreement.append(np.einsum("rp,rp->r", weights @ concordance, weights) / possible)
        return np.array(agreement).T

    return compare


_COMPARISONS: Final[Mapping[str, Callable[[Array, Array], _Compare]]] = {
    "spearman": _spearman,
    "pearson": _pearson,
    "cosine": _cosine,
    "kendall": _kendall,
}
