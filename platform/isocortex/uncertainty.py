"""Resampling a score: its stimuli, and its subjects or neuroids, drawn again or left out.

The draws depend on the seed and on how many there are of each, not on the candidate: this is what
pairs two candidates.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import numpy as np

from .benchmarks import Benchmark
from .encoding import HeldOut
from .geometry import Array, Side
from .machine import threads
from .statistics import (
    Counts,
    bootstrap_counts,
    bootstrap_positions,
    jackknife_counts,
    weighted_columnwise_correlation,
)
from .variation import Variation

Item = TypeVar("Item")
Part = TypeVar("Part")

_MOST_LEFT_OUT: Final = 200
"""In how many groups stimuli are left out at most: the variance is then known to a tenth."""


def similarity_variation(
    benchmark: Benchmark, chosen: Sequence[Side], by_subject: Array
) -> Variation:
    """How a similarity varies with the stimuli and, if there are several, the subjects.

    `chosen` is the layer of each fold, `by_subject` (fold, subject) what they scored. Of a scorer
    that takes no counts, the resamples are linear in the stimuli: what each stimulus adds is known
    by leaving it out, and a sum of that is drawn.
    """
    left_out = jackknife_counts(len(benchmark.order), most=_MOST_LEFT_OUT, seed=benchmark.seed)
    influence = _influence(benchmark, chosen, by_subject, left_out)
    if benchmark.weighs_stimuli:
        counts = bootstrap_counts(len(benchmark.order), benchmark.resamples, seed=benchmark.seed)
        similarity = _by_folds(benchmark, chosen, counts).mean(axis=0)
    else:
        counts = bootstrap_counts(len(left_out), benchmark.resamples, seed=benchmark.seed)
        similarity = by_subject.mean(axis=0) + (counts - 1) @ influence
    subjects = by_subject.shape[1]
    shares = bootstrap_counts(subjects, len(counts), seed=benchmark.seed + 1) / subjects
    return Variation(
        both=(similarity * shares).sum(axis=1),
        stimuli=similarity.mean(axis=1),
        columns=shares @ by_subject.mean(axis=0) if subjects > 1 else None,
        influence=influence if benchmark.weighs_stimuli else None,
        sizes=(_scored(benchmark), subjects),
        fold=_fold_size(benchmark),
    )


def encoding_variation(
    benchmark: Benchmark, predicted: Sequence[HeldOut], by_neuroid: Array
) -> Variation:
    """How a regression's score varies with the stimuli and the neuroids, its fits held fixed.

    `by_neuroid` (fold, neuroid) is what the predictions scored.
    """
    resamples, seed = benchmark.resamples, benchmark.seed
    stimuli, neuroids = benchmark.responses.shape
    counts = bootstrap_counts(stimuli, resamples, seed=seed)
    drawn = bootstrap_positions(neuroids, resamples, seed=seed + 1)
    both, alone = np.zeros(resamples), np.zeros(resamples)
    for each in predicted:
        test = each.split.test
        observed = benchmark.responses.values[test]
        r = weighted_columnwise_correlation(each.prediction, observed, counts[:, test])
        both += over_neuroids(np.take_along_axis(r, drawn, axis=1)) / len(predicted)
        alone += over_neuroids(r) / len(predicted)
    columns = np.mean([over_neuroids(fold[drawn]) for fold in by_neuroid], axis=0)
    return Variation(
        both=both,
        stimuli=alone,
        columns=columns if neuroids > 1 else None,
        influence=None,
        sizes=(_scored(benchmark), neuroids),
        fold=_fold_size(benchmark),
    )


def over_neuroids(correlations: Array) -> Array:
    """The median over neuroids, the last axis; its mean over folds is the score (Brain-Score's)."""
    return np.asarray(np.median(correlations, axis=-1))


def in_parallel(function: Callable[[Item], Part], items: Iterable[Item]) -> list[Part]:
    """What the function makes of each item, in their order, by this process's share of threads."""
    if (share := threads()) == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(share) as pool:
        return list(pool.map(function, items))


def _influence(
    benchmark: Benchmark, chosen: Sequence[Side], by_subject: Array, left_out: Counts
) -> Array:
    """What leaving out each group of stimuli takes from the score, (group, subject).

    It is scaled so that a mean over stimuli loses their share of the sum: its squares then sum to
    the variance.
    """
    kept = np.array([left_out[:, split.test].mean(axis=1) for split in benchmark.splits])
    taken = by_subject[:, None] - _by_folds(benchmark, chosen, left_out)
    influence: Array = (taken * kept[:, :, None]).mean(axis=0)
    influence -= influence.mean(axis=0)
    return influence


def _by_folds(benchmark: Benchmark, chosen: Sequence[Side], weights: Counts) -> Array:
    """The similarity on each fold's test stimuli under all weights: (fold, row, subject)."""
    return np.array(
        in_parallel(
            lambda fold: _weighted(benchmark, chosen[fold], fold, weights), range(len(chosen))
        )
    )


def _weighted(benchmark: Benchmark, layer: Side, fold: int, weights: Counts) -> Array:
    test = benchmark.splits[fold].test
    model, brain = layer.select(test), benchmark.test_brains[fold]
    rows, which = np.unique(weights[:, test], axis=0, return_inverse=True)
    if benchmark.weighs_stimuli:
        weighted = benchmark.similarity(model, brain, counts=rows)
        return np.asarray(weighted.transpose("resample", "subject").values[which])
    kept = [np.flatnonzero(row) for row in rows]
    similarity = np.array(
        [benchmark.similarity(model.select(each), brain.select(each)).values for each in kept]
    )
    return similarity[which]


def _scored(benchmark: Benchmark) -> int:
    """How many stimuli are scored in some fold."""
    return len(np.unique(np.concatenate([split.test for split in benchmark.splits])))


def _fold_size(benchmark: Benchmark) -> float:
    return float(np.mean([len(split.test) for split in benchmark.splits]))
