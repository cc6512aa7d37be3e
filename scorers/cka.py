"""Centred kernel alignment: do model and brain hold the same geometry of responses?

Under other names: the "debiased" CKA of Murphy et al. (2024, arXiv:2405.01012) and of the code of
Kornblith et al. (Székely & Rizzo's U-centring) is `cka`, Escoufier's RV coefficient `cka-biased`.
"""

from typing import Final

import numpy as np
import xarray as xr

from isocortex.errors import InputError, UnknownNameError
from isocortex.geometry import Array, Brain, Side
from isocortex.registry import scorer
from isocortex.statistics import Counts, upper_triangle

from ._gram import centred_kernel, require_comparable, squared_distances


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
        "cka-rbf": {
            "summary": "CKA of Gaussian kernels half the median distance wide, unbiased estimate",
            "options": {"unbiased": True, "kernel": "rbf"},
            "range": (-1.0, 1.0),
            "source": "Kornblith et al. 2019, arXiv:1905.00414, section 3; unbiased HSIC: Song et "
            "al. 2012, J Mach Learn Res 13:1393, eq. 5",
            "answers": "Do model and brain agree on which stimuli are near each other?",
        },
        "cka-rbf-biased": {
            "summary": "CKA of Gaussian kernels half the median distance wide, biased estimate",
            "options": {"unbiased": False, "kernel": "rbf"},
            "range": (0.0, 1.0),
            "source": "Kornblith et al. 2019, arXiv:1905.00414, section 3; HSIC: Gretton et al. "
            "2005",
            "answers": "Do model and brain agree on which stimuli are near each other?",
        },
    },
    family="similarity",
    accepts=("responses",),
    invariant_to=("stimulus order", "unit order", "rotation", "isotropic scale", "translation"),
    symmetric=True,
    metric="arccos",
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
    model: Side,
    brain: Brain,
    *,
    counts: Counts | None = None,
    unbiased: bool = True,
    kernel: str = "linear",
) -> xr.DataArray:
    """CKA of model and brain, at most 1: (subject,); unbiased, about 0 for unrelated geometries.

    With `counts` (resample, stimulus) the stimuli weigh as often as they are drawn and the result
    is (resample, subject). The unbiased estimate never multiplies a stimulus with itself, nor with
    its copies in a resample. Each kind is the cosine of two centred kernels as vectors, so its arc
    is a metric. The `kernel` "rbf" is exp(−d²/2σ²) with σ half the median distance of the stimuli,
    the same in all resamples. Raises InputError where all responses are alike or stimuli are fewer
    than 4.
    """
    require_comparable(model, brain)
    if kernel not in _KERNELS:
        raise UnknownNameError.among("kernel", kernel, _KERNELS)
    weights = np.ones((1, len(model.ids))) if counts is None else counts
    dependence = _unbiased_dependence if unbiased else _biased_dependence
    model_kernel = _kernel(model, "the model", kernel, unbiased=unbiased)
    similarity = np.empty((len(weights), len(brain.subjects)))
    own_model = dependence(model_kernel, model_kernel, weights)
    for column, (name, side) in enumerate(zip(brain.subjects, brain.sides, strict=True)):
        brain_kernel = _kernel(side, f"subject {name}", kernel, unbiased=unbiased)
        own_brain = dependence(brain_kernel, brain_kernel, weights)
        shared = dependence(model_kernel, brain_kernel, weights)
        similarity[:, column] = _ratio(shared, own_model, own_brain)
    coords = {"subject": list(brain.subjects)}
    if counts is None:
        return xr.DataArray(similarity[0], dims="subject", coords=coords)
    return xr.DataArray(similarity, dims=("resample", "subject"), coords=coords)


_KERNELS: Final = ("linear", "rbf")

_BANDWIDTH: Final = 0.5
"""σ as a share of the median distance; Kornblith et al. try .2, .4 and .8, their example has .5."""


def _kernel(side: Side, whose: str, kind: str, *, unbiased: bool) -> Array:
    kernel = centred_kernel(side, whose)
    if kind == "rbf":
        kernel = _gaussian(kernel, whose)
    if unbiased:
        np.fill_diagonal(kernel, 0)
    return kernel


def _gaussian(kernel: Array, whose: str) -> Array:
    squares = squared_distances(kernel)
    # Over pairs of different stimuli; the code of Kornblith et al. counts the n zeros of stimuli
    # with themselves in the median as well, which makes it smaller where stimuli are few.
    middle = float(np.median(upper_triangle(squares)))
    if middle <= 1e-12 * np.diagonal(kernel).mean():
        raise InputError(
            f"{whose} answers alike to most pairs of stimuli: their median distance, the unit of "
            'the kernel\'s width, is 0; use kernel="linear"'
        )
    gaussian: Array = np.exp(-squares / (2 * _BANDWIDTH**2 * middle))
    return gaussian


def _biased_dependence(first: Array, second: Array, counts: Counts) -> Array:
    """HSIC of two kernels under each row of counts, (resample,), up to a factor they share."""
    rows_first, rows_second = counts @ first, counts @ second
    total = counts.sum(axis=1).clip(min=1)  # a resample may hold no stimulus of a fold
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
