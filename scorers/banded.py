"""Banded ridge: what do all layers together predict, and what does each of them contribute?"""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from isocortex.encoding import HeldOut
from isocortex.geometry import Geometry
from isocortex.registry import scorer
from isocortex.splits import Split

from ._banded import banded_search, dirichlet_draws, unit_kernels
from ._nested import Choice
from ._spectrum import penalty_grid, responses_of


@scorer(
    name="banded-ridge",
    summary="ridge on all layers together, one penalty per layer and neuroid",
    options={"draws": 32, "inner_folds": 5, "seed": 0},
    splits={"kind": "k-fold", "folds": 5, "seed": 0},
    invariant_to=("stimulus order", "unit order", "rotation", "isotropic scale", "translation"),
    family="encoding",
    accepts=("responses",),
    layers="together",
    range=(-1.0, 1.0),
    answers="What can be read out of all layers together, and from which of them does it come?",
    source="Nunez-Elizalde, Huth & Gallant 2019; Dupré la Tour et al. 2022, "
    "doi:10.1016/j.neuroimage.2022.119728",
    bibtex="""@article{nunez2019voxelwise,
  author = {Nunez-Elizalde, Anwar O. and Huth, Alexander G. and Gallant, Jack L.},
  title = {Voxelwise encoding models with non-spherical multivariate normal priors},
  journal = {NeuroImage},
  volume = {197},
  pages = {482--492},
  year = {2019},
  doi = {10.1016/j.neuroimage.2019.04.012}
}""",
)
def banded_ridge(
    model: Mapping[str, Geometry],
    brain: xr.DataArray,
    splits: Sequence[Split],
    *,
    draws: int = 32,
    inner_folds: int = 5,
    seed: int = 0,
) -> list[HeldOut]:
    """Predictions of responses (stimulus, neuroid) to held-out stimuli, one `HeldOut` per split.

    Each layer is a band, scaled to a mean squared norm of 1. Of `draws` ways to share the weight
    among the bands (equal, then random, few bands or many) and 21 penalties each, inner folds of
    the training stimuli choose for each neuroid, as in `ridge`, which it equals on one layer.
    `HeldOut.shares` (layer, neuroid) is each layer's part of the R² on the test stimuli (the
    product measure, which can be negative). Cost: `draws` times that of `ridge`.
    """
    kernels = unit_kernels(model)
    return banded_search(
        kernels,
        responses_of(brain, next(iter(model.values()))),
        splits,
        shares=dirichlet_draws(len(kernels), draws, seed=seed),
        penalties=penalty_grid,
        choice=Choice(inner_folds),
    )


@scorer(
    name="himalaya-banded",
    summary="himalaya's MultipleKernelRidgeCV on all layers, by random search",
    options={"draws": 20, "decades": (1, 20), "inner_folds": 5, "seed": 0},
    splits={"kind": "k-fold", "folds": 5, "seed": 0, "order": "recorded"},
    invariant_to=("unit order", "rotation"),
    family="encoding",
    accepts=("responses",),
    layers="together",
    range=(-1.0, 1.0),
    answers="What does himalaya read out of all layers together?",
    source="Dupré la Tour et al. 2022, doi:10.1016/j.neuroimage.2022.119728; himalaya 0.4, "
    "random search over 20 kernels and one penalty per decade, no intercept",
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
def himalaya_banded(
    model: Mapping[str, Geometry],
    brain: xr.DataArray,
    splits: Sequence[Split],
    *,
    draws: int = 20,
    decades: tuple[int, int] = (1, 20),
    inner_folds: int = 5,
    seed: int = 0,
) -> list[HeldOut]:
    """Predictions of responses (stimulus, neuroid) to held-out stimuli, one `HeldOut` per split.

    As himalaya fits by default: features and responses as they are, without intercept; contiguous
    inner folds in the order of the recording; mean squared error, of equal ones the larger penalty;
    10ᵃ … 10ᵇ, one penalty per decade, with `decades` (a, b). Shares and cost as `banded_ridge`.
    Features and responses far from 0 are fitted badly without an intercept.
    """
    kernels = np.array([side.uncentred_gram() for side in model.values()])
    first, last = decades
    penalties = np.logspace(first, last, last - first + 1)
    return banded_search(
        kernels,
        responses_of(brain, next(iter(model.values()))),
        splits,
        shares=dirichlet_draws(len(kernels), draws, seed=seed),
        penalties=lambda kernel: penalties,
        choice=Choice(inner_folds, shuffled=False, intercept=False, slope=1e-10),
    )
