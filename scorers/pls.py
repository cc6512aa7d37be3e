"""Partial least squares: can a few shared dimensions of the model predict held-out responses?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr
from scipy.linalg import eigh, qr
from scipy.sparse.linalg import eigsh

from isocortex.encoding import HeldOut
from isocortex.errors import InputError
from isocortex.geometry import Array, Geometry, Positions
from isocortex.registry import scorer
from isocortex.splits import Split
from isocortex.statistics import columnwise_correlation

from ._spectrum import folds_within, responses_of


@scorer(
    variants={
        "pls": {
            "summary": "partial least squares with 25 components, one model for all neuroids",
            "splits": {"kind": "k-fold", "folds": 5, "seed": 0},
            "invariant_to": (
                "stimulus order",
                "unit order",
                "rotation",
                "isotropic scale",
                "translation",
            ),
            "source": "Wold, Sjöström & Eriksson 2001; kernel form: Rosipal & Trejo 2001, "
            "J Mach Learn Res 2:97, section 3.2",
        },
        "brain-score-pls": {
            "summary": "Brain-Score's PLS: 25 components, ten draws of 90 %, value r²/c",
            "splits": {
                "kind": "shuffle",
                "count": 10,
                "train": 0.9,
                "seed": 1,
                "order": "recorded",
            },
            "invariant_to": ("unit order", "rotation", "isotropic scale", "translation"),
            "normalisation": "signed-square-ratio",
            "source": "Schrimpf et al. 2018, bioRxiv 407007; brainscore_vision 2.4.2. Theirs stops "
            "NIPALS at a tolerance of 10⁻⁶, which moves scores by up to 5·10⁻⁵, and takes r = −.5 "
            "for as good as +.5; here it is converged, and the sign is kept",
        },
    },
    options={"components": 25, "inner_folds": 5},
    family="encoding",
    accepts=("responses",),
    range=(-1.0, 1.0),
    answers="Do the directions in which model and brain vary together predict new responses?",
    bibtex="""@article{rosipal2001kernel,
  author = {Rosipal, Roman and Trejo, Leonard J.},
  title = {Kernel partial least squares regression in reproducing kernel {H}ilbert space},
  journal = {Journal of Machine Learning Research},
  volume = {2},
  pages = {97--123},
  year = {2001}
}""",
)
def pls(
    model: Geometry,
    brain: xr.DataArray,
    splits: Sequence[Split],
    *,
    components: int = 25,
    inner_folds: int = 5,
) -> list[HeldOut]:
    """Predictions of responses (stimulus, neuroid) to held-out stimuli, one `HeldOut` per split.

    Each component is the direction of the features with the largest covariance with some direction
    of the responses, after what the former ones explain is taken out (PLS2, features not scaled):
    scikit-learn's `PLSRegression(components, scale=False)` with NIPALS converged. A fit has as
    many components as asked for, but none whose squared covariance is below 10⁻¹³ of the first
    one's, which is rounding: so at most as many as features or training stimuli have dimensions.
    Selection is the mean correlation over `inner_folds` folds of the training stimuli.

    Cost: two products of the Gram (n, n) with one column per fit, for each component of all fits at
    once, and the leading eigenvector of (v, v) for each component and fit; none depends on the
    number of units. Raises InputError if no component is asked for.
    """
    if components < 1:
        raise InputError(f"PLS with {components} components; ask for at least 1")
    responses = responses_of(brain, model)
    held_out = [[split.test, *folds_within(split, inner_folds)] for split in splits]
    training = [
        np.setdiff1d(split.train, held)
        for split, parts in zip(splits, held_out, strict=True)
        for held in parts
    ]
    scores = _scores(model.centred_gram(), responses, training, components)
    predictions = (
        _predicted(next(scores), responses, fitted, held)
        for fitted, held in zip(
            training, (held for parts in held_out for held in parts), strict=True
        )
    )
    return [
        _held_out(split, [next(predictions) for _ in parts], responses, parts[1:])
        for split, parts in zip(splits, held_out, strict=True)
    ]


def _predicted(scores: Array, responses: Array, training: Positions, held: Positions) -> Array:
    """The responses to held-out stimuli, regressed on scores (component, n) of all stimuli."""
    mean = responses[training].mean(axis=0)
    loadings = scores[:, training] @ (responses[training] - mean)
    predicted: Array = mean + scores[:, held].T @ loadings
    return predicted


def _held_out(
    split: Split, predicted: Sequence[Array], responses: Array, folds: Sequence[Positions]
) -> HeldOut:
    selection = [
        columnwise_correlation(prediction, responses[fold])
        for prediction, fold in zip(predicted[1:], folds, strict=True)
    ]
    return HeldOut(split, predicted[0], np.asarray(np.mean(selection, axis=0)))


_MOST_FITS: Final = 64
"""How many fits go through a product with the Gram together; more gain nothing."""


def _scores(
    kernel: Array, responses: Array, training: Sequence[Positions], components: int
) -> Iterator[Array]:
    """The scores (component, n) of all stimuli for each training set, in turn.

    Fits run side by side, so that the Gram is read once for all of them: as many as keep their
    covariances (v, v) within the memory of two Grams.
    """
    basis = _basis(responses - responses.mean(axis=0))
    together = max(1, min(_MOST_FITS, 2 * kernel.size // basis.shape[1] ** 2))
    for start in range(0, len(training), together):
        block = training[start : start + together]
        fits = _Fits.untouched(kernel, basis, block)
        most = min(components, max(map(len, block)) - 1)
        scores = np.zeros((len(block), most, len(kernel)))
        for number in range(most):
            _add_component(fits, scores, number)
        yield from scores


def _basis(responses: Array) -> Array:
    """(n, v) or, where v > n, the (n, n) Z with Z Zᵀ = Y Yᵀ, which is all that scores depend on."""
    if responses.shape[1] <= len(responses):
        return responses
    triangle: Array = qr(responses.T, mode="r")[0][: len(responses)]
    return triangle.T


@dataclass(frozen=True, eq=False)
class _Fits:
    """Several fits of the same model. Y is what is left of the responses `basis` (n, v) in a fit.

    `masks` (fit, n) are 1 on training stimuli; `covariances` (fit, v, v) are Yᵀ K Y, kept up to
    date; `largest` (fit,) are their largest eigenvalues at the outset.
    """

    kernel: Array
    basis: Array
    masks: Array
    covariances: Array
    largest: Array

    @classmethod
    def untouched(cls, kernel: Array, basis: Array, training: Sequence[Positions]) -> "_Fits":
        masks = np.zeros((len(training), len(kernel)))
        for mask, positions in zip(masks, training, strict=True):
            mask[positions] = 1
        product = kernel @ basis
        whole, sums = basis.T @ product, masks @ kernel
        covariances = np.array(
            [
                _covariance(kernel, basis, (product, whole, total), mask)
                for total, mask in zip(sums, masks, strict=True)
            ]
        )
        largest = np.array([_leading(each)[0] for each in covariances])
        return cls(kernel, basis, masks, covariances, largest)

    def centred(self, columns: Array) -> Array:
        """Columns (fit, n), less their mean over the training stimuli and 0 on all others."""
        means = (columns * self.masks).sum(axis=1) / self.masks.sum(axis=1)
        inside: Array = (columns - means[:, None]) * self.masks
        return inside


def _covariance(
    kernel: Array, basis: Array, shared: tuple[Array, Array, Array], mask: Array
) -> Array:
    """Yᵀ K Y (v, v) of the training stimuli, from that of all and the part of those left out.

    `shared` are K Y, Yᵀ K Y of all stimuli, and the sums of K (n,) over the training stimuli.
    Centring K on the training stimuli is not needed, since Y is.
    """
    product, whole, total = shared
    left = np.flatnonzero(mask == 0)
    outside = basis[left]
    crossed = outside.T @ product[left]
    raw = whole - crossed - crossed.T + outside.T @ (kernel[np.ix_(left, left)] @ outside)
    mean = mask @ basis / mask.sum()
    offset = np.outer((total * mask) @ basis - (total @ mask) / 2 * mean, mean)
    covariance: Array = raw - offset - offset.T
    return covariance


_SMALL: Final = 400
"""Up to this size a direct solver is faster than Lanczos."""


def _leading(matrix: Array) -> tuple[float, Array]:
    """The largest eigenvalue of a symmetric matrix (v, v) and its vector (v,)."""
    size = len(matrix)
    if size <= _SMALL:
        values, vectors = eigh(matrix, subset_by_index=[size - 1, size - 1], check_finite=False)
    else:
        start = matrix @ np.ones(size) + np.trace(matrix) / size
        values, vectors = eigsh(matrix, k=1, which="LA", v0=start)
    return float(values[0]), vectors[:, 0]


_ROUNDING: Final = 1e-13
"""What is below this share of the largest it could be is rounding, and ends the fit: a squared
covariance of that of the first component, a score of what the kernel makes of its direction."""


def _add_component(fits: _Fits, scores: Array, number: int) -> None:
    """Write the next scores (fit, component, n) of all fits, and deflate their covariances."""
    values, directions = zip(*map(_leading, fits.covariances), strict=True)
    former = scores[:, :number]
    targets = _without(former, fits.centred(np.array(directions) @ fits.basis.T), fits.masks)
    column = (targets * fits.masks) @ fits.kernel
    column -= ((column * fits.masks).sum(axis=1) / fits.masks.sum(axis=1))[:, None]
    for _ in range(2):  # once loses orthogonality to rounding, twice is enough
        column = _without(former, column, fits.masks)
    lengths = np.sqrt((column**2 * fits.masks).sum(axis=1))
    longest = np.trace(fits.kernel) * np.linalg.norm(targets * fits.masks, axis=1)
    going = (np.array(values) > _ROUNDING * fits.largest) & (lengths > _ROUNDING * longest)
    scores[:, number] = np.where(going, 1 / np.where(going, lengths, 1), 0)[:, None] * column
    _deflate(fits, scores[:, number], former)


def _without(former: Array, columns: Array, masks: Array) -> Array:
    """Columns (fit, n) of all stimuli less their projection, on the training ones, on `former`."""
    weights = former @ (columns * masks)[:, :, None]
    kept: Array = columns - (weights.transpose(0, 2, 1) @ former)[:, 0]
    return kept


def _deflate(fits: _Fits, newest: Array, former: Array) -> None:
    """Take the newest scores t (fit, n) out of Yᵀ K Y, with Y ← Y − t tᵀ Y."""
    inside = newest * fits.masks
    image = inside @ fits.kernel
    loadings = inside @ fits.basis
    own = (inside * image).sum(axis=1)
    crossed = _without(former, fits.centred(image), fits.masks) * fits.masks @ fits.basis
    crossed -= own[:, None] / 2 * loadings
    for covariance, cross, loading in zip(fits.covariances, crossed, loadings, strict=True):
        change = np.outer(cross, loading)
        covariance -= change
        covariance -= change.T
