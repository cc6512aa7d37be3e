"""Evaluation: one benchmark applied to the layers of one candidate, without network or database.

The layer that speaks for the region is chosen on the training stimuli of each split, and only the
test stimuli are scored. Both sides are brought into one order (of the stimulus ids) first, so that
the order in which stimuli are given changes nothing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from .benchmarks import Benchmark
from .encoding import HeldOut
from .errors import IncompatibleError, InputError
from .geometry import Array, Geometry, Side, geometry_of, require_same_stimuli
from .matrices import layer_rdm
from .responses import Responses
from .scores import ALL_LAYERS, Score, normalise
from .statistics import columnwise_correlation, spearman_brown
from .uncertainty import encoding_variation, in_parallel, over_neuroids, similarity_variation
from .variation import Variation

Layers = Mapping[str, Side]


def evaluate(benchmark: Benchmark, layers: Layers, *, candidate: str = "model") -> Score:
    """The score of a candidate, given what each of its layers answers to the stimuli.

    Layers may hold the stimuli in any order; of responses the geometry is taken where the scorer
    reads no more. Raises MismatchError for other stimuli, InputError for layers or responses that
    are constant, IncompatibleError where a scorer needs more of a layer than is given.
    """
    if not layers:
        raise InputError(f"{candidate} has no layer to score")
    ordered = _Ordered(layers, benchmark)
    # The matrices are small: one BLAS thread for each layer beats all threads on every layer.
    with threadpool_limits(1):
        if benchmark.card.family == "encoding":
            return _encoding_score(benchmark, ordered, candidate)
        return _similarity_score(benchmark, ordered, candidate)


class _Ordered(Mapping[str, Side]):
    """The layers in the benchmark's order of stimuli, one at a time: each is looked up when it is
    needed, so that not all of them need be in memory at once."""

    def __init__(self, layers: Layers, benchmark: Benchmark) -> None:
        self._layers = layers
        self._benchmark = benchmark
        self._gathered: dict[str, Side] = {}

    def __getitem__(self, layer: str) -> Side:
        if layer in self._gathered:
            return self._gathered[layer]
        given = self._layers[layer]
        side = _in_order(given, self._benchmark)
        if isinstance(given, Responses) and isinstance(side, Geometry):
            self._gathered[layer] = side  # what is given in memory may as well be gathered once
        return side

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)


def _in_order(side: Side, benchmark: Benchmark) -> Side:
    wanted, ordered = benchmark.brain.ids, side
    if side.ids != wanted:
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


def _similarity_score(benchmark: Benchmark, layers: Layers, candidate: str) -> Score:
    """Choose the layer on each split's training half, score its test half, resample."""
    names, subjects = list(layers), list(benchmark.brain.subjects)
    fits = in_parallel(lambda name: _fold_similarities(benchmark, layers[name]), names)
    train, test = np.array(fits).transpose(1, 2, 0, 3)  # each (fold, layer, subject)
    best = train.mean(axis=2).argmax(axis=1)
    chosen = [names[position] for position in best]
    sides = {name: layers[name] for name in set(chosen)}
    by_subject = test[np.arange(len(best)), best]
    return _assembled(
        benchmark,
        candidate,
        chosen=chosen,
        variation=similarity_variation(benchmark, [sides[name] for name in chosen], by_subject),
        by={
            "layer_score": ("layer", test.mean(axis=(0, 2))),
            **_layer_facts(layers, "layer"),
            "fold_score": ("fold", by_subject.mean(axis=1)),
            "subject_score": ("subject", by_subject.mean(axis=0)),
            **_reported_rdm(benchmark, sides, chosen),
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


def _encoding_score(benchmark: Benchmark, layers: Layers, candidate: str) -> Score:
    """Choose the layer on each split's training stimuli, predict its test stimuli, resample."""
    names, fits = _fits(benchmark, layers)
    best = np.array([[np.median(each.selection) for each in fit] for fit in fits]).argmax(axis=0)
    predicted = [fits[layer][fold] for fold, layer in enumerate(best)]
    by_neuroid = _correlations(benchmark, predicted)
    chosen = [names[position] for position in best]
    return _assembled(
        benchmark,
        candidate,
        chosen=chosen,
        variation=encoding_variation(benchmark, predicted, by_neuroid),
        by={
            "layer_score": ("layer", _layer_scores(benchmark, fits)),
            **_layer_facts(layers, "layer" if names == list(layers) else "part"),
            "fold_score": ("fold", over_neuroids(by_neuroid)),
            "neuroid_score": ("neuroid", by_neuroid.mean(axis=0)),
            "subject_score": ("subject", _by_subject(benchmark, by_neuroid)),
            **_shares(predicted),
            **_reliability(benchmark),
            **_reported_rdm(benchmark, layers, chosen),
        },
        coords={
            "layer": names,
            "part": list(layers),
            "neuroid": [str(name) for name in benchmark.responses.neuroid.values],
            "subject": list(benchmark.brain.subjects),
        },
        over=("stimulus", "neuroid"),
    )


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
    return names, in_parallel(lambda name: _predictions(benchmark, layers[name]), names)


def _predictions(benchmark: Benchmark, model: Side | Layers) -> list[HeldOut]:
    predictions: list[HeldOut] = benchmark.score(
        model, benchmark.responses, benchmark.splits, **benchmark.arguments
    )
    return predictions


def _layer_scores(benchmark: Benchmark, fits: Sequence[Sequence[HeldOut]]) -> Array:
    return np.array([over_neuroids(_correlations(benchmark, fit)).mean() for fit in fits])


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


def _by_subject(benchmark: Benchmark, by_neuroid: Array) -> Array:
    subjects = benchmark.responses.subject.values.astype(str)
    each = [by_neuroid[:, subjects == name] for name in benchmark.brain.subjects]
    return np.array([over_neuroids(correlations).mean() for correlations in each])


def _reliability(benchmark: Benchmark) -> dict[str, tuple[str, Array]]:
    """Each neuroid's reliability from the halves of its trials, where there are halves."""
    if benchmark.half_agreement is None:
        return {}
    agreement = benchmark.half_agreement.mean(axis=0).clip(min=0)
    return {"neuroid_reliability": ("neuroid", spearman_brown(agreement))}


def _layer_facts(layers: Layers, dim: str) -> dict[str, tuple[str, Array]]:
    """What was read of each layer: its units, how many of them, and what a projection cost."""
    facts = [_side_facts(side) for side in layers.values()]
    keys = dict.fromkeys(key for each in facts for key in each)
    return {f"layer_{key}": (dim, np.array([each.get(key, 0) for each in facts])) for key in keys}


def _side_facts(side: Side) -> dict[str, float]:
    if isinstance(side, Responses):
        return {"units": side.total, "units_read": side.values.shape[1]}
    if not isinstance(side, Geometry):
        return {}
    if side.projection is None:
        return {"units": side.units}
    projection = side.projection
    errors = {"error_bound": projection.bound, "error": projection.error}
    return {"units": side.units, "projected_to": projection.dimensions, **errors}


def _reported(chosen: Sequence[str]) -> str:
    """The layer that was chosen on most folds."""
    return Counter(chosen).most_common(1)[0][0]


def _reported_rdm(
    benchmark: Benchmark, layers: Layers, chosen: Sequence[str]
) -> dict[str, xr.Variable]:
    """The dissimilarities of the layer that is reported; none of all layers together."""
    layer = _reported(chosen)
    if layer == ALL_LAYERS:
        return {}
    return layer_rdm(layers[layer], benchmark.recording.stimuli.ids)


def _assembled(
    benchmark: Benchmark,
    candidate: str,
    *,
    chosen: Sequence[str],
    variation: Variation,
    by: Mapping[str, tuple[str | tuple[str, str], Array] | xr.Variable],
    coords: Mapping[str, Sequence[str]],
    over: tuple[str, ...],
) -> Score:
    raw = float(np.mean(by["fold_score"][1]))
    low, high = variation.interval(raw, confidence=benchmark.confidence)
    normalisation = benchmark.card.normalisation
    detail = xr.Dataset(
        {
            **by,
            "fold_layer": ("fold", np.array(chosen)),
            "resampled_raw": ("resample", variation.draws(raw)),
            **variation.as_variables(),
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
        layer=_reported(chosen),
        counts=benchmark.counts,
        detail=detail,
    )
