"""Any scorer applied to plain arrays (stimulus, unit), as its card wants them: without splits."""

import inspect
from typing import Any

import numpy as np
import xarray as xr
from tests.synthetic import stimulus_ids

from isocortex import registry
from isocortex.benchmarks import load_scorer
from isocortex.cards import ScorerCard
from isocortex.geometry import Brain, Side, geometry_of
from isocortex.responses import Responses, Trials
from isocortex.splits import Split


def scorers(family: str) -> list[str]:
    cards = [registry.scorer_card(entry.name) for entry in registry.entries("scorer")]
    return [card.name for card in cards if card.family == family]


def responses_of(x: np.ndarray, *, dim: str = "unit") -> xr.DataArray:
    coords: dict[str, Any] = {"stimulus": stimulus_ids(len(x))}
    if dim == "neuroid":
        coords["neuroid"] = [f"n{each}" for each in range(x.shape[1])]
    return xr.DataArray(x, dims=("stimulus", dim), coords=coords)


def side(card: ScorerCard, x: np.ndarray) -> Side:
    if card.reads == "geometry":
        return geometry_of(responses_of(x))
    # Where a unit peaks: places that go with the units, whatever order they are in.
    places = np.column_stack([x.argmax(axis=0), x.argmin(axis=0)]) / len(x)
    return Responses(tuple(stimulus_ids(len(x))), np.asarray(x, np.float64), places)


def brain(card: ScorerCard, y: np.ndarray, *, seed: int = 0) -> Brain:
    if not card.trials:
        return Brain(("subject",), (side(card, y),))
    noise = 3.0 * np.random.default_rng(seed).normal(size=(len(y), 4, y.shape[1]))
    trials = y[:, None] + noise * y.std()
    return Brain(("subject",), (Trials(tuple(stimulus_ids(len(y))), trials),))


def arguments(card: ScorerCard, stimuli: int) -> dict[str, Any]:
    """The categories, for the scorers that take them."""
    function = registry.find_entry("scorer", card.name).load()
    if "categories" not in inspect.signature(function).parameters:
        return {}
    labels = [f"category-{position % 3}" for position in range(stimuli)]
    return {"categories": dict(zip(stimulus_ids(stimuli), labels, strict=True))}


def similarity(name: str, x: np.ndarray, y: np.ndarray) -> float:
    card = registry.scorer_card(name)
    scored = load_scorer(name)(side(card, x), brain(card, y), **arguments(card, len(x)))
    return float(scored.item())


def predictions(name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The held-out predictions of every other stimulus."""
    card = registry.scorer_card(name)
    odd = np.arange(len(x)) % 2 == 1
    split = Split(np.flatnonzero(~odd), np.flatnonzero(odd))
    model = (
        side(card, x)
        if card.layers == "each"
        else {"a": side(card, x), "b": side(card, x[:, ::-1] ** 2)}
    )
    extra = arguments(card, len(x))
    fitted = load_scorer(name)(model, responses_of(y, dim="neuroid"), [split], **extra)
    prediction: np.ndarray = fitted[0].prediction
    return prediction
