"""Ridge encoding: can a linear read-out of the model predict the responses to held-out stimuli?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.linalg import cho_factor, cho_solve

from isocortex.encoding import HeldOut
from isocortex.geometry import Array, Geometry, Positions
from isocortex.registry import scorer
from isocortex.splits import Split, make_splits
from isocortex.statistics import columnwise_correlation


@scorer(
    variants={
        "ridge": {
            "summary": "ridge regression, one penalty per neuroid by nested cross-validation",
            "options": {"inner_folds": 5, "penalty": None},
            "splits": {"kind": "k-fold", "folds": 5, "seed": 0},
            "invariant_to": (
                "stimulus order",
                "unit order",
                "rotation",
                "isotropic scale",
                "translation",
            ),
            "source": "Hoerl & Kennard 1970; kernel form: Saunders et al. 1998, eq. 8",
        },
        "brain-score-ridge": {
            "summary": "Brain-Score's ridge: penalty 1, ten draws of 90 %, value r²/c",
            "options": {"inner_folds": 5, "penalty": 1.0},
            "splits": {
                "kind": "shuffle",
                "count": 10,
                "train": 0.9,
                "seed": 1,
                "order": "recorded",
            },
            "invariant_to": ("unit order", "rotation", "translation"),
            "normalisation": "signed-square-ratio",
            "source": "Schrimpf et al. 2018, bioRxiv 407007; brainscore_vision 2.4.2. Theirs takes "
            "r = −.5 for as good as +.5; here the sign is kept",
        },
    },
    family="encoding",
    accepts=("responses",),
    range=(-1.0, 1.0),
    answers="Could a neuron be read out linearly from the model's units?",
    bibtex="""@article{hoerl1970ridge,
  author = {Hoerl, Arthur E. and Kennard, Robert W.},
  title = {Ridge regression: biased estimation for nonorthogonal problems},
  journal = {Technometrics},
  volume = {12},
  number = {1},
  pages = {55--67},
  year = {1970},
  doi = {10.1080/00401706.1970.10488634}
}""",
)
def ridge(
    model: Geometry,
    brain: xr.DataArray,
    splits: Sequence[Split],
    *,
    inner_folds: int = 5,
    penalty: float | None = None,
) -> list[HeldOut]:
    """Predictions of responses (stimulus, neuroid) to held-out stimuli, one `HeldOut` per split.

    Features and responses are centred on the training stimuli (an unpenalised intercept). The
    penalty on ‖β‖² is chosen per neuroid by the squared error of `inner_folds` folds within the
    training stimuli, from 21 decades-spaced multiples (10⁻⁶ … 10⁴) of the mean squared norm of a
    stimulus's features; or it is `penalty`. Equal to refitting for every split, fold and penalty.
    Cost: one eigendecomposition of (n, n), and for each penalty one product.
    """
    targets = brain.transpose("stimulus", "neuroid").values.astype(np.float64)
    values, vectors = _spectrum(model.centred_gram())
    scale = values.sum() / len(targets)
    penalties = scale * np.logspace(-6, 4, 21) if penalty is None else np.array([penalty])
    fits = [_Fit.with_penalty(float(each), values, vectors, targets) for each in penalties]
    return [_predict(fits, targets, split, inner_folds=inner_folds) for split in splits]


def _spectrum(kernel: Array) -> tuple[Array, Array]:
    """Eigenvalues (n − 1) and vectors (n, n − 1) of a centred kernel, without the constant one.

    The constant vector, which the intercept takes up, is lifted above all others and cut off:
    left in, its eigenvalue of 10⁻¹⁶ instead of 0 would swamp a small penalty.
    """
    count = len(kernel)
    values, vectors = np.linalg.eigh(kernel + 2 * np.trace(kernel) / count)
    return values[:-1].clip(min=0), vectors[:, :-1]


@dataclass(frozen=True)
class _Fit:
    """Ridge with one penalty on all stimuli, from which any fold can be left out exactly.

    With the smoother S (ŷ = S y), `complement` is I − S (n, n) and `residuals` y − ŷ (n, neuroid).
    """

    complement: Array
    residuals: Array

    @classmethod
    def with_penalty(cls, penalty: float, values: Array, vectors: Array, targets: Array) -> "_Fit":
        complement = (vectors * (penalty / (values + penalty))) @ vectors.T
        return cls(complement, complement @ targets)

    def without(self, fold: Positions) -> Array:
        """(I − S_FF)⁻¹ (y_F − ŷ_F): the residuals on F of a fit that never saw F, (F, neuroid)."""
        within = self.complement[np.ix_(fold, fold)]
        factor = cho_factor(within, lower=True, check_finite=False)  # positive definite
        residuals: Array = cho_solve(factor, self.residuals[fold], check_finite=False)
        return residuals


def _predict(fits: Sequence[_Fit], targets: Array, split: Split, *, inner_folds: int) -> HeldOut:
    """One split: each neuroid's penalty by inner folds, then its held-out prediction."""
    protocol = {"kind": "k-fold", "folds": inner_folds, "seed": 0}
    folds = [split.train[inner.test] for inner in make_splits(len(split.train), protocol)]
    # A fit that saw neither the inner fold nor the test stimuli leaves out both together.
    inner = [_residuals(fits, np.concatenate([fold, split.test]))[:, : len(fold)] for fold in folds]
    best = np.sum([(residuals**2).sum(axis=1) for residuals in inner], axis=0).argmin(axis=0)
    selection = [
        columnwise_correlation(targets[fold] - _chosen(residuals, best), targets[fold])
        for fold, residuals in zip(folds, inner, strict=True)
    ]
    prediction: Array = targets[split.test] - _chosen(_residuals(fits, split.test), best)
    return HeldOut(split, prediction, np.asarray(np.mean(selection, axis=0)))


def _residuals(fits: Sequence[_Fit], fold: Positions) -> Array:
    """The residuals on a fold that was left out, under each penalty: (penalty, fold, neuroid)."""
    return np.stack([fit.without(fold) for fit in fits])


def _chosen(residuals: Array, best: Positions) -> Array:
    """(penalty, stimulus, neuroid) → (stimulus, neuroid): each neuroid under its own penalty."""
    chosen: Array = residuals[best, :, np.arange(len(best))].T
    return chosen
