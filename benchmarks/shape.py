"""Costs of comparing whole geometries: against the products they need, and netrep's figures."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
import xarray as xr

from isocortex import registry
from isocortex.benchmarks import load_scorer
from isocortex.cards import ScorerCard
from isocortex.geometry import Brain, Geometry, centre, geometry_of
from isocortex.splits import make_splits

from .cases import labelled
from .timing import Measurement, timed

NETREP_SECONDS: Final = {"procrustes": 1.28, "cca": 2.3}
"""CPU seconds of netrep (n = 2560, p = 1000) where a thread multiplied at `NETREP_RATE`."""

NETREP_RATE: Final = 54e9
"""Operations a second of one thread in a float64 matrix product, where netrep was timed."""


def linear_cka(stimuli: int, units: int) -> list[Measurement]:
    """CKA of a wide layer from its responses, against the one symmetric product X Xᵀ."""
    x = np.random.default_rng(0).normal(size=(stimuli, units))
    recorded = x[:, :168] + np.random.default_rng(1).normal(size=(stimuli, 168))
    brain = Brain(("monkey",), (geometry_of(labelled(recorded)),))
    responses = labelled(x)
    ours, mine = timed(lambda: load_scorer("cka-biased")(geometry_of(responses), brain))
    product, gram = timed(lambda: x @ x.T)
    k, other = centre(gram), brain.sides[0].centred_gram()
    expected = (k * other).sum() / (np.linalg.norm(k) * np.linalg.norm(other))
    difference = abs(mine.item() - float(expected))
    return [Measurement(ours, product, "the one symmetric product X Xᵀ", difference)]


def against_netrep(stimuli: int, units: int) -> list[Measurement]:
    """Procrustes and CCA, from responses and from geometries, against netrep's figures.

    Their seconds are scaled to the rate at which this machine multiplies, measured just before.
    """
    rate = _operations_a_second()
    generator = np.random.default_rng(0)
    x, y = (generator.normal(size=(stimuli, units)) for _ in range(2))
    y += x
    gathered, sides = timed(lambda: [geometry_of(labelled(each)) for each in (x, y)])
    measurements = []
    for scorer, seconds in NETREP_SECONDS.items():
        similarity = partial(load_scorer(scorer), sides[0], Brain(("monkey",), (sides[1],)))
        ours, mine = timed(similarity)
        theirs = seconds * NETREP_RATE / rate
        difference = abs(mine.item() - _written_out(scorer, x, y))
        name = f"netrep, {scorer}: {seconds} s at 54 GFLOP/s, here {rate / 1e9:.0f}"
        measurements += [
            Measurement(ours + gathered, theirs, f"{name}; from responses", difference),
            Measurement(ours, theirs, f"{name}; from geometries", difference),
        ]
    return measurements


def _operations_a_second(size: int = 2048) -> float:
    x = np.random.default_rng(0).normal(size=(size, size))
    seconds, _ = timed(lambda: x @ (x + 1))
    return 2 * size**3 / seconds


def _written_out(scorer: str, x: np.ndarray, y: np.ndarray) -> float:
    x, y = x - x.mean(0), y - y.mean(0)
    if scorer == "cca":
        x, y = np.linalg.qr(x).Q, np.linalg.qr(y).Q
        return float(np.linalg.norm(x.T @ y, "nuc") / x.shape[1])
    return float(np.linalg.norm(x.T @ y, "nuc") / (np.linalg.norm(x) * np.linalg.norm(y)))


def every_scorer(stimuli: int, units: int, neuroids: int) -> list[Measurement]:
    """All scorers that need no more of a layer than its geometry, against its Gram matrix."""
    x = np.random.default_rng(0).normal(size=(stimuli, units))
    recorded = x[:, :neuroids] + np.random.default_rng(1).normal(size=(stimuli, neuroids))
    gram, geometry = timed(lambda: geometry_of(labelled(x)))
    seconds = {
        card.name: timed(lambda card=card: _scored(card, geometry, recorded), repeats=1)[0]
        for card in map(registry.scorer_card, (each.name for each in registry.entries("scorer")))
        if card.reads == "geometry" and card.layers == "each" and not card.trials
        if "responses" in card.accepts
    }
    slowest = sorted(seconds, key=seconds.__getitem__, reverse=True)[:8]
    total = Measurement(
        sum(seconds.values()), gram, f"the Gram matrix, all {len(seconds)} scorers", 0.0
    )
    each = [Measurement(seconds[name], gram, f"the Gram matrix, {name}", 0.0) for name in slowest]
    return [total, *each]


def _scored(card: ScorerCard, geometry: Geometry, recorded: np.ndarray) -> None:
    scorer = load_scorer(card.name)
    neuroids = {"neuroid": [f"n{each}" for each in range(recorded.shape[1])]}
    responses: xr.DataArray = labelled(recorded, "neuroid").assign_coords(neuroids)
    if card.family == "encoding":
        scorer(geometry, responses, make_splits(len(recorded), card.splits))
    elif "categories" in inspect.signature(scorer).parameters:
        categories = {name: str(place % 8) for place, name in enumerate(geometry.ids)}
        scorer(geometry, Brain(("monkey",), (geometry_of(responses),)), categories=categories)
    else:
        scorer(geometry, Brain(("monkey",), (geometry_of(responses),)))


CASES: Final[dict[str, Callable[[], list[Measurement]]]] = {
    "linear-cka": partial(linear_cka, 2560, 50_000),
    "procrustes-cca": partial(against_netrep, 2560, 1000),
    "every-scorer": partial(every_scorer, 1000, 100_000, 168),
}
