from dataclasses import replace

import numpy as np
import pytest
from isocortex.datasets.simulated import _gabor_energies, _it_signals, _v1_signals

from isocortex.registry import dataset_card, find_entry


def simulate(**options):
    card = dataset_card("simulated")
    return find_entry("dataset", "simulated").load()(
        replace(card, options={**card.options, **options})
    )


def test_it_says_that_it_is_no_brain():
    card = dataset_card("simulated")
    assert card.simulated
    assert card.summary.startswith("simulated, not a brain")
    assert not card.files


def test_same_seed_gives_the_same_recording_and_another_seed_another(load):
    assert simulate(seed=0).content_hash == load("simulated").content_hash
    assert simulate(seed=1).content_hash != load("simulated").content_hash


@pytest.mark.parametrize("region", ["V1", "IT"])
def test_reliability_is_the_one_that_the_noise_implies(load, region):
    trials = load("simulated").region(region).values
    odd, even = trials[:, ::2].mean(axis=1), trials[:, 1::2].mean(axis=1)
    r = [np.corrcoef(odd[:, i], even[:, i])[0, 1] for i in range(trials.shape[2])]
    assert np.mean(r) == pytest.approx(1 / (1 + 1.0**2 / 4), abs=0.02)


def test_without_noise_all_trials_are_equal_and_standardised():
    trials = simulate(noise=0.0).region("IT").values
    np.testing.assert_array_equal(trials[:, 0], trials[:, 7])
    np.testing.assert_allclose(trials[:, 0].std(axis=0), 1, atol=1e-5)


def test_it_is_more_alike_within_a_category_than_v1_is(load):
    category = np.array(load("simulated").stimuli.metadata["category"])
    same = (category[:, None] == category) & ~np.eye(64, dtype=bool)
    other = category[:, None] != category

    def contrast(region):
        r = np.corrcoef(load("simulated").region(region).mean("repeat").values)
        return r[same].mean() - r[other].mean()

    assert contrast("IT") > 0.2
    assert abs(contrast("V1")) < 0.1


def test_v1_answers_to_a_place_and_it_to_the_whole_picture():
    card = dataset_card("simulated")
    pictures = np.random.default_rng(0).normal(size=(5, 32, 32))
    moved = np.roll(pictures, (7, 11), axis=(1, 2))  # round the edges, so nothing is lost

    def signals(kind, seen):
        return kind(_gabor_energies(seen), card, np.random.default_rng(0))

    np.testing.assert_allclose(signals(_it_signals, moved), signals(_it_signals, pictures))
    change = signals(_v1_signals, moved) / signals(_v1_signals, pictures)
    assert (abs(change - 1) > 0.01).mean() > 0.9
