"""Ridge encoding: can a linear read-out of the model predict the responses to held-out stimuli?"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import xarray as xr

from isocortex.encoding import HeldOut
from isocortex.errors import InputError
from isocortex.geometry import Array, Geometry
from isocortex.registry import scorer
from isocortex.splits import Split
from isocortex.statistics import columnwise_correlation

from ._banded import banded_search
from ._nested import Choice, nested_ridge
from ._spectrum import LeaveOneOut, centred_on, penalty_grid, responses_of


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
    Cost: one eigendecomposition of (n, n), and for each penalty one product. Raises InputError for
    a penalty that is not positive: `ols` is ridge without any.
    """
    if penalty is not None and not penalty > 0:
        raise InputError(f"the penalty is {penalty}; give a positive one, or use the scorer 'ols'")
    kernel = model.centred_gram()
    return nested_ridge(
        kernel,
        responses_of(brain, model),
        splits,
        penalties=penalty_grid(kernel) if penalty is None else [penalty],
        inner_folds=inner_folds,
    )


@scorer(
    name="himalaya-ridge",
    summary="himalaya's KernelRidgeCV or RidgeCV, one of 20 penalties per neuroid, no intercept",
    options={"decades": (1, 20), "inner_folds": 5},
    splits={"kind": "k-fold", "folds": 5, "seed": 0, "order": "recorded"},
    invariant_to=("unit order", "rotation"),
    family="encoding",
    accepts=("responses",),
    range=(-1.0, 1.0),
    answers="What does himalaya read out of a layer?",
    source="Dupré la Tour et al. 2022, doi:10.1016/j.neuroimage.2022.119728; himalaya 0.4",
    bibtex="""@article{dupre2022feature,
  author = {Dupr{\\'e} la Tour, Tom and Eickenberg, Michael and Nunez-Elizalde, Anwar O. and
    Gallant, Jack L.},
  title = {Feature-space selection with banded ridge regression},
  journal = {NeuroImage},
  volume = {264},
  pages = {119728},
  year = {2022},
  doi = {10.1016/j.neuroimage.2022.119728}
}""",
)
def himalaya_ridge(
    model: Geometry,
    brain: xr.DataArray,
    splits: Sequence[Split],
    *,
    decades: tuple[int, int] = (1, 20),
    inner_folds: int = 5,
) -> list[HeldOut]:
    """Predictions of responses (stimulus, neuroid) to held-out stimuli, one `HeldOut` per split.

    As himalaya fits by default: features and responses as they are, without intercept; contiguous
    inner folds in the order of the recording; mean squared error, of equal ones the larger penalty;
    10ᵃ … 10ᵇ, one penalty per decade, with `decades` (a, b). Cost: that of `ridge`. Features and
    responses far from 0 are fitted badly without an intercept.
    """
    first, last = decades
    penalties = np.logspace(first, last, last - first + 1)
    fits = banded_search(
        model.uncentred_gram()[None],
        responses_of(brain, model),
        splits,
        shares=np.ones((1, 1)),
        penalties=lambda kernel: penalties,
        choice=Choice(inner_folds, shuffled=False, intercept=False, slope=1e-10),
    )
    return [replace(each, shares=None) for each in fits]


BRAIN_SCORE_PENALTIES: Final = np.concatenate(
    [
        [0.01, 0.1, 0.5, 1.0],
        np.linspace(10, 100, 4, endpoint=False),
        *(np.linspace(start, 10 * start, 18, endpoint=False) for start in (1e2, 1e3, 1e4, 1e5)),
        np.linspace(1e6, 1e7, 19),
    ]
)


@scorer(
    name="brain-score-ridgecv",
    summary="Brain-Score's ridge, one of 99 penalties for all neuroids by leave-one-out",
    splits={"kind": "shuffle", "count": 10, "train": 0.9, "seed": 1, "order": "recorded"},
    invariant_to=("unit order", "rotation", "translation"),
    normalisation="signed-square-ratio",
    family="encoding",
    accepts=("responses",),
    range=(-1.0, 1.0),
    answers="Could the neurons be read out linearly, all with the same caution?",
    source="Golub, Heath & Wahba 1979; brainscore_vision 2.4.2, ridgecv_split, which scores one "
    "given split; here it is fitted to ten draws of 90 %, and the sign of r is kept",
    bibtex="""@article{golub1979generalized,
  author = {Golub, Gene H. and Heath, Michael and Wahba, Grace},
  title = {Generalized cross-validation as a method for choosing a good ridge parameter},
  journal = {Technometrics},
  volume = {21},
  number = {2},
  pages = {215--223},
  year = {1979},
  doi = {10.1080/00401706.1979.10489751}
}""",
)
def brain_score_ridgecv(
    model: Geometry, brain: xr.DataArray, splits: Sequence[Split]
) -> list[HeldOut]:
    """Predictions of responses (stimulus, neuroid) to held-out stimuli, one `HeldOut` per split.

    The penalty is the one of Brain-Score's 99 (10⁻² … 10⁷) with the least mean squared error over
    all neuroids when each training stimulus is left out in turn, as scikit-learn's RidgeCV does.
    Selection is the correlation of the left-out predictions under it. Cost: for each split one
    eigendecomposition of its training stimuli, and 99 products with the responses.
    """
    responses, kernel = responses_of(brain, model), model.centred_gram()
    return [_one_penalty(kernel, responses, split) for split in splits]


def _one_penalty(kernel: Array, responses: Array, split: Split) -> HeldOut:
    within, across = centred_on(kernel, split.train, split.test)
    observed = responses[split.train]
    fits = LeaveOneOut.of(within, observed)
    best = fits.best(BRAIN_SCORE_PENALTIES)
    prediction = observed.mean(axis=0) + fits.predicted(across, best)
    left_out = observed - fits.residuals(best)
    return HeldOut(split, prediction, columnwise_correlation(left_out, observed))
