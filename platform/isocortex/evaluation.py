"""Evaluation: one benchmark applied to the layers of one candidate, without network or database.

The layer that speaks for the region is chosen on the training stimuli of each split, and only the
test stimuli are scored. Both sides are brought into one order (of the stimulus ids) first, so that
the order in which stimuli are given changes nothing.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from .benchmarks import Benchmark
from .encoding import HeldOut
from .errors import IncompatibleError, InputError
from .geometry import Array, Geometry, Side, geometry_of, require_same_stimuli
from .responses import Responses
from .scores import Score, normalise
from .statistics import (
    Counts,
    bootstrap_counts,
    bootstrap_positions,
    columnwise_correlation,
    dual_variance,
    half_sample_positions,
    interval,
    spearman_brown,
    weighted_columnwise_correlation,
)

Layers = Mapping[str, Side]
Item = TypeVar("Item")
Part = TypeVar("Part")


def evaluate(benchmark: Benchmark, layers: Layers, *, candidate: str = "model") -> Score:
    """The score of a candidate, given what each of its layers answers to the stimuli.

    Layers may hold the stimuli in any order; of responses the geometry is taken where the scorer
    reads no more. Raises MismatchError for other stimuli, InputError for layers or responses that
    are constant, IncompatibleError where a scorer needs more of a layer than is given.
    """
    if not layers:
        raise InputError(f"{candidate} has no layer to score")
    ordered = {name: _in_order(side, benchmark) for name, side in layers.items()}
    # The matrices are small: one BLAS thread for each layer beats all threads on every layer.
    with threadpool_limits(1):
        if benchmark.card.family == "encoding":
            return _encoding_score(benchmark, ordered, candidate)
        return _similarity_score(benchmark, ordered, candidate)


def _in_order(side: Side, benchmark: Benchmark) -> Side:
    wanted = benchmark.brain.ids
    where = {name: position for position, name in enumerate(side.ids)}
    if set(where) != set(wanted):
        require_same_stimuli(side, benchmark.brain)
    ordered = side.select(np.array([where[name] for name in wanted], dtype=np.intp))
    if benchmark.card.reads == "geometry" and isinstance(ordered, Responses):
        return geometry_of(ordered)
    if benchmark.card.reads == "units" and not isinstance(ordered, Responses):
        raise IncompatibleError(
            f"{benchmark.card.name} needs the responses of units; got a {type(side).__name__}"
        )
    return ordered


def _in_parallel(function: Callable[[Item], Part], items: Iterable[Item]) -> list[Part]:
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(function, items))


def _similarity_score(benchmark: Benchmark, layers: Layers, candidate: str) -> Score:
    """Choose the layer on each split's training half, score its test half, resample."""
    names, subjects = list(layers), list(benchmark.brain.subjects)
    fits = _in_parallel(lambda name: _fold_similarities(benchmark, layers[name]), names)
    train, test = np.array(fits).transpose(1, 2, 0, 3)  # each (fold, layer, subject)
    best = train.mean(axis=2).argmax(axis=1)
    chosen = [names[position] for position in best]
    by_subject = test[np.arange(len(best)), best]
    return _assembled(
        benchmark,
        candidate,
        chosen=chosen,
        resampled=_resampled_similarity(benchmark, [layers[name] for name in chosen], by_subject),
        by={
            "layer_score": ("layer", test.mean(axis=(0, 2))),
            "fold_score": ("fold", by_subject.mean(axis=1)),
            "subject_score": ("subject", by_subject.mean(axis=0)),
        },
        coords={"layer": names, "subject": subjects},
        over=("stimulus", "subject") if len(subjects) > 1 else ("stimulus",),
    )


def _fold_similarities(benchmark: Benchmark, side: Side) -> Array:
    """A layer's similarity on each split's stimuli: (train or test, fold, subject)."""
    train = [
        benchmark.similarity(side.select(split.train), brain).values
        for split, brain in zip(benchmark.splits, benchmark.train_brains, strict=True)
    ]
    test = [
        benchmark.similarity(side.select(split.test), brain).values
        for split, brain in zip(benchmark.splits, benchmark.test_brains, strict=True)
    ]
    return np.array([train, test])


def _resampled_similarity(benchmark: Benchmark, chosen: Sequence[Side], by_subject: Array) -> Array:
    """The raw score under a bootstrap over stimuli and, if several, subjects: (resample,).

    `chosen` is the layer of each fold, `by_subject` (fold, subject) what they scored. Drawing both
    factors at once counts their interaction three times: the spread is scaled to the corrected one.
    """
    resamples, seed = benchmark.resamples, benchmark.seed
    stimuli, subjects = len(benchmark.order), by_subject.shape[1]
    counts = bootstrap_counts(stimuli, resamples, seed=seed)
    folds = _in_parallel(
        lambda fold: _fold_resamples(benchmark, chosen[fold], fold, counts), range(len(chosen))
    )
    similarity = np.mean(folds, axis=0)
    if subjects == 1:
        return np.asarray(similarity[:, 0])
    shares = bootstrap_counts(subjects, resamples, seed=seed + 1) / subjects
    both = (similarity * shares).sum(axis=1)
    variance = dual_variance(
        float(both.var()),
        (float(similarity.mean(axis=1).var()), stimuli),
        (float((shares @ by_subject.mean(axis=0)).var()), subjects),
    )
    return np.asarray(both.mean() + (both - both.mean()) * np.sqrt(variance / both.var()))


def _fold_resamples(benchmark: Benchmark, layer: Side, fold: int, counts: Counts) -> Array:
    """The similarity on a fold's test stimuli in each resample: (resample, subject).

    A scorer that takes no counts is given random halves of the stimuli instead of a bootstrap.
    """
    test = benchmark.splits[fold].test
    model, brain = layer.select(test), benchmark.test_brains[fold]
    if benchmark.weighs_stimuli:
        resampled = benchmark.similarity(model, brain, counts=counts[:, test])
        return np.asarray(resampled.transpose("resample", "subject").values)
    halves = half_sample_positions(len(test), len(counts), seed=benchmark.seed + fold)
    return np.array(
        [benchmark.similarity(model.select(half), brain.select(half)).values for half in halves]
    )


def _encoding_score(benchmark: Benchmark, layers: Layers, candidate: str) -> Score:
    """Choose the layer on each split's training stimuli, predict its test stimuli, resample."""
    names, fits = _fits(benchmark, layers)
    selection = np.array([[np.median(each.selection) for each in fit] for fit in fits])
    best = selection.argmax(axis=0)
    predicted = [fits[layer][fold] for fold, layer in enumerate(best)]
    by_neuroid = _correlations(benchmark, predicted)
    layer_scores = [_over_neuroids(_correlations(benchmark, fit)).mean() for fit in fits]
    return _assembled(
        benchmark,
        candidate,
        chosen=[names[position] for position in best],
        resampled=_resampled_encoding(benchmark, predicted),
        by={
            "layer_score": ("layer", np.array(layer_scores)),
            "fold_score": ("fold", _over_neuroids(by_neuroid)),
            "neuroid_score": ("neuroid", by_neuroid.mean(axis=0)),
            "subject_score": ("subject", _by_subject(benchmark, by_neuroid)),
            **_shares(predicted),
            **_reliability(benchmark),
        },
        coords={
            "layer": names,
            "part": list(layers),
            "neuroid": [str(name) for name in benchmark.responses.neuroid.values],
            "subject": list(benchmark.brain.subjects),
        },
        over=("stimulus", "neuroid"),
    )


ALL_LAYERS: Final = "all layers"
"""The name under which a fit of all layers together is reported."""


def _fits(benchmark: Benchmark, layers: Layers) -> tuple[list[str], list[list[HeldOut]]]:
    """The predictions of each layer, or of all together under one name."""
    for name, side in layers.items():
        if not isinstance(side, (Geometry, Responses)):
            raise IncompatibleError(f"{benchmark.card.name} needs the responses of {name}")
        if side.is_constant:
            raise InputError(f"layer {name} answers alike to all stimuli: leave it out")
    if benchmark.card.layers == "together":
        return [ALL_LAYERS], [_predictions(benchmark, layers)]
    names = list(layers)
    return names, _in_parallel(lambda name: _predictions(benchmark, layers[name]), names)


def _predictions(benchmark: Benchmark, model: Side | Layers) -> list[HeldOut]:
    predictions: list[HeldOut] = benchmark.score(
        model, benchmark.responses, benchmark.splits, **benchmark.arguments
    )
    return predictions


def _shares(predicted: Sequence[HeldOut]) -> dict[str, tuple[tuple[str, str], Array]]:
    """What each layer contributes to each neuroid's prediction, where all were fitted together."""
    found = [each.shares for each in predicted if each.shares is not None]
    return {"layer_share": (("part", "neuroid"), np.mean(found, axis=0))} if found else {}


def _correlations(benchmark: Benchmark, predicted: Sequence[HeldOut]) -> Array:
    """Pearson's r of predicted and observed responses on each test fold: (fold, neuroid)."""
    observed = benchmark.responses.values
    return np.array(
        [columnwise_correlation(each.prediction, observed[each.split.test]) for each in predicted]
    )


def _over_neuroids(correlations: Array) -> Array:
    """The median over neuroids in each fold; the mean over folds is the score, as Brain-Score's."""
    return np.asarray(np.median(correlations, axis=-1))


def _by_subject(benchmark: Benchmark, by_neuroid: Array) -> Array:
    subjects = benchmark.responses.subject.values.astype(str)
    each = [by_neuroid[:, subjects == name] for name in benchmark.brain.subjects]
    return np.array([_over_neuroids(correlations).mean() for correlations in each])


def _reliability(benchmark: Benchmark) -> dict[str, tuple[str, Array]]:
    """Each neuroid's reliability from the halves of its trials, where there are halves."""
    if benchmark.half_agreement is None:
        return {}
    agreement = benchmark.half_agreement.mean(axis=0).clip(min=0)
    return {"neuroid_reliability": ("neuroid", spearman_brown(agreement))}


def _resampled_encoding(benchmark: Benchmark, predicted: Sequence[HeldOut]) -> Array:
    """The raw score under a bootstrap over stimuli and neuroids, the fits fixed: (resample,)."""
    resamples, seed = benchmark.resamples, benchmark.seed
    stimuli, neuroids = benchmark.responses.shape
    counts = bootstrap_counts(stimuli, resamples, seed=seed)
    drawn = bootstrap_positions(neuroids, resamples, seed=seed + 1)

    def fold_score(each: HeldOut) -> Array:
        test = each.split.test
        observed = benchmark.responses.values[test]
        r = weighted_columnwise_correlation(each.prediction, observed, counts[:, test])
        return _over_neuroids(np.take_along_axis(r, drawn, axis=1))

    return np.asarray(np.mean([fold_score(each) for each in predicted], axis=0))


def _assembled(
    benchmark: Benchmark,
    candidate: str,
    *,
    chosen: Sequence[str],
    resampled: Array,
    by: Mapping[str, tuple[str | tuple[str, str], Array]],
    coords: Mapping[str, Sequence[str]],
    over: tuple[str, ...],
) -> Score:
    raw = float(np.mean(by["fold_score"][1]))
    # A resample holds fewer different stimuli than the sample, which shifts some estimators (biased
    # CKA most of all). The spread is what resampling tells; its centre is the score.
    resampled = resampled - resampled.mean() + raw
    low, high = interval(resampled, confidence=benchmark.confidence)
    normalisation = benchmark.card.normalisation
    detail = xr.Dataset(
        {
            **by,
            "fold_layer": ("fold", np.array(chosen)),
            "resampled_raw": ("resample", resampled),
        },
        coords={key: list(values) for key, values in coords.items()},
        attrs={"normalisation": normalisation},
    )
    return Score(
        candidate=candidate,
        benchmark=benchmark.name,
        raw=raw,
        ceiling=benchmark.ceiling,
        value=normalise(raw, benchmark.ceiling, normalisation),
        low=low,
        high=high,
        confidence=benchmark.confidence,
        resampled=over,
        layer=Counter(chosen).most_common(1)[0][0],
        counts=benchmark.counts,
        detail=detail,
    )
