"""Decoding: do categories read out linearly from a layer go wrong where an observer goes wrong?

A region that was recorded as responses is an observer as well: it is read out as the layer is.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import xarray as xr
from scipy.special import ndtri

from isocortex.errors import InputError
from isocortex.geometry import Array, Brain, Side, require_same_stimuli
from isocortex.registry import scorer
from isocortex.responses import Choices
from isocortex.statistics import Counts

from ._readout import Task, chosen_shares, decisions, probabilities, task_of

Readout = Callable[[Side, Task, str], Array]
"""How the answers (stimulus, category) are read out of a side; its last argument names it."""

Agreement = Callable[[Array, Array, Task, Counts], Array]
"""How alike two sides' answers (stimulus, category) are under each row of counts: (resample,)."""


def readout_accuracy(layers: Mapping[str, Side], categories: Mapping[str, str]) -> xr.DataArray:
    """The share of each category's stimuli that are read out right, from 0 to 1: (layer, category).

    Each stimulus is read out by ridge that was trained on others, as `error-consistency` does; the
    mean over categories is the balanced accuracy, by chance 1 over their number. `categories` maps
    the stimulus ids to names; one that a single stimulus bears is left out. Raises InputError.

    >>> from isocortex.geometry import gather_geometry
    >>> ids, responses = ("a", "b", "c", "d"), np.array([[0.0], [0.1], [1.0], [1.1]])
    >>> layer = gather_geometry(ids, responses, name="layer")
    >>> readout_accuracy({"layer": layer}, dict(zip(ids, "xxyy"))).values
    array([[1., 1.]])
    """
    if not layers:
        raise InputError("there is no layer to read out")
    rows = []
    for name, side in layers.items():
        task = task_of(side.ids, categories)
        right = (_answers(side, task, name, decisions) * task.indicators).sum(axis=1)
        rows.append(np.add.reduceat(right, task.starts) / np.bincount(task.truth))
    coords = {"layer": list(layers), "category": list(task.names)}
    return xr.DataArray(np.array(rows), dims=("layer", "category"), coords=coords)


@scorer(
    name="error-consistency",
    summary="κ: errors in common with the observer, beyond what accuracies imply",
    family="similarity",
    accepts=("responses", "choices"),
    invariant_to=("stimulus order", "unit order", "rotation", "isotropic scale", "translation"),
    range=(-1.0, 1.0),
    splits={"kind": "halves", "scored": 500, "seed": 0},
    symmetric=True,
    metric="arccos",
    answers="Are the stimuli that the model gets wrong the ones that the observer gets wrong?",
    source="Geirhos, Meding & Wichmann 2020, arXiv:2006.16736; Cohen 1960. Where Brain-Score takes "
    "the absolute value of the mean, the sign is kept",
    bibtex="""@inproceedings{geirhos2020beyond,
  author = {Geirhos, Robert and Meding, Kristof and Wichmann, Felix A.},
  title = {Beyond accuracy: quantifying trial-by-trial behaviour of {CNNs} and humans by measuring
    error consistency},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {33},
  year = {2020},
  eprint = {2006.16736},
  archiveprefix = {arXiv}
}""",
)
def error_consistency(
    model: Side, brain: Brain, *, categories: Mapping[str, str], counts: Counts | None = None
) -> xr.DataArray:
    """Cohen's κ of being right or wrong, from −1 to 1 (0: as accuracies imply): (subject,).

    κ = (observed − expected)/(1 − expected) for the share of stimuli on which both are right or
    both wrong. The model's category is that of the largest margin of a ridge readout trained on
    other stimuli. An observer who chose more than once is right by the share of trials: then κ
    is that of the expected agreement with a random trial. It is 0 where both are always right, or
    both always wrong: no error is left to be consistent in. With `counts` (resample, stimulus) the
    stimuli weigh as often as they are drawn, readouts fixed: (resample, subject). Raises
    MismatchError for other stimuli, InputError where fewer than two categories have two stimuli,
    or choices do not name them.
    """
    return _over_subjects(model, brain, categories, counts, (decisions, _kappa))


@scorer(
    name="confusion-similarity",
    summary="correlation of the confusions: which category is taken for which",
    family="similarity",
    accepts=("responses", "choices"),
    invariant_to=("stimulus order", "unit order", "rotation", "isotropic scale", "translation"),
    range=(-1.0, 1.0),
    splits={"kind": "halves", "scored": 500, "seed": 0},
    symmetric=True,
    metric="arccos",
    answers="Does the model take the same categories for one another as the observer does?",
    source="Rajalingham, Schmidt & DiCarlo 2015, J Neurosci 35:12127 compare objects' confusions "
    "so, as d′; here they are shares of choices",
    bibtex="""@article{rajalingham2015comparison,
  author = {Rajalingham, Rishi and Schmidt, Kailyn and DiCarlo, James J.},
  title = {Comparison of object recognition behavior in human and monkey},
  journal = {Journal of Neuroscience},
  volume = {35},
  number = {35},
  pages = {12127--12136},
  year = {2015},
  doi = {10.1523/JNEUROSCI.0573-15.2015}
}""",
)
def confusion_similarity(
    model: Side, brain: Brain, *, categories: Mapping[str, str], counts: Counts | None = None
) -> xr.DataArray:
    """Pearson's r of off-diagonal confusion matrices, from −1 to 1: (subject,).

    The matrix holds the share of each category's stimuli that are called each other one. It is 0
    where a side never errs, or errs towards all alike. Readout, `counts` and errors are those of
    `error_consistency`; besides, InputError for two categories, which have nothing to compare.
    """
    return _over_subjects(model, brain, categories, counts, (decisions, _confusions_alike))


@scorer(
    variants={
        "i2n": {
            "summary": "correlation of d′ of each image against each other category",
            "options": {"penalty": 1.0, "standardised": False},
            "invariant_to": (
                "stimulus order",
                "unit order",
                "rotation",
                "isotropic scale",
                "translation",
            ),
            "source": "Rajalingham et al. 2018, J Neurosci 38:7255, with false alarms by category "
            "as in Schrimpf et al. 2018, bioRxiv 407007",
        },
        "brain-score-i2n": {
            "summary": "i2n with Brain-Score's readout: standardised units, C = 1e-3",
            "options": {"penalty": 1000.0, "standardised": True},
            "reads": "units",
            "invariant_to": ("stimulus order", "unit order", "isotropic scale", "translation"),
            "source": "Schrimpf et al. 2018, bioRxiv 407007; brainscore_vision 2.4.2, which trains "
            "the readout on images of its own; here it is trained on the other folds and takes all "
            "categories for equally frequent",
        },
    },
    family="similarity",
    accepts=("responses", "choices"),
    range=(-1.0, 1.0),
    splits={"kind": "halves", "scored": 500, "seed": 0},
    symmetric=True,
    metric="arccos",
    answers="Within a category, are the images that the model takes for another those that the "
    "observer takes for it?",
    bibtex="""@article{rajalingham2018large,
  author = {Rajalingham, Rishi and Issa, Elias B. and Bashivan, Pouya and Kar, Kohitij and
    Schmidt, Kailyn and DiCarlo, James J.},
  title = {Large-scale, high-resolution comparison of the core visual object recognition behavior
    of humans, monkeys, and state-of-the-art deep artificial neural networks},
  journal = {Journal of Neuroscience},
  volume = {38},
  number = {33},
  pages = {7255--7269},
  year = {2018},
  doi = {10.1523/JNEUROSCI.0388-18.2018}
}""",
)
def i2n(
    model: Side,
    brain: Brain,
    *,
    categories: Mapping[str, str],
    counts: Counts | None = None,
    penalty: float = 1.0,
    standardised: bool = False,
) -> xr.DataArray:
    """Pearson's r of both sides' d′ of each image and distractor, from −1 to 1: (subject,).

    d′ = z(1 − p) − z(q), within ±5: p is the probability of the distractor for an image, against
    that of the image's own category, q the mean probability of the latter for the distractor's
    images. From each d′ the mean over the images of its category is subtracted. The model's
    probabilities are those of a multinomial logistic readout (see `_readout.probabilities` for
    `penalty` and `standardised`) trained on other stimuli; an observer's are the shares of choices.
    An image that an observer called neither is left out. It is 0 where all d′ of a side are alike.
    `counts` and errors are those of `error_consistency`. Memory: 100 MiB with them.
    """

    def readout(side: Side, task: Task, whose: str) -> Array:
        return probabilities(side, task, whose, penalty=penalty, standardised=standardised)

    return _over_subjects(model, brain, categories, counts, (readout, _discriminated_alike))


def _over_subjects(
    model: Side,
    brain: Brain,
    categories: Mapping[str, str],
    counts: Counts | None,
    measure: tuple[Readout, Agreement],
) -> xr.DataArray:
    """How the model's answers agree with each subject's: (subject) or (resample, subject)."""
    require_same_stimuli(model, brain)
    readout, agreement = measure
    task = task_of(model.ids, categories)
    drawn = np.ones((1, len(model.ids))) if counts is None else counts
    drawn = drawn[:, task.positions]
    modelled = _answers(model, task, "the model", readout)
    similarity = [
        agreement(modelled, _answers(side, task, f"subject {name}", readout), task, drawn)
        for name, side in zip(brain.subjects, brain.sides, strict=True)
    ]
    labelled = xr.DataArray(
        np.array(similarity).T,
        dims=("resample", "subject"),
        coords={"subject": list(brain.subjects)},
    )
    return labelled.isel(resample=0) if counts is None else labelled


def _answers(side: Side, task: Task, whose: str, readout: Readout) -> Array:
    """The share of each category among a side's answers to the task's stimuli.

    (stimulus, category), stimuli in the order of the task.
    """
    ordered = side.select(task.positions)
    if isinstance(ordered, Choices):
        return chosen_shares(ordered, task, whose)
    return readout(ordered, task, whose)


def _kappa(modelled: Array, observed: Array, task: Task, counts: Counts) -> Array:
    """Cohen's κ of being right, (resample,); 0 where no disagreement is to be expected."""
    one, other = ((side * task.indicators).sum(axis=1) for side in (modelled, observed))
    total = counts.sum(axis=1)
    total[total == 0] = 1.0
    # Observed less expected agreement is twice the covariance of being right. κ is the correlation
    # φ times sech of half the difference of log odds: of two positive kernels, and so one itself.
    right, also = counts @ one / total, counts @ other / total
    covariance = counts @ (one * other) / total - right * also
    by_chance = right + also - 2 * right * also
    varied = by_chance > 1e-12
    return np.where(varied, 2 * covariance / np.where(varied, by_chance, 1.0), 0.0)


def _confusions_alike(modelled: Array, observed: Array, task: Task, counts: Counts) -> Array:
    """Pearson's r of the shares of each category called each other one: (resample,)."""
    if len(task.names) < 3:
        raise InputError(
            f"{' and '.join(task.names)} are all categories with two stimuli or more; to compare "
            "which is taken for which takes three"
        )
    off_diagonal = ~np.eye(len(task.names), dtype=bool)
    one, other = (
        _category_means(np.broadcast_to(side, (len(counts), *side.shape)), counts, task)
        for side in (modelled, observed)
    )
    return _pearson(one[:, off_diagonal], other[:, off_diagonal], np.ones(off_diagonal.sum()))


_CAP: Final = 5.0
"""A d′ beyond this is set to it: of finitely many trials none can be told from a greater one."""

_AT_ONCE: Final = 1 << 20
"""How many values of d′ (resample × stimulus × category) are held at once: 8 MiB each array."""


def _discriminated_alike(modelled: Array, observed: Array, task: Task, counts: Counts) -> Array:
    """Pearson's r of d′, each less its mean over a category's stimuli: (resample,)."""
    together = max(1, _AT_ONCE // modelled.size)
    correlations = []
    for start in range(0, len(counts), together):
        block = counts[start : start + together]
        one, other = (_discriminability(side, task, block) for side in (modelled, observed))
        weights = np.repeat(block, len(task.names), axis=1)
        correlations.append(
            _pearson(one.reshape(weights.shape), other.reshape(weights.shape), weights)
        )
    return np.concatenate(correlations)


def _discriminability(answers: Array, task: Task, counts: Counts) -> Array:
    """d′ of each stimulus and distractor less the mean over its category.

    (resample, stimulus, category); NaN for a stimulus's own category and where nothing is known.
    """
    rates = _distractor_rates(answers, task)[None]
    false_alarms = _category_means(rates, counts, task)  # (resample, category, called)
    # How often the distractor's stimuli were called the category of this one.
    alarms = false_alarms.transpose(0, 2, 1)[:, task.truth]
    hits, alarms = ndtri(1 - rates), ndtri(alarms)
    # Two infinities of one sign are two sides of a bias, not of a discrimination.
    with np.errstate(invalid="ignore"):
        differences = np.where(hits == alarms, 0.0, hits - alarms).clip(-_CAP, _CAP)
    means = _category_means(differences, counts, task)[:, task.truth]
    normalised: Array = differences - means
    return normalised


def _distractor_rates(answers: Array, task: Task) -> Array:
    """The share of each distractor against the right category: (stimulus, category), or NaN."""
    own = answers[np.arange(len(answers)), task.truth][:, None]
    with np.errstate(invalid="ignore"):
        rates = answers / (answers + own)
    return np.where(task.indicators == 1, np.nan, rates)


def _category_means(values: Array, counts: Counts, task: Task) -> Array:
    """Weighted means (resample, category, …) of (resample or 1, stimulus, …) without the NaN."""
    known = np.isfinite(values)
    weights = counts[:, :, None] * known
    sums = np.add.reduceat(weights * np.where(known, values, 0.0), task.starts, axis=1)
    totals = np.add.reduceat(weights, task.starts, axis=1)
    with np.errstate(invalid="ignore"):
        means: Array = sums / totals
    return means


def _pearson(one: Array, other: Array, weights: Array) -> Array:
    """Weighted Pearson's r of each row (resample, cell), where both are known: (resample,).

    0 where a side is constant: d′ and shares are of order 1, and less than 1e-10 is rounding.
    """
    known = np.isfinite(one) & np.isfinite(other)
    weights = weights * known
    total = weights.sum(axis=1, keepdims=True)
    shares = weights / np.where(total > 0, total, 1.0)
    x, y = np.where(known, one, 0.0), np.where(known, other, 0.0)
    x, y = (side - (shares * side).sum(axis=1, keepdims=True) for side in (x, y))
    covariance = (shares * x * y).sum(axis=1)
    variances = (shares * x**2).sum(axis=1), (shares * y**2).sum(axis=1)
    varied = np.minimum(*variances) > 1e-20
    return np.where(varied, covariance / np.sqrt(np.where(varied, np.multiply(*variances), 1.0)), 0)
