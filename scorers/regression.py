"""Regressions besides ridge and PLS: least squares, principal components, a Gaussian kernel."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy.linalg import eigh, solve

from isocortex.encoding import HeldOut
from isocortex.errors import InputError
from isocortex.geometry import Array, Geometry, Positions, centre
from isocortex.registry import scorer
from isocortex.splits import Split
from isocortex.statistics import columnwise_correlation, upper_triangle

from ._gram import squared_distances
from ._nested import nested_ridge
from ._spectrum import (
    NEGLIGIBLE,
    centred_on,
    folds_within,
    penalty_grid,
    responses_of,
    spectrum,
)


@scorer(
    variants={
        "ols": {
            "summary": "least squares of minimum norm, with an intercept",
            "splits": {"kind": "k-fold", "folds": 5, "seed": 0},
            "invariant_to": (
                "stimulus order",
                "unit order",
                "rotation",
                "isotropic scale",
                "invertible linear",
                "translation",
            ),
            "source": "Penrose 1956, doi:10.1017/S0305004100030929, eq. 1",
        },
        "brain-score-linear": {
            "summary": "Brain-Score's linear regression: ten draws of 90 %, value r²/c",
            "splits": {
                "kind": "shuffle",
                "count": 10,
                "train": 0.9,
                "seed": 1,
                "order": "recorded",
            },
            "invariant_to": (
                "unit order",
                "rotation",
                "isotropic scale",
                "invertible linear",
                "translation",
            ),
            "normalisation": "signed-square-ratio",
            "source": "Schrimpf et al. 2018, bioRxiv 407007; brainscore_vision 2.4.2, "
            "linear_predictivity. Theirs takes r = −.5 for as good as +.5; here the sign is kept",
        },
    },
    options={"inner_folds": 5},
    family="encoding",
    accepts=("responses",),
    range=(-1.0, 1.0),
    answers="Could a neuron be read out from the model's units, if none of them cost anything?",
    bibtex="""@article{penrose1956best,
  author = {Penrose, Roger},
  title = {On best approximate solutions of linear matrix equations},
  journal = {Mathematical Proceedings of the Cambridge Philosophical Society},
  volume = {52},
  number = {1},
  pages = {17--19},
  year = {1956},
  doi = {10.1017/S0305004100030929}
}""",
)
def ols(
    model: Geometry, brain: xr.DataArray, splits: Sequence[Split], *, inner_folds: int = 5
) -> list[HeldOut]:
    """Predictions of responses (stimulus, neuroid) to held-out stimuli, one `HeldOut` per split.

    Of all weights with the least squared error on the training stimuli, those of the least norm: no
    linear map of the units changes the predictions as long as the training stimuli outnumber the
    units; past that the fit interpolates, and only rotations leave it alone. Selection is the mean
    correlation over `inner_folds` folds of the training stimuli.

    Equal to refitting for every split and fold, but for dimensions of the features whose variance
    is below 10⁻¹² of the largest's: the Gram can't tell them from rounding, and they are left out.
    Cost: one eigendecomposition of (n, n), and one of its own size for each set that is held out.
    """
    responses = responses_of(brain, model)
    limit = _Interpolation(*spectrum(model.centred_gram()), responses)
    predictions = []
    for split in splits:
        outside = np.setdiff1d(np.arange(len(responses)), split.train)
        correlations = []
        for fold in folds_within(split, inner_folds):
            residuals = limit.without(np.concatenate([fold, outside]))[: len(fold)]
            observed = responses[fold]
            correlations.append(columnwise_correlation(observed - residuals, observed))
        tested = np.searchsorted(outside, split.test)
        prediction = responses[split.test] - limit.without(outside)[tested]
        predictions.append(HeldOut(split, prediction, np.asarray(np.mean(correlations, axis=0))))
    return predictions


class _Interpolation:
    """Ridge as its penalty λ goes to 0, from which any set of stimuli can be left out exactly.

    With N the projection on what no feature reaches and P the pseudo-inverse of the kernel, what
    ridge leaves is C = N + λ P + …. So the residuals e on a set F that was left out, C_FF e =
    (C y)_F, solve N_FF e = (N y)_F, and where N_FF has no say, P_FF e = (P y)_F.
    """

    def __init__(self, values: Array, vectors: Array, responses: Array) -> None:
        reached = values > NEGLIGIBLE * values.max(initial=0)
        null, span = vectors[:, ~reached], vectors[:, reached] / np.sqrt(values[reached])
        self._null, self._inverse = null @ null.T, span @ span.T
        self._null_part, self._span_part = self._null @ responses, self._inverse @ responses

    def without(self, fold: Positions) -> Array:
        """The residuals (F, neuroid) on a set of stimuli, of a fit that never saw them."""
        block = np.ix_(fold, fold)
        values, vectors = eigh(self._null[block], check_finite=False)
        # They are squared sines of angles between spaces: 0 up to rounding or far from it.
        decided = values > 1e-10
        seen, free = vectors[:, decided], vectors[:, ~decided]
        residuals: Array = seen / values[decided] @ (seen.T @ self._null_part[fold])
        if free.shape[1]:
            inverse = self._inverse[block]
            missing = free.T @ (self._span_part[fold] - inverse @ residuals)
            residuals += free @ solve(free.T @ inverse @ free, missing, assume_a="pos")
        return residuals


@scorer(
    name="pcr",
    summary="regression on principal components, as many for each neuroid as inner folds choose",
    options={"inner_folds": 5, "components": None},
    splits={"kind": "k-fold", "folds": 5, "seed": 0},
    invariant_to=(
        "stimulus order",
        "unit order",
        "rotation",
        "isotropic scale",
        "translation",
    ),
    family="encoding",
    accepts=("responses",),
    range=(-1.0, 1.0),
    answers="Are the model's largest dimensions the ones that drive a neuron?",
    source="Massy 1965, doi:10.1080/01621459.1965.10480787",
    bibtex="""@article{massy1965principal,
  author = {Massy, William F.},
  title = {Principal components regression in exploratory statistical research},
  journal = {Journal of the American Statistical Association},
  volume = {60},
  number = {309},
  pages = {234--256},
  year = {1965},
  doi = {10.1080/01621459.1965.10480787}
}""",
)
def pcr(
    model: Geometry,
    brain: xr.DataArray,
    splits: Sequence[Split],
    *,
    inner_folds: int = 5,
    components: int | None = None,
) -> list[HeldOut]:
    """Predictions of responses (stimulus, neuroid) to held-out stimuli, one `HeldOut` per split.

    The principal components are those of the training stimuli. Each neuroid is regressed on the
    first 1, 2, 4 … or 512 of them, whichever has the least squared error over `inner_folds` folds
    of the training stimuli; or on `components`. A fit has at most as many components as its
    training stimuli span, and none whose variance is below 10⁻¹² of the first one's.

    Cost: one eigendecomposition of the training stimuli's Gram for each split and inner fold: this
    is the slowest of the regressions. Raises InputError if no component is asked for.
    """
    if components is not None and components < 1:
        raise InputError(f"regression on {components} components; ask for at least 1")
    counts = [2**power for power in range(10)] if components is None else [components]
    responses, kernel = responses_of(brain, model), model.centred_gram()
    predictions = []
    for split in splits:
        folds = folds_within(split, inner_folds)
        inner = [
            _by_count(kernel, responses, (np.setdiff1d(split.train, fold), fold), counts)
            for fold in folds
        ]
        errors = [
            ((each - responses[fold]) ** 2).sum(axis=1)
            for each, fold in zip(inner, folds, strict=True)
        ]
        best = np.sum(errors, axis=0).argmin(axis=0)
        selection = [
            columnwise_correlation(_chosen(each, best), responses[fold])
            for each, fold in zip(inner, folds, strict=True)
        ]
        outer = _by_count(kernel, responses, (split.train, split.test), counts)
        predictions.append(
            HeldOut(split, _chosen(outer, best), np.asarray(np.mean(selection, axis=0)))
        )
    return predictions


def _by_count(
    kernel: Array, responses: Array, sets: tuple[Positions, Positions], counts: Sequence[int]
) -> Array:
    """Predictions for the second set by a fit to the first, (count, held-out stimulus, neuroid)."""
    training, held = sets
    within, across = centred_on(kernel, training, held)
    size = len(training)
    first = max(0, size - counts[-1])
    values, vectors = eigh(within, subset_by_index=[first, size - 1], check_finite=False)
    kept = values > NEGLIGIBLE * values[-1]
    values, vectors = values[kept][::-1], vectors[:, kept][:, ::-1]
    mean = responses[training].mean(axis=0)
    weights = vectors.T @ (responses[training] - mean) / values[:, None]
    projections = across @ vectors
    predicted = [
        projections[:, start:stop] @ weights[start:stop]
        for start, stop in zip([0, *counts], counts, strict=False)
    ]
    return np.asarray(mean + np.cumsum(predicted, axis=0))


def _chosen(predicted: Array, best: Positions) -> Array:
    """(count, stimulus, neuroid) → (stimulus, neuroid): each neuroid with its own count."""
    chosen: Array = predicted[best, :, np.arange(len(best))].T
    return chosen


@scorer(
    name="kernel-ridge-rbf",
    summary="kernel ridge regression with a Gaussian kernel, one penalty per neuroid",
    options={"inner_folds": 5, "bandwidth": 1.0},
    splits={"kind": "k-fold", "folds": 5, "seed": 0},
    invariant_to=(
        "stimulus order",
        "unit order",
        "rotation",
        "isotropic scale",
        "translation",
    ),
    family="encoding",
    accepts=("responses",),
    range=(-1.0, 1.0),
    answers="Do stimuli that are near for the model have near responses, linear or not?",
    source="Saunders, Gammerman & Vovk 1998, ICML, eq. 8; the median as bandwidth: Gretton et al. "
    "2012, J Mach Learn Res 13:723, section 8",
    bibtex="""@inproceedings{saunders1998ridge,
  author = {Saunders, Craig and Gammerman, Alexander and Vovk, Volodya},
  title = {Ridge regression learning algorithm in dual variables},
  booktitle = {Proceedings of the 15th International Conference on Machine Learning},
  pages = {515--521},
  year = {1998}
}""",
)
def kernel_ridge_rbf(
    model: Geometry,
    brain: xr.DataArray,
    splits: Sequence[Split],
    *,
    inner_folds: int = 5,
    bandwidth: float = 1.0,
) -> list[HeldOut]:
    """Predictions of responses (stimulus, neuroid) to held-out stimuli, one `HeldOut` per split.

    Ridge on the kernel exp(−d² / (`bandwidth` · median d²)), with d² the squared distances of the
    features, their median over all pairs of different stimuli, and an unpenalised intercept (the
    kernel is centred on the training stimuli). Penalties, their choice and cost are those of
    `ridge`. Raises InputError for a bandwidth that is not positive.
    """
    if not bandwidth > 0:
        raise InputError(f"the bandwidth is {bandwidth}; give a positive multiple of the median")
    kernel = centre(_gaussian(model.centred_gram(), bandwidth))
    return nested_ridge(
        kernel,
        responses_of(brain, model),
        splits,
        penalties=penalty_grid(kernel),
        inner_folds=inner_folds,
    )


def _gaussian(gram: Array, bandwidth: float) -> Array:
    """exp(−d² / (bandwidth · median d²)) of a Gram (n, n); duplicates do not count as pairs."""
    distances = squared_distances(gram)
    pairs = upper_triangle(distances)
    apart = pairs[pairs > NEGLIGIBLE * np.diagonal(gram).max()]
    if not apart.size:
        raise InputError("the model answers alike to all stimuli: it has no distances to compare")
    kernel: Array = np.exp(-distances / (bandwidth * np.median(apart)))
    np.fill_diagonal(kernel, 1.0)
    return kernel
