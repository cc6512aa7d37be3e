"""Sparse regressions: can a neuron be predicted from few units, or from a sum of few?

From a single one: `one-to-one` (`matching.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr

from isocortex.encoding import HeldOut
from isocortex.errors import InputError
from isocortex.geometry import Array, Positions
from isocortex.registry import scorer
from isocortex.responses import Responses
from isocortex.splits import Split
from isocortex.statistics import columnwise_correlation

from ._spectrum import folds_within, responses_of

_SHARES: Final = np.logspace(0, -2, 12)
"""The penalties that are tried, as shares of the least one that leaves no unit."""


@scorer(
    variants={
        "lasso": {
            "summary": "lasso, one penalty per neuroid, among the 512 units that go with it best",
            "options": {"l1_share": 1.0, "positive": False, "units": 512, "inner_folds": 5},
            "answers": "Could a neuron be read out from few of the model's units?",
            "source": "Tibshirani 1996, doi:10.1111/j.2517-6161.1996.tb02080.x; scikit-learn's "
            "enet_path; screening: Fan & Lv 2008, doi:10.1111/j.1467-9868.2008.00674.x",
        },
        "elastic-net": {
            "summary": "elastic net, half lasso and half ridge, otherwise as `lasso`",
            "options": {"l1_share": 0.5, "positive": False, "units": 512, "inner_folds": 5},
            "answers": "Could a neuron be read out from few groups of alike units?",
            "source": "Zou & Hastie 2005, doi:10.1111/j.1467-9868.2005.00503.x; scikit-learn's "
            "enet_path; screening: Fan & Lv 2008, doi:10.1111/j.1467-9868.2008.00674.x",
        },
        "sparse-positive": {
            "summary": "lasso with weights of at least 0, otherwise as `lasso`",
            "options": {"l1_share": 1.0, "positive": True, "units": 512, "inner_folds": 5},
            "answers": "Could a neuron be had by adding few of the model's units?",
            "source": "Tibshirani 1996, doi:10.1111/j.2517-6161.1996.tb02080.x, with weights of at "
            "least 0; scikit-learn's enet_path",
        },
    },
    splits={"kind": "k-fold", "folds": 5, "seed": 0},
    invariant_to=("stimulus order", "unit order", "isotropic scale", "translation"),
    family="encoding",
    accepts=("responses",),
    reads="units",
    range=(-1.0, 1.0),
    bibtex="""@article{tibshirani1996regression,
  author = {Tibshirani, Robert},
  title = {Regression shrinkage and selection via the lasso},
  journal = {Journal of the Royal Statistical Society: Series B},
  volume = {58},
  number = {1},
  pages = {267--288},
  year = {1996},
  doi = {10.1111/j.2517-6161.1996.tb02080.x}
}""",
)
def sparse(
    model: Responses,
    brain: xr.DataArray,
    splits: Sequence[Split],
    *,
    l1_share: float = 1.0,
    positive: bool = False,
    units: int = 512,
    inner_folds: int = 5,
) -> list[HeldOut]:
    """Predictions of responses (stimulus, neuroid) to held-out stimuli, one `HeldOut` per split.

    Minimises ‖y − Xw‖²/2n + α ρ ‖w‖₁ + α (1 − ρ) ‖w‖²/2 with ρ = `l1_share`, w ≥ 0 if `positive`,
    and an unpenalised intercept, as scikit-learn does and to its tolerance (a duality gap of 10⁻⁴
    ‖y‖²). Features are divided by their root mean squared deviation, responses by theirs. The
    penalty α of each neuroid has the least mean squared error over `inner_folds` folds, of 12
    between the least one that leaves no unit and a hundredth of it.

    Each fit sees the `units` with the largest covariance with its neuroid on its training stimuli
    (sure independence screening), for 4,096 units would take half a minute per neuroid. Cost: for
    each split, inner fold and neuroid a Gram matrix of `units` and a path of coordinate descent,
    some 20 ms. Raises InputError for a share that is not above 0 and at most 1, or no unit.
    """
    if not 0 < l1_share <= 1 or units < 1:
        raise InputError(
            f"a lasso's share of {l1_share} of {units} units; give a share above 0 and at most 1 "
            "(for 0 use the scorer 'ridge'), and at least 1 unit"
        )
    responses, path = responses_of(brain, model), _Path(l1_share, positive, units)
    return [_held_out(path, model.values, responses, split, inner_folds) for split in splits]


def _held_out(
    path: "_Path", features: Array, responses: Array, split: Split, inner_folds: int
) -> HeldOut:
    x, _ = _scaled(features, split.train, together=True)
    y, size = _scaled(responses, split.train)
    penalties = path.penalties(x[split.train], y[split.train])
    folds = folds_within(split, inner_folds)
    inner = [path.predicted(x, y, (np.setdiff1d(split.train, f), f), penalties) for f in folds]
    errors = np.mean(
        [((each - y[fold]) ** 2).mean(axis=1) for each, fold in zip(inner, folds, strict=True)],
        axis=0,
    )
    best = errors.argmin(axis=0)
    columns = np.arange(len(best))
    correlations = [
        columnwise_correlation(each[best, :, columns].T, y[fold])
        for each, fold in zip(inner, folds, strict=True)
    ]
    outer = path.predicted(x, y, (split.train, split.test), penalties)[best, :, columns].T
    prediction = outer * size + responses[split.train].mean(axis=0)
    return HeldOut(split, prediction, np.asarray(np.mean(correlations, axis=0)))


def _scaled(values: Array, training: Positions, *, together: bool = False) -> tuple[Array, Array]:
    """Columns less their training means, over their training deviations or, `together`, over the
    root mean square of these; and what they were divided by, 1 where that is 0."""
    centred = values - values[training].mean(axis=0)
    variance = (centred[training] ** 2).mean(axis=0)
    size = np.sqrt(variance.mean(keepdims=True) if together else variance)
    size[size <= 1e-12 * np.abs(values).max(initial=0)] = 1
    return centred / size, size


@dataclass(frozen=True)
class _Path:
    """The fits of one neuroid under falling penalties, each begun where the one before ended."""

    l1_share: float
    positive: bool
    units: int

    def penalties(self, x: Array, y: Array) -> Array:
        """The penalties (penalty, neuroid) for features (n, p) and responses (n, neuroid)."""
        strength = self._strength(x, y).max(axis=0).clip(min=0)
        grid: Array = np.outer(_SHARES, strength / (len(x) * self.l1_share))
        return grid

    def predicted(
        self, x: Array, y: Array, sets: tuple[Positions, Positions], penalties: Array
    ) -> Array:
        """Predictions for the second set by fits to the first: (penalty, stimulus, neuroid)."""
        training, held = sets
        mean_x, mean_y = x[training].mean(axis=0), y[training].mean(axis=0)
        fitted, targets = x[training] - mean_x, y[training] - mean_y
        strongest = np.argsort(-self._strength(fitted, targets), axis=0, kind="stable")
        predicted = np.tile(mean_y, (len(penalties), len(held), 1))
        for neuroid in np.flatnonzero(penalties[0] > 0):
            # In this order, the order in which the units came changes nothing.
            chosen = strongest[: self.units, neuroid]
            weights = self._weights(fitted[:, chosen], targets[:, neuroid], penalties[:, neuroid])
            predicted[:, :, neuroid] += ((x[np.ix_(held, chosen)] - mean_x[chosen]) @ weights).T
        return predicted

    def _strength(self, x: Array, y: Array) -> Array:
        """How strongly each unit pulls before any other does, (unit, neuroid)."""
        covariance: Array = x.T @ y
        return covariance if self.positive else np.abs(covariance)

    def _weights(self, x: Array, y: Array, penalties: Array) -> Array:
        """The weights (unit, penalty), by coordinate descent on the Gram matrix of the units."""
        from sklearn.linear_model import enet_path

        x = np.asfortranarray(x)
        weights: Array = enet_path(
            x,
            y,
            l1_ratio=self.l1_share,
            alphas=penalties,
            precompute=x.T @ x,
            Xy=x.T @ y,
            positive=self.positive,
            max_iter=100_000,
            check_input=False,
        )[1]
        return weights
