"""Laws that hold over the whole registry: every claim of a card holds, and fails where not made."""

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import xarray as xr
from scipy.stats import ortho_group
from tests.synthetic import recorded_trials, recording, responses

from isocortex import registry
from isocortex.benchmarks import Benchmark
from isocortex.cards import Invariance
from isocortex.evaluation import evaluate
from isocortex.responses import Responses

STIMULI, UNITS = 60, 40
SCORERS = [entry.name for entry in registry.entries("scorer")]


def shifted(x: xr.DataArray, dim: str) -> xr.DataArray:
    """One number for each `dim` added, the same for all of the other."""
    numbers = np.random.default_rng(1).normal(5, 3, x.sizes[dim])
    return x + xr.DataArray(numbers, dims=dim)


def mixing() -> np.ndarray:
    return np.random.default_rng(4).normal(size=(UNITS, UNITS))


TRANSFORMATIONS: dict[str, Callable[[xr.DataArray], xr.DataArray]] = {
    "stimulus order": lambda x: x.isel(stimulus=np.random.default_rng(2).permutation(STIMULI)),
    "unit order": lambda x: x.isel(unit=np.random.default_rng(2).permutation(UNITS)),
    "rotation": lambda x: x.copy(data=x.values @ ortho_group.rvs(UNITS, random_state=3)),
    "isotropic scale": lambda x: x * 7.0,
    "invertible linear": lambda x: x.copy(data=x.values @ (np.eye(UNITS) + 0.3 * mixing())),
    "translation": lambda x: shifted(x, "unit"),
    "unit translation": lambda x: shifted(x, "stimulus"),
}


def layer() -> xr.DataArray:
    """Responses with a mean and unequal variances, so that no law holds by accident."""
    x = responses(STIMULI, UNITS, seed=1)
    return placed(x * np.linspace(0.2, 3, UNITS) + 2)


def placed(x: xr.DataArray) -> xr.DataArray:
    """The units as a map of 5 × 8."""
    row, column = np.divmod(np.arange(UNITS), 8)
    return x.assign_coords(row=("unit", row / 5), column=("unit", column / 8))


def benchmark(scorer: str, order: np.ndarray) -> Benchmark:
    """The scorer on trials that follow the layer, recorded with the stimuli in `order`."""
    signal = layer().values[:, :12]
    region = recorded_trials((signal - signal.mean(0)) / signal.std(0), noise=0.8)
    entry = registry.find_entry("scorer", scorer)
    neuroids = region.sizes["neuroid"]
    region = region.assign_coords(
        x=("neuroid", np.arange(neuroids) % 4), y=("neuroid", np.arange(neuroids) // 4)
    )
    categories = [f"category-{position % 3}" for position in order]
    measured = recording(region.isel(stimulus=order), category=categories)
    card = registry.scorer_card(scorer)
    if card.splits["kind"] == "halves":  # one will do for a law
        card = replace(card, splits={**card.splits, "scored": STIMULI})
    return Benchmark(measured, "IT", card, entry.load(), code_hash="", resamples=2)


def raw(scorer: str, x: xr.DataArray) -> float:
    """The raw score, with the brain in the same order of stimuli as the layer."""
    order = np.array([int(name[-3:]) for name in x.stimulus.values])
    return evaluate(benchmark(scorer, order), {"layer": units(x)}).raw


def units(x: xr.DataArray) -> Responses:
    places = np.column_stack([x.row, x.column]) if "row" in x.coords else None
    return Responses(tuple(x.stimulus.values), x.values, places)


def test_the_transformations_are_the_vocabulary_of_the_cards():
    assert set(TRANSFORMATIONS) == set(get_args(Invariance))


@pytest.mark.parametrize("claim", TRANSFORMATIONS)
@pytest.mark.parametrize("scorer", SCORERS)
def test_a_scorer_is_invariant_to_what_it_claims_and_to_nothing_else(scorer, claim):
    before, after = raw(scorer, layer()), raw(scorer, TRANSFORMATIONS[claim](layer()))
    if claim in registry.scorer_card(scorer).invariant_to:
        assert after == pytest.approx(before, abs=1e-9)
    else:
        assert abs(after - before) > 1e-6


@pytest.mark.parametrize("scorer", SCORERS)
def test_scores_stay_within_the_range_of_the_card(scorer):
    low, high = registry.scorer_card(scorer).range
    for seed in range(3):
        assert low <= raw(scorer, placed(responses(STIMULI, UNITS, seed=seed))) <= high
