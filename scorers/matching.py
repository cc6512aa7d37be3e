"""Matching: does each neuroid have its like among the model's units?

These measures see single units, which rotations mix: a model can span the brain's space and have no
unit that is tuned like a neuron. Names differ between papers. Li et al. 2016 call *one-to-one* the
assignment without repeats (here `permutation`) and *semi-matching* the best partner with repeats.
`one-to-one` here is Brain-Score's: the best unit for each neuroid, tried on other stimuli.
ReSi's "SoftCorrelationMatch" is `semi-matching`, not `soft-matching`, which is optimal transport.

Whoever picks the best of p units on the very stimuli that are scored is flattered, the more the
wider the layer. The plain measures are those of the papers; what ends in `-held-out` matches on
some stimuli and scores on others, and is the one to compare layers or models with. Of a layer wider
than what is read, partners are found among a sample of its units.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import xarray as xr
from scipy.optimize import linear_sum_assignment

from isocortex.encoding import HeldOut
from isocortex.errors import InputError, UnknownNameError
from isocortex.geometry import Array, Brain, Positions, Side
from isocortex.registry import scorer
from isocortex.responses import Responses
from isocortex.splits import Split
from isocortex.statistics import Counts, columnwise_correlation

from ._gram import require_comparable
from ._matching import RULES, agreement, matched, require_units, standardised, varying
from ._spectrum import folds_within, responses_of


@scorer(
    variants={
        "semi-matching": {
            "summary": "mean correlation with the best partner, of units and of neuroids",
            "options": {"rule": "best", "folds": None},
            "source": "Li et al. 2016, arXiv:1511.07543, section 3, in both directions as ReSi's "
            "SoftCorrelationMatch (Klabunde et al. 2024, arXiv:2408.00531)",
        },
        "semi-matching-held-out": {
            "summary": "correlation of best partners on other stimuli than they are found on",
            "options": {"rule": "best", "folds": 5},
            "source": "after Li et al. 2016, arXiv:1511.07543, section 3",
        },
        "soft-matching": {
            "summary": "mean correlation under the optimal transport of units to neuroids",
            "options": {"rule": "transport", "folds": None},
            "symmetric": True,
            "metric": "arccos",
            "source": "Khosla & Williams 2024, arXiv:2311.09466, for responses of unit length: "
            "the distance is √(2 − 2s)",
        },
        "soft-matching-held-out": {
            "summary": "the same, on other stimuli than the transport is found on",
            "options": {"rule": "transport", "folds": 5},
            "source": "after Khosla & Williams 2024, arXiv:2311.09466",
        },
        "permutation": {
            "summary": "mean correlation of the best one-to-one pairs of units and neuroids",
            "options": {"rule": "assignment", "folds": None},
            "source": "Li et al. 2016, arXiv:1511.07543, section 3",
        },
        "permutation-held-out": {
            "summary": "the same, on other stimuli than the pairs are found on",
            "options": {"rule": "assignment", "folds": 5},
            "source": "after Li et al. 2016, arXiv:1511.07543, section 3",
        },
    },
    family="similarity",
    accepts=("responses",),
    reads="units",
    symmetric=True,
    invariant_to=("stimulus order", "unit order", "isotropic scale", "translation"),
    range=(-1.0, 1.0),
    splits={"kind": "halves", "scored": 100, "seed": 0},
    answers="Are single units of the model tuned like single neuroids of the brain?",
    bibtex="""@inproceedings{li2016convergent,
  author = {Li, Yixuan and Yosinski, Jason and Clune, Jeff and Lipson, Hod and Hopcroft, John},
  title = {Convergent learning: Do different neural networks learn the same representations?},
  booktitle = {International Conference on Learning Representations},
  year = {2016},
  eprint = {1511.07543},
  archiveprefix = {arXiv}
}
@inproceedings{khosla2024soft,
  author = {Khosla, Meenakshi and Williams, Alex H.},
  title = {Soft matching distance: A metric on neural representations that captures single-neuron
    tuning},
  booktitle = {Proceedings of UniReps: the First Workshop on Unifying Representations in Neural
    Models},
  year = {2024},
  eprint = {2311.09466},
  archiveprefix = {arXiv}
}""",
)
def matching(
    model: Side,
    brain: Brain,
    *,
    counts: Counts | None = None,
    rule: str = "transport",
    folds: int | None = None,
) -> xr.DataArray:
    """The mean correlation of matched units and neuroids, from −1 to 1: (subject,).

    Matched by the `rule` "transport" (each unit and each neuroid gives away its equal share),
    "assignment" (one-to-one; of unequal sides the surplus stays alone) or "best" (each takes its
    best partner, mean of both directions). Pairs are chosen by signed r. Units that are constant on
    the stimuli of the match are left out; a pair with one that is constant where it is scored
    counts as 0. Without `folds`, all stimuli match and are scored. With them, each fold is scored
    by the match on all others: as many folds, but of at least 4 stimuli, drawn from the sorted ids.

    With `counts` (resample, stimulus) the result is (resample, subject), the match held fixed. For
    the best match of what is scored this is right to first order; of a held-out score it leaves out
    what other stimuli to match on would change (simulated: a spread of 0.015 for 0.020).
    Cost: n·p·v and the rule's, at most cubic (transport of 4,096 units to 168 neuroids: 0.1 s).
    Memory: the correlations (p, v), thrice. Raises InputError where all units are constant, or
    for fewer than 4 stimuli, 8 with folds; IncompatibleError where single units are not known.
    """
    require_comparable(model, brain)
    if rule not in RULES:
        raise UnknownNameError.among("rule", rule, RULES)
    x, parts = require_units(model, "the model"), _parts(brain.ids, folds)

    def similarity(y: Array, weights: Counts) -> Array:
        values = sum(_part(x, y, part, rule, weights) for part in parts)
        return np.asarray(values / _total(weights))

    return _over_subjects(brain, counts, similarity)


def _over_subjects(
    brain: Brain, counts: Counts | None, similarity: Callable[[Array, Counts], Array]
) -> xr.DataArray:
    """(subject,), or with counts (resample, subject), of responses and weights to (resample,)."""
    weights = np.ones((1, len(brain.ids))) if counts is None else counts
    values = [
        similarity(require_units(side, f"subject {name}"), weights)
        for name, side in zip(brain.subjects, brain.sides, strict=True)
    ]
    coords = {"subject": list(brain.subjects)}
    labelled = xr.DataArray(np.array(values).T, dims=("resample", "subject"), coords=coords)
    return labelled.isel(resample=0) if counts is None else labelled


def _total(weights: Counts) -> Array:
    """How many stimuli each resample holds, (resample,); 1 for none, whose sums are all 0."""
    total: Array = weights.sum(axis=1).clip(min=1)
    return total


_FEWEST_SCORED: Final = 4
"""A fold of two or three stimuli has correlations that are little but luck."""


def _parts(ids: tuple[str, ...], folds: int | None) -> list[tuple[Positions, Positions]]:
    """The stimuli to match on and those to score, by turns; they depend on no order of the ids."""
    stimuli = len(ids)
    if folds is None:
        return [(np.arange(stimuli), np.arange(stimuli))]
    count = min(folds, stimuli // _FEWEST_SCORED)
    if count < 2:
        raise InputError(
            f"{stimuli} stimuli in {folds} folds: at least 2 folds of {_FEWEST_SCORED} stimuli are "
            "needed to match on some and score others (a benchmark halves its own before)"
        )
    by_name = np.argsort(np.array(ids))
    order = by_name[np.random.default_rng(0).permutation(stimuli)]
    return [(np.setdiff1d(order, part), part) for part in np.array_split(order, count)]


def _part(
    x: Array, y: Array, part: tuple[Positions, Positions], rule: str, weights: Counts
) -> Array:
    """The agreement on the scored stimuli, times their weight: (resample,)."""
    fit, scored = part
    own = weights[:, scored]
    weighted: Array = own.sum(axis=1) * agreement(
        x[scored], y[scored], matched(x[fit], y[fit], rule), own
    )
    return weighted


@scorer(
    name="permutation-procrustes",
    summary="cosine of the responses once the units are put into the best order",
    family="similarity",
    accepts=("responses",),
    reads="units",
    symmetric=True,
    metric="arccos",
    invariant_to=("stimulus order", "unit order", "isotropic scale", "translation"),
    range=(0.0, 1.0),
    splits={"kind": "halves", "scored": 100, "seed": 0},
    answers="Are the responses equal but for the order of the units?",
    source="Williams et al. 2021, arXiv:2110.14739, for the group of permutations",
    bibtex="""@inproceedings{williams2021shape,
  author = {Williams, Alex H. and Kunz, Erin and Kornblith, Simon and Linderman, Scott W.},
  title = {Generalized shape metrics on neural representations},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {34},
  year = {2021},
  eprint = {2110.14739},
  archiveprefix = {arXiv}
}""",
)
def permutation_procrustes(
    model: Side, brain: Brain, *, counts: Counts | None = None
) -> xr.DataArray:
    """The cosine of the permutation Procrustes angle, 0 to 1 (equal but for order): (subject,).

    Σ ⟨xᵢ, yᵢ⟩ / (‖X‖ ‖Y‖) of centred responses over the best one-to-one pairs. Unlike in
    `permutation`, units count by their variance. Both sides are thought to be filled up with silent
    units, as many as the other has: so any numbers compare, a unit that only has opposites stays
    alone, and the angle is a metric. (Filled up to the larger number only, as is usual, it is none
    across several numbers.)

    With `counts` (resample, stimulus) the result is (resample, subject), the pairs held fixed.
    Cost: n·p·v and an assignment, at most cubic. Raises InputError where all units are constant or
    for fewer than 4 stimuli, IncompatibleError where single units are not known.
    """
    require_comparable(model, brain)
    x = _centred(require_units(model, "the model"), "the model")

    def similarity(y: Array, weights: Counts) -> Array:
        y = _centred(y, "the brain")
        units, neuroids = linear_sum_assignment((x.T @ y).clip(min=0), maximize=True)
        alike = (x[:, units] * y[:, neuroids]).sum(axis=0) > 0
        first, second = x[:, units[alike]], y[:, neuroids[alike]]
        own = _covariance(x, x, weights) * _covariance(y, y, weights)
        cosine = _covariance(first, second, weights) / np.sqrt(np.where(own > 0, own, 1))
        return np.minimum(cosine, 1.0)

    return _over_subjects(brain, counts, similarity)


def _centred(values: Array, whose: str) -> Array:
    varying(values, whose)  # refuses constant responses
    centred: Array = values - values.mean(axis=0)
    return centred


def _covariance(x: Array, y: Array, weights: Counts) -> Array:
    """The summed covariance of equally many columns under each row of weights, (resample,)."""
    total = _total(weights)
    means = ((weights @ x) * (weights @ y)).sum(axis=1) / total**2
    covariance: Array = weights @ (x * y).sum(axis=1) / total - means
    return covariance


@scorer(
    variants={
        "one-to-one": {
            "summary": "each neuroid predicted by the unit that correlates best in training",
            "splits": {"kind": "k-fold", "folds": 5, "seed": 0},
            "invariant_to": ("stimulus order", "unit order", "isotropic scale", "translation"),
            "source": "Li et al. 2016, arXiv:1511.07543, section 3, on held-out stimuli",
        },
        "brain-score-neuron-to-neuron": {
            "summary": "Brain-Score's neuron-to-neuron mapping: ten draws of 90 %, value r²/c",
            "splits": {
                "kind": "shuffle",
                "count": 10,
                "train": 0.9,
                "seed": 1,
                "order": "recorded",
            },
            "invariant_to": ("unit order", "isotropic scale", "translation"),
            "normalisation": "signed-square-ratio",
            "source": "Schrimpf et al. 2018, bioRxiv 407007; brainscore_vision 2.4.2, "
            "neuron_to_neuron. Theirs takes r = −.5 for as good as +.5; here the sign is kept",
        },
    },
    options={"inner_folds": 5},
    family="encoding",
    accepts=("responses",),
    reads="units",
    range=(-1.0, 1.0),
    answers="Is there a single unit that responds like the neuron?",
    bibtex="""@inproceedings{li2016convergent,
  author = {Li, Yixuan and Yosinski, Jason and Clune, Jeff and Lipson, Hod and Hopcroft, John},
  title = {Convergent learning: Do different neural networks learn the same representations?},
  booktitle = {International Conference on Learning Representations},
  year = {2016},
  eprint = {1511.07543},
  archiveprefix = {arXiv}
}""",
)
def one_to_one(
    model: Responses, brain: xr.DataArray, splits: Sequence[Split], *, inner_folds: int = 5
) -> list[HeldOut]:
    """Predictions of responses (stimulus, neuroid) to held-out stimuli, one `HeldOut` per split.

    Of each neuroid, the unit with the highest signed correlation on the training stimuli (of equal
    ones the first), brought to the neuroid's mean and variance there. It is never turned over: a
    unit that does the opposite predicts the opposite. Units that are constant in training are
    never chosen. Selection is the mean correlation over `inner_folds` folds of the training
    stimuli, with the unit chosen anew in each. Cost: n·p·v for each split and inner fold; memory:
    the responses of the units and the correlations (p, v), twice.
    """
    x, responses = require_units(model, "the model"), responses_of(brain, model)
    predictions = []
    for split in splits:
        correlations = []
        for fold in folds_within(split, inner_folds):
            rest = np.setdiff1d(split.train, fold)
            predicted = _by_best_unit(x[rest], responses[rest], x[fold])
            correlations.append(columnwise_correlation(predicted, responses[fold]))
        prediction = _by_best_unit(x[split.train], responses[split.train], x[split.test])
        predictions.append(HeldOut(split, prediction, np.asarray(np.mean(correlations, axis=0))))
    return predictions


def _by_best_unit(x: Array, y: Array, held: Array) -> Array:
    """The responses to `held` stimuli of the unit that is most like each neuroid on the others."""
    candidates = varying(x, "the model")
    centred = y - y.mean(axis=0)
    best = candidates[(standardised(x[:, candidates]).T @ centred).argmax(axis=0)]
    chosen = x[:, best]
    gain = y.std(axis=0) / chosen.std(axis=0)
    prediction: Array = y.mean(axis=0) + gain * (held[:, best] - chosen.mean(axis=0))
    return prediction
