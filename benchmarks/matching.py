"""Matchings of units, against POT, scipy and the loops of the peers."""

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from isocortex.benchmarks import load_scorer
from isocortex.geometry import Brain
from isocortex.registry import scorer_card
from isocortex.responses import Responses
from isocortex.splits import make_splits
from isocortex.statistics import bootstrap_counts

from .cases import labelled
from .timing import Measurement, timed

STIMULI: Final = 640
UNITS: Final = 4096
NEUROIDS: Final = 168
RESAMPLES: Final = 1000


def problem() -> tuple[np.ndarray, np.ndarray]:
    """Units and neuroids that mix twenty shared signals with noise."""
    generator = np.random.default_rng(0)
    signals = generator.normal(size=(STIMULI, 20))
    x, y = (signals @ generator.normal(size=(20, width)) for width in (UNITS, NEUROIDS))
    return x + 4 * generator.normal(size=x.shape), y + 4 * generator.normal(size=y.shape)


def sides() -> tuple[Responses, Brain]:
    """The same as a model and a brain of one subject."""
    x, y = problem()
    names = tuple(f"stimulus-{position:05}" for position in range(STIMULI))
    return Responses(names, x), Brain(("subject",), (Responses(names, y),))


def one_to_one() -> list[Measurement]:
    """Brain-Score's mapping, ten draws; ours besides selects in fifty folds, theirs does not."""
    from scipy.linalg import norm

    x, y = problem()
    splits = make_splits(STIMULI, scorer_card("brain-score-neuron-to-neuron").splits)
    run, (model, _) = load_scorer("brain-score-neuron-to-neuron"), sides()
    ours, mine = timed(lambda: run(model, labelled(y, "neuroid"), splits), repeats=1)
    train, test = splits[0].train, splits[0].test

    def by_neuroid() -> np.ndarray:
        """As `SingleRegression` of brainscore_vision does it: one neuroid after the other."""
        found = []
        for each in range(NEUROIDS):
            first, second = (z - z.mean(0, keepdims=True) for z in (x[train], y[train, each, None]))
            r = first / norm(first, axis=0) * (second / norm(second, axis=0))
            found.append(np.nanargmax(r.sum(axis=0)))
        return x[test][:, found]

    seconds, their = timed(by_neuroid, repeats=1)
    pairs = zip(mine[0].prediction.T, their.T, strict=True)
    difference = max(abs(1 - np.corrcoef(*pair)[0, 1]) for pair in pairs)
    return [Measurement(ours, seconds * 10, "Brain-Score's loop (one draw × 10)", difference)]


def soft_matching() -> list[Measurement]:
    """The score itself, against `ot.emd` on a cost from `np.corrcoef`, which computes all pairs."""
    import ot

    x, y = problem()
    model, brain = sides()
    ours, mine = timed(lambda: load_scorer("soft-matching")(model, brain).item())

    def plain() -> float:
        r = np.corrcoef(x.T, y.T)[:UNITS, UNITS:]
        return float((ot.emd([], [], 1 - r, numItermax=10**9) * r).sum())

    theirs, their = timed(plain, repeats=1)
    return [Measurement(ours, theirs, "np.corrcoef and ot.emd", abs(mine - their))]


def resampled(scorer: str) -> list[Measurement]:
    """1,000 resamples with the match held fixed, against matching anew in each."""
    model, brain = sides()
    counts = bootstrap_counts(STIMULI, RESAMPLES, seed=0)
    run = load_scorer(scorer)
    ours, _ = timed(lambda: run(model, brain, counts=counts), repeats=1)
    half = np.arange(STIMULI // 2)
    one, other = model.select(half), brain.select(half)
    theirs, _ = timed(lambda: run(one, other))
    return [Measurement(ours, theirs * RESAMPLES, f"{scorer} anew in each half sample", 0.0)]


CASES: Final[dict[str, Callable[[], list[Measurement]]]] = {
    "one-to-one": one_to_one,
    "soft-matching": soft_matching,
    "soft-matching-resampled": partial(resampled, "soft-matching"),
    "permutation-held-out-resampled": partial(resampled, "permutation-held-out"),
}
