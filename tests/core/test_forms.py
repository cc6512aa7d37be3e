"""A scorer gets what its card says it reads: geometries, units, trials, choices, all layers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from tests.synthetic import recorded_trials, recording, responses, stimulus_ids

from isocortex import registry
from isocortex.benchmarks import Benchmark
from isocortex.cards import ScorerCard
from isocortex.encoding import HeldOut
from isocortex.errors import IncompatibleError, InputError
from isocortex.evaluation import ALL_LAYERS, evaluate
from isocortex.geometry import Brain, Geometry, Side, geometry_of
from isocortex.recordings import Recording, brain_of
from isocortex.responses import Responses, Trials

STIMULI = 24


def card(name: str = "rsa", **facts: Any) -> ScorerCard:
    return ScorerCard(**{**vars(registry.scorer_card(name)), "options": {}, **facts})


def measured(**metadata: list[str]) -> Recording:
    signal = responses(STIMULI, 6, seed=3).values
    return recording(recorded_trials(signal, noise=0.5), **metadata)


def layers(count: int = 2) -> dict[str, Responses]:
    x = [responses(STIMULI, 30, seed=each) for each in range(count)]
    return {
        f"layer-{n}": Responses(tuple(stimulus_ids(STIMULI)), y.values) for n, y in enumerate(x)
    }


def seen_by(facts: dict[str, Any]) -> tuple[set[type[Side]], set[type[Side]]]:
    """The types of model and brain that a scorer with such a card is given."""
    models: set[type[Side]] = set()
    brains: set[type[Side]] = set()

    def scorer(model: Side, brain: Brain) -> xr.DataArray:
        models.add(type(model))
        brains.add(type(brain.sides[0]))
        return xr.DataArray([0.5], dims="subject", coords={"subject": list(brain.subjects)})

    evaluate(Benchmark(measured(), "IT", card(**facts), scorer, "", resamples=3), layers())
    return models, brains


def test_a_scorer_is_given_what_its_card_says_it_reads():
    assert seen_by({}) == ({Geometry}, {Geometry})
    assert seen_by({"reads": "units"}) == ({Responses}, {Responses})
    assert seen_by({"trials": True}) == ({Geometry}, {Trials})
    assert seen_by({"trials": True, "reads": "units"}) == ({Responses}, {Trials})


def test_units_cannot_be_had_of_a_geometry():
    benchmark = Benchmark(measured(), "IT", card(reads="units"), lambda: None, "")
    with pytest.raises(IncompatibleError, match="rsa needs the responses of units; got a Geometry"):
        evaluate(benchmark, {"layer": geometry_of(layers()["layer-0"])})


def test_categories_are_given_to_a_scorer_that_takes_them():
    given = {}

    def scorer(model: Side, brain: Brain, *, categories: dict[str, str]) -> xr.DataArray:
        given.update(categories)
        return xr.DataArray([0.5], dims="subject", coords={"subject": list(brain.subjects)})

    def benchmark(recorded: Recording) -> Benchmark:
        return Benchmark(recorded, "IT", card(), scorer, "", resamples=3)

    labels = ["face" if each % 2 else "house" for each in range(STIMULI)]
    evaluate(benchmark(measured(category=labels)), layers())
    assert given == dict(zip(stimulus_ids(STIMULI), labels, strict=True))
    with pytest.raises(IncompatibleError, match="needs the category of each stimulus; blank has"):
        evaluate(benchmark(measured()), layers())


def test_layers_that_are_fitted_together_make_one_score_with_a_share_of_each():
    def scorer(model: dict[str, Geometry], brain: xr.DataArray, splits: list) -> list[HeldOut]:
        shares = np.outer(range(1, 1 + len(model)), np.ones(brain.sizes["neuroid"]))
        return [HeldOut(s, brain.values[s.test], np.ones(6), shares) for s in splits]

    facts = {
        "layers": "together",
        "family": "encoding",
        "splits": {"kind": "k-fold", "folds": 3, "seed": 0},
    }
    score = evaluate(Benchmark(measured(), "IT", card(**facts), scorer, ""), layers())
    assert score.layer == ALL_LAYERS
    assert score.raw == pytest.approx(1)
    assert score.detail.layer_score.layer == [ALL_LAYERS]
    np.testing.assert_array_equal(score.detail.layer_share.sel(part="layer-1"), np.full(6, 2))


def choices(shares: np.ndarray) -> xr.DataArray:
    coords = {"subject": ["s"], "stimulus": stimulus_ids(len(shares)), "choice": ["a", "b"]}
    dims = ("subject", "stimulus", "choice")
    return xr.DataArray(shares[None], dims=dims, coords=coords, attrs={"units": "share of trials"})


def test_choices_are_shares_that_sum_to_one():
    side = brain_of(recording(choices(np.tile([0.25, 0.75], (9, 1)))).regions["IT"]).sides[0]
    assert side.choices == ("a", "b")
    assert side.select(np.array([8, 0])).ids == ("stimulus-008", "stimulus-000")
    faults: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "must sum to 1": lambda shares: shares / 2,
        "not negative": lambda shares: shares * [-1, 5 / 3],
    }
    for message, fault in faults.items():
        with pytest.raises(InputError, match=message):
            recording(choices(fault(np.tile([0.25, 0.75], (9, 1)))))


def test_places_of_neuroids_are_read_where_they_were_recorded():
    region = recorded_trials(responses(9, 4).values, noise=1.0)
    assert brain_of(region, "units").sides[0].places is None
    region = region.assign_coords(x=("neuroid", range(4)), y=("neuroid", [0, 0, 1, 1]))
    np.testing.assert_array_equal(
        brain_of(region, "units").sides[0].places, [[0, 0], [1, 0], [2, 1], [3, 1]]
    )
