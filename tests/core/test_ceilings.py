"""Ceilings against their definitions, written out plainly."""

import numpy as np
import pytest
from tests.core.test_evaluation import benchmark, noisy_rdms, signal
from tests.synthetic import recorded_trials, recording

from isocortex.benchmarks import load_scorer
from isocortex.ceilings import (
    half_ceiling,
    half_correlations,
    mean_ceiling,
    repeat_halves,
    subject_ceiling,
)
from isocortex.recordings import brain_of
from isocortex.scores import Ceiling, normalise


def test_the_two_ends_are_with_and_without_oneself():
    region = noisy_rdms(5)
    upper, lower = [], []
    pairs = np.triu_indices(region.sizes["stimulus"], 1)
    rdms = region.values[:, *pairs]
    for subject in range(5):
        others = np.delete(rdms, subject, axis=0).mean(axis=0)
        upper.append(np.corrcoef(rdms[subject], rdms.mean(axis=0))[0, 1])
        lower.append(np.corrcoef(rdms[subject], others)[0, 1])
    ceiling = subject_ceiling(load_scorer("rsa-pearson"), brain_of(region))
    assert ceiling.lower == pytest.approx(np.mean(lower), abs=1e-12)
    assert ceiling.upper == pytest.approx(np.mean(upper), abs=1e-12)


def test_one_subject_has_no_ceiling():
    assert subject_ceiling(load_scorer("rsa"), brain_of(noisy_rdms(1))) is None
    assert mean_ceiling([None, None]) is None


def test_halves_share_no_trial_and_leave_none_out():
    region = recorded_trials(signal(), noise=1.0, repeats=7)
    region.values[5, 4:] = np.nan
    for first, second in repeat_halves(region, seed=0):
        assert not (np.isfinite(first) & np.isfinite(second)).any()
        np.testing.assert_array_equal(first.fillna(second), region)
        assert (np.isfinite(first).sum("repeat") == 4).sum() == (60 - 1) * 12
        assert (np.isfinite(first[5]).sum("repeat") == 2).all()


def test_halves_that_are_read_as_trials_hold_two_of_each_stimulus():
    region = recorded_trials(signal(), noise=1.0, repeats=4)
    assert repeat_halves(region, seed=0, trials=2) is not None
    region.values[0, 3] = np.nan
    assert repeat_halves(region, seed=0, trials=2) is None
    assert repeat_halves(region, seed=0) is not None


@pytest.mark.parametrize("scorer", ["rsa", "permutation", "rsa-crossvalidated"])
def test_a_neuroid_that_is_silent_in_half_of_its_trials_allows_a_ceiling(scorer):
    region = recorded_trials(signal(), noise=1.0, repeats=4)
    region.values[:, :, 0] = 0
    region.values[7, 2, 0] = 3.0  # one spike count in one trial: one half of them holds none
    ceiling = benchmark(recording(region), scorer).ceiling
    assert 0 < ceiling.lower < ceiling.upper < 1


def test_a_single_trial_allows_no_ceiling():
    region = recorded_trials(signal(), noise=1.0, repeats=3)
    region.values[0, 1:] = np.nan
    assert half_correlations(region, seed=0) is None
    assert half_ceiling(None) is None


def test_the_reliability_is_the_share_of_signal_in_the_mean():
    """Signal of variance 1, noise 4 over 8 trials: 1 / (1 + 4/8) = 2/3, and its root as ceiling."""
    region = recorded_trials(signal(neuroids=400), noise=2.0)
    agreement = half_correlations(region, seed=0)
    assert half_ceiling(agreement, squared=True).upper == pytest.approx(2 / 3, abs=0.03)
    assert half_ceiling(agreement).upper == pytest.approx(np.sqrt(2 / 3), abs=0.02)


def test_a_value_keeps_its_sign():
    ceiling = Ceiling(0.5, 0.8)
    assert normalise(-0.4, ceiling, "ratio") == pytest.approx(-0.4 / 0.8)
    assert normalise(-0.5, ceiling, "signed-square-ratio") == pytest.approx(-(0.5**2) / 0.8)
    assert normalise(0.4, None, "ratio") is None
    assert normalise(0.4, Ceiling(0.0, 0.0), "ratio") is None
