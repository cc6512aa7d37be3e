"""Alignment of neighbourhoods: are the stimuli next to each other the same in model and brain?"""

from typing import Final

import numpy as np
import xarray as xr

from isocortex.errors import InputError, UnknownNameError
from isocortex.geometry import Array, Brain, Side
from isocortex.registry import scorer

from ._gram import centred_kernel, over_subjects, require_comparable, require_responses


@scorer(
    variants={
        "mutual-knn": {
            "summary": "share of the 10 nearest neighbours (cosine) that agree",
            "options": {"nearness": "cosine", "weighted": False},
            "range": (0.0, 1.0),
            "metric": "one-minus",
            "invariant_to": ("stimulus order", "unit order", "rotation", "isotropic scale"),
        },
        "mutual-knn-euclidean": {
            "summary": "share of the 10 nearest neighbours (Euclidean) that agree",
            "options": {"nearness": "euclidean", "weighted": False},
            "range": (0.0, 1.0),
            "metric": "one-minus",
            "invariant_to": (
                "stimulus order",
                "unit order",
                "rotation",
                "isotropic scale",
                "translation",
            ),
        },
        "cknna": {
            "summary": "centred kernel alignment over shared nearest neighbours by cosine",
            "options": {"nearness": "cosine", "weighted": True},
            "range": (-1.0, 1.0),
            "metric": "arccos",
            "invariant_to": ("stimulus order", "unit order", "rotation", "isotropic scale"),
        },
    },
    family="similarity",
    accepts=("responses",),
    symmetric=True,
    splits={"kind": "halves", "scored": 100, "seed": 0},
    answers="Are the stimuli that look most alike to the model those that do to the brain?",
    source="Huh et al. 2024, arXiv:2405.07987, section 3 and appendix A",
    bibtex="""@inproceedings{huh2024platonic,
  author = {Huh, Minyoung and Cheung, Brian and Wang, Tongzhou and Isola, Phillip},
  title = {Position: The {P}latonic representation hypothesis},
  booktitle = {International Conference on Machine Learning},
  year = {2024},
  eprint = {2405.07987},
  archiveprefix = {arXiv}
}""",
)
def neighbour_alignment(
    model: Side,
    brain: Brain,
    *,
    nearness: str = "cosine",
    weighted: bool = False,
    neighbours: int = 10,
) -> xr.DataArray:
    """The share of each stimulus's nearest neighbours that both sides agree on: (subject,).

    From 0 to 1; about k/(n − 1) for unrelated sides. `nearness` is "cosine", of the responses as
    they are, or "euclidean", which does not depend on where zero is. k is `neighbours`, but at most
    (n − 1) // 2: where all others are neighbours, everything agrees. Ties share the places that are
    left, so that the order of the stimuli changes nothing. With `weighted` it is CKNNA, from −1 to
    1: Σ ãᵢⱼ b̃ᵢⱼ over shared neighbours i → j, over √(Σ ã² Σ b̃²), each over its own neighbours,
    with rows of the cosines centred. This is the paper's equation; its code centres what is left
    after the choice of neighbours, and can exceed 1. Cost: n². Raises InputError where all
    responses are alike, a stimulus gets none (cosine), all cosines of a side are equal, as of one
    unit that is never negative (`weighted`), or stimuli are fewer than 4.
    """
    require_comparable(model, brain)
    if nearness not in _NEARNESS:
        raise UnknownNameError.among("nearness", nearness, _NEARNESS)
    if neighbours < 1:
        raise InputError(f"neighbours is {neighbours}, expected at least 1")
    count = min(neighbours, (len(model.ids) - 1) // 2)
    measure = _NEARNESS[nearness]
    compare = _alignment if weighted else _overlap
    modelled = measure(model, "the model")
    near_model = _neighbours(modelled, count)

    def similarity(side: Side, whose: str) -> float:
        recorded = measure(side, whose)
        return compare(modelled, recorded, near_model, _neighbours(recorded, count))

    return over_subjects(brain, similarity)


def _cosines(side: Side, whose: str) -> Array:
    """The cosine of each pair of responses, (n, n), each response taken as it is."""
    geometry = require_responses(side, whose)
    centred_kernel(geometry, whose)  # refuses constant responses
    products = geometry.uncentred_gram()
    norms = np.sqrt(np.diagonal(products))
    if not norms.all():
        raise InputError(
            f"{whose} does not respond to stimulus {geometry.ids[int(np.argmin(norms))]!r}: a "
            'cosine does not exist; leave it out or use nearness="euclidean"'
        )
    cosines: Array = products / np.outer(norms, norms)
    return cosines


def _closeness(side: Side, whose: str) -> Array:
    """Minus the squared Euclidean distance of each pair of responses, (n, n), as variances."""
    kernel = centred_kernel(side, whose)
    sizes = np.diagonal(kernel)
    closeness: Array = (2 * kernel - sizes - sizes[:, None]) / sizes.mean()
    return closeness


_NEARNESS: Final = {"cosine": _cosines, "euclidean": _closeness}

_TIE: Final = 1e-12
"""Values of order 1 that differ by less are equal but for rounding."""


def _neighbours(nearness: Array, count: int) -> Array:
    """How far j is among the `count` nearest of i: (n, n), from 0 to 1, rows summing to `count`."""
    values = nearness.copy()
    np.fill_diagonal(values, -np.inf)
    last = np.partition(values, -count, axis=1)[:, -count, None]
    nearer = values > last + _TIE
    tied = np.abs(values - last) <= _TIE
    left = count - nearer.sum(axis=1, keepdims=True)
    return np.where(tied, left / tied.sum(axis=1, keepdims=True), nearer)


def _shared(near_model: Array, near_brain: Array) -> Array:
    # The lesser of two shares, not their product, so that equal sides agree where they have ties.
    return np.minimum(near_model, near_brain)


def _overlap(modelled: Array, recorded: Array, near_model: Array, near_brain: Array) -> float:
    return float(_shared(near_model, near_brain).sum() / near_model.sum())


def _alignment(modelled: Array, recorded: Array, near_model: Array, near_brain: Array) -> float:
    x = modelled - modelled.mean(axis=1, keepdims=True)
    y = recorded - recorded.mean(axis=1, keepdims=True)
    own_model, own_brain = (near_model * x**2).sum(), (near_brain * y**2).sum()
    if min(own_model, own_brain) <= _TIE**2 * x.size:
        raise InputError(
            "all stimuli are equally near to each other for one side: there is nothing to align"
        )
    shared = (_shared(near_model, near_brain) * x * y).sum()
    return float(shared / np.sqrt(own_model * own_brain))
