"""Centred kernel alignment: do model and brain hold the same geometry of responses?"""

import numpy as np
import xarray as xr

from isocortex.errors import IncompatibleError, InputError
from isocortex.geometry import Array, Brain, Geometry, Side, require_same_stimuli
from isocortex.registry import scorer
from isocortex.statistics import Counts


@scorer(
    variants={
        "cka": {
            "summary": "linear CKA, unbiased estimate",
            "options": {"unbiased": True},
            "range": (-1.0, 1.0),
            "source": "Kornblith et al. 2019, arXiv:1905.00414, eq. 4; unbiased HSIC: Song et al. "
            "2012, J Mach Learn Res 13:1393, eq. 5",
        },
        "cka-biased": {
            "summary": "linear CKA, biased estimate (grows with the number of units)",
            "options": {"unbiased": False},
            "range": (0.0, 1.0),
            "source": "Kornblith et al. 2019, arXiv:1905.00414, eq. 4; HSIC: Gretton et al. 2005",
        },
    },
    family="similarity",
    accepts=("responses",),
    invariant_to=("stimulus order", "unit order", "rotation", "isotropic scale", "translation"),
    splits={"kind": "halves", "scored": 500, "seed": 0},
    answers="Do model and brain span the same space, with the same dimensions large?",
    bibtex="""@inproceedings{kornblith2019similarity,
  author = {Kornblith, Simon and Norouzi, Mohammad and Lee, Honglak and Hinton, Geoffrey},
  title = {Similarity of neural network representations revisited},
  booktitle = {International Conference on Machine Learning},
  year = {2019},
  eprint = {1905.00414},
  archiveprefix = {arXiv}
}
@article{song2012feature,
  author = {Song, Le and Smola, Alex and Gretton, Arthur and Bedo, Justin and Borgwardt, Karsten},
  title = {Feature selection via dependence maximization},
  journal = {Journal of Machine Learning Research},
  volume = {13},
  pages = {1393--1434},
  year = {2012}
}""",
)
def cka(
    model: Side, brain: Brain, *, counts: Counts | None = None, unbiased: bool = True
) -> xr.DataArray:
    """Linear CKA of model and brain, at most 1: (subject,); about 0 for unrelated geometries.

    With `counts` (resample, stimulus) the stimuli weigh as often as they are drawn and the result
    is (resample, subject). The unbiased estimate never multiplies a stimulus with itself, nor with
    its copies in a resample. Raises InputError where all responses are alike.
    """
    require_same_stimuli(model, brain)
    weights = np.ones((1, len(model.ids))) if counts is None else counts
    dependence = _unbiased_dependence if unbiased else _biased_dependence
    model_kernel = _kernel(model, "the model", unbiased=unbiased)
    similarity = np.empty((len(weights), len(brain.subjects)))
    own_model = dependence(model_kernel, model_kernel, weights)
    for column, (name, side) in enumerate(zip(brain.subjects, brain.sides, strict=True)):
        kernel = _kernel(side, f"subject {name}", unbiased=unbiased)
        own_brain = dependence(kernel, kernel, weights)
        shared = dependence(model_kernel, kernel, weights)
        similarity[:, column] = _ratio(shared, own_model, own_brain)
    coords = {"subject": list(brain.subjects)}
    if counts is None:
        return xr.DataArray(similarity[0], dims="subject", coords=coords)
    return xr.DataArray(similarity, dims=("resample", "subject"), coords=coords)


def _kernel(side: Side, whose: str, *, unbiased: bool) -> Array:
    if not isinstance(side, Geometry):
        raise IncompatibleError(f"CKA needs responses; of {whose} only dissimilarities are known")
    kernel = side.centred_gram()
    if np.trace(kernel) <= 1e-12 * np.trace(side.gram):
        raise InputError(f"{whose} answers alike to all stimuli: there is nothing to compare")
    if unbiased:
        np.fill_diagonal(kernel, 0)
    return kernel


def _biased_dependence(first: Array, second: Array, counts: Counts) -> Array:
    """HSIC of two kernels under each row of counts, (resample,), up to a factor they share."""
    rows_first, rows_second = counts @ first, counts @ second
    total = counts.sum(axis=1)
    product = _weighted(counts @ (first * second), counts)
    sums = _weighted(rows_first, counts) * _weighted(rows_second, counts)
    crossed = _weighted(rows_first * rows_second, counts)
    dependence: Array = product + sums / total**2 - 2 * crossed / total
    return dependence


def _unbiased_dependence(first: Array, second: Array, counts: Counts) -> Array:
    """Song's unbiased HSIC of kernels without diagonal, (resample,), up to a factor they share.

    It is the mean over all (i, j, q, r) of distinct stimuli of KᵢⱼLᵢⱼ + KᵢⱼLqr − 2KᵢⱼLᵢq. With
    counts each such tuple weighs cᵢcⱼcqcr, so that copies of a stimulus never meet; sums over
    distinct indices are written as sums over all of them less their coincidences.
    """
    squares, total = counts**2, counts.sum(axis=1)
    both = first * second
    rows_first, rows_second = counts @ first, counts @ second
    rows_both, squares_both = counts @ both, squares @ both
    crossed = rows_first * rows_second
    doubled = _weighted(squares_both, squares)
    pairs = (
        (total**2 - squares.sum(axis=1)) * _weighted(rows_both, counts)
        - 4 * total * _weighted(rows_both, squares)
        + 4 * _weighted(rows_both, counts**3)
        + 2 * doubled
    )
    triples = (
        total * _weighted(crossed - squares_both, counts)
        - _weighted(crossed - squares_both, squares)
        - _weighted((squares @ first) * rows_second + rows_first * (squares @ second), counts)
        + 2 * _weighted(rows_both, counts**3)
    )
    quadruples = (
        _weighted(rows_first, counts) * _weighted(rows_second, counts)
        - 4 * _weighted(crossed, squares)
        + 2 * doubled
    )
    dependence: Array = pairs - 2 * triples + quadruples
    return dependence


def _weighted(rows: Array, weights: Array) -> Array:
    total: Array = np.einsum("ri,ri->r", rows, weights)
    return total


def _ratio(shared: Array, own_model: Array, own_brain: Array) -> Array:
    """CKA; 0 where an unbiased self-dependence is not positive: nothing rises above the noise."""
    norm = own_model * own_brain
    positive = (own_model > 0) & (own_brain > 0)
    return np.where(positive, shared / np.sqrt(np.where(positive, norm, 1.0)), 0.0)
