"""Differences of two candidates: paired, corrected by themselves, and held at once."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from tests.made_up_scores import benchmark_facts, candidate_facts, made_up_score, record_score

from isocortex.store import Store
from isocortex.variation import Variation

DRAW = np.random.default_rng(0)
FACES = [benchmark_facts(f"faces/{region}/rsa") for region in ("IT", "V1", "V4")]


def record_difference(store: Store, benchmark, difference: float, departures: np.ndarray) -> None:
    """Two candidates of which the difference scatters so, and nothing else does."""
    still = np.full(len(departures), 0.3)
    record_score(store, candidate_facts("a"), benchmark, 0.3 + difference, draws=still + departures)
    record_score(store, candidate_facts("b"), benchmark, 0.3, draws=still)


def record_variation(
    store: Store, name: str, benchmark, varied: Variation, raw: float = 0.3
) -> None:
    """A score that varies so, and whose own resamples do not."""
    facts = candidate_facts(name)
    score = made_up_score(facts, benchmark, raw, draws=np.full(len(varied.both), raw))
    score = replace(score, detail=score.detail.assign(varied.as_variables()))
    with store.record(facts, benchmark, seed=0) as run:
        run.keep(score)


def test_intervals_at_once_reach_as_far_as_the_greatest_departure(store: Store) -> None:
    departures = DRAW.normal(size=(3, 400)) * [[0.01], [0.02], [0.3]]
    departures -= departures.mean(axis=1, keepdims=True)
    for benchmark, each in zip(FACES, departures, strict=True):
        record_difference(store, benchmark, 0.05, each)
    errors = departures.std(axis=1)
    # All are one dataset, whose regions share the draws; the order of draws changes no maximum.
    greatest = np.abs(departures / errors[:, None]).max(axis=0)
    reach = np.quantile(greatest, 0.95)
    found = store.paired_differences("a", "b", [each.name for each in FACES])
    assert reach > 1.96
    for each, error in zip(found, errors, strict=True):
        assert each.joint_low == pytest.approx(0.05 - reach * error)
        assert each.joint_high == pytest.approx(0.05 + reach * error)
        assert each.p == ((greatest >= 0.05 / error).sum() + 1) / (400 + 1)


def test_one_benchmark_has_no_others_to_allow_for(store: Store) -> None:
    departures = DRAW.normal(size=400)
    record_difference(store, FACES[0], 0.05, departures - departures.mean())
    found = store.paired_difference("a", "b", FACES[0].name)
    assert found.joint_high - found.joint_low == pytest.approx(found.high - found.low, rel=0.1)


def test_the_less_is_known_of_an_error_the_further_a_joint_interval_reaches(store: Store) -> None:
    """As far as Student's t: for 3 benchmarks of 10 stimuli further than for one of them."""
    draws = DRAW.normal(size=(3, 2, 2000))
    for benchmark, pair in zip(FACES, draws, strict=True):
        for name, each in zip("ab", pair, strict=True):
            record_variation(store, name, benchmark, Variation(each, each, None, None, (10, 1), 10))
    found = store.paired_differences("a", "b", [each.name for each in FACES])
    departures = draws[:, 0] - draws[:, 1]
    errors = departures.std(axis=1) * (10 / 9) ** 0.5
    centred = departures - departures.mean(axis=1, keepdims=True)
    greatest = np.abs(centred / departures.std(axis=1)[:, None]).max(axis=0)
    reach = stats.t.isf(stats.norm.sf(np.quantile(greatest, 0.95)), 9)
    for each, error in zip(found, errors, strict=True):
        assert each.joint_high == pytest.approx(each.difference + reach * error)
        at_reach = stats.t.sf(abs(each.difference) / error, 9)
        assert each.p == pytest.approx((greatest >= stats.norm.isf(at_reach)).mean(), abs=0.001)


def test_equal_draws_of_two_datasets_are_not_taken_for_one(store: Store) -> None:
    """Were they, their greatest departure would be that of one."""
    departures = DRAW.normal(size=2000)
    alike = [FACES[0], benchmark_facts("voices/A1/rsa")]
    for benchmark in alike:
        record_difference(store, benchmark, 0.0, departures - departures.mean())
    two = store.paired_differences("a", "b", [each.name for each in alike])
    one = store.paired_difference("a", "b", FACES[0].name)
    assert two[0].joint_high > 1.05 * one.joint_high


def test_candidates_that_score_alike_differ_by_nothing(store: Store) -> None:
    record_difference(store, FACES[0], 0.0, np.zeros(50))
    found = store.paired_difference("a", "b", FACES[0].name)
    assert (found.difference, found.low, found.high) == (0, 0, 0)
    assert (found.joint_low, found.joint_high, found.p) == (None, None, None)


def test_a_difference_is_corrected_by_itself(store: Store) -> None:
    """The parts that were kept decide: here the draws that are scaled to each score do not vary."""
    both, stimuli, columns = DRAW.normal(size=(3, 2, 300))
    varied = [
        Variation(both[k], stimuli[k] * 0.5, columns[k] * 0.5, None, (20, 6), 20) for k in (0, 1)
    ]
    for name, raw, each in zip("ab", (0.5, 0.3), varied, strict=True):
        record_variation(store, name, FACES[0], each, raw)
    found = store.paired_difference("a", "b", FACES[0].name)
    expected = (varied[0] - varied[1]).interval(0.5 - 0.3, confidence=0.95)
    assert (found.low, found.high) == pytest.approx(expected)
