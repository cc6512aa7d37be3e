"""Made-up observers: what makes them choose is known, and so is what a scorer should say."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from isocortex.datasets.simulated_choices import spectral_energies

from isocortex.benchmarks import load_benchmark, offered_benchmarks
from isocortex.evaluation import evaluate
from isocortex.recordings import Recording, brain_of
from isocortex.registry import dataset_card, find_entry
from isocortex.responses import Choices, Responses
from isocortex.scores import Score

SCORERS = ["error-consistency", "confusion-similarity", "i2n"]


def simulate(**options: float) -> Recording:
    card = dataset_card("simulated_choices")
    changed = replace(card, options={**card.options, **options})
    recording: Recording = find_entry("dataset", "simulated_choices").load()(changed)
    return recording


@cache
def simulated() -> Recording:
    return simulate()


@cache
def identical() -> Recording:
    """Observers with the same evidence, who differ in their noise only."""
    return simulate(own=0.0)


def scored(scorer: str, layers: Mapping[str, object], recording: Recording) -> Score:
    bench = load_benchmark(f"simulated_choices/behaviour/{scorer}", recording=recording)
    return evaluate(replace(bench, resamples=50), layers)


def pooled(recording: Recording) -> Choices:
    """The mean of all observers."""
    brain = brain_of(recording.region("behaviour"))
    return replace(brain.sides[0], shares=np.mean([side.shares for side in brain.sides], axis=0))


def layers() -> dict[str, Responses]:
    ids = simulated().stimuli.ids
    true = spectral_energies(np.stack(simulated().stimuli.sources).mean(axis=-1))
    generator = np.random.default_rng(0)
    values = {
        "true": true,
        "half true": true + generator.normal(size=true.shape),
        "noise": generator.normal(size=(len(ids), 50)),
    }
    return {name: Responses(ids, each) for name, each in values.items()}


def test_it_says_that_it_is_no_observer():
    card = dataset_card("simulated_choices")
    assert card.summary.startswith("simulated, not an observer")
    assert not card.files
    offered = {f"simulated_choices/behaviour/{scorer}" for scorer in SCORERS}
    assert offered <= set(offered_benchmarks(simulated=True))
    assert not offered & set(offered_benchmarks(simulated=False))


def test_same_seed_gives_the_same_recording_and_another_seed_another():
    first, again, other = (simulate(seed=seed, pictures=16) for seed in (0, 0, 1))
    assert first.content_hash == again.content_hash != other.content_hash


def test_observers_are_better_than_chance_and_worse_than_sure():
    region = simulated().region("behaviour")
    truth = [list(region.choice.values).index(c) for c in simulated().stimuli.metadata["category"]]
    right = region.values[:, np.arange(len(truth)), truth].mean(axis=1)
    assert (right > 2 / 8).all()
    assert (right < 0.8).all()


def test_energies_of_a_picture_do_not_change_where_it_moves():
    pictures = np.random.default_rng(0).normal(size=(9, 96, 96))
    moved = np.roll(pictures, (7, 11), axis=(1, 2))
    np.testing.assert_allclose(spectral_energies(moved), spectral_energies(pictures), atol=1e-9)


@pytest.mark.parametrize("scorer", SCORERS)
def test_the_features_that_made_the_choices_are_recovered_and_noise_is_not(scorer):
    found = scored(scorer, layers(), simulated())
    assert found.layer == "true"
    assert found.low > 0
    true, half, noise = found.detail.layer_score.values
    assert true > half + 0.1 > noise + 0.2
    assert abs(noise) < 0.05


@pytest.mark.parametrize("scorer", SCORERS)
def test_the_mean_observer_reaches_the_ceiling(scorer):
    found = scored(scorer, {"mean": pooled(simulated())}, simulated())
    assert found.value == pytest.approx(1, abs=1e-12)
    assert found.ceiling.lower < found.ceiling.upper


@pytest.mark.parametrize("scorer", SCORERS)
def test_the_probabilities_behind_the_choices_reach_the_ceiling(scorer):
    """The mean of others estimates them; 100 choices of each picture leave κ an error of .005."""
    behind = pooled(simulate(own=0.0, trials=500))
    found = scored(scorer, {"probabilities": behind}, identical())
    assert found.ceiling.lower - 0.02 < found.raw < found.ceiling.upper + 0.02
    assert found.value == pytest.approx(1, abs=0.06)


def test_observers_without_noise_are_one_observer():
    region = simulate(own=0.0, noise=0.0, trials=2, pictures=16).region("behaviour")
    assert set(np.unique(region)) == {0.0, 1.0}
    np.testing.assert_array_equal(region[0], region[4])
