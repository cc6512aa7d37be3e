"""A benchmark's version: equal for equal data, scorer and protocol, and for nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from tests.core.test_evaluation import benchmark, signal
from tests.synthetic import recorded_trials, recording

from isocortex.benchmarks import Benchmark, load_benchmark, offered_benchmarks, split_name
from isocortex.errors import IncompatibleError, InputError, UnknownNameError
from isocortex.splits import make_splits


def plain() -> Benchmark:
    return benchmark(recording(recorded_trials(signal(), noise=0.5)), "cka")


def changed_response() -> Benchmark:
    trials = recorded_trials(signal(), noise=0.5)
    trials[3, 2, 1] += 1e-6
    return benchmark(recording(trials), "cka")


def changed_card(**facts) -> Benchmark:
    return replace(plain(), card=replace(plain().card, **facts))


CHANGES = {
    "response": changed_response,
    "stimulus": lambda: benchmark(
        recording(recorded_trials(signal(), noise=0.5).isel(stimulus=slice(1, None))), "cka"
    ),
    "option": lambda: changed_card(options={"unbiased": False}),
    "splits": lambda: changed_card(splits={"kind": "halves", "scored": 500, "seed": 1}),
    "normalisation": lambda: changed_card(normalisation="signed-square-ratio"),
    "code": lambda: replace(plain(), code_hash="other"),
    "resamples": lambda: replace(plain(), resamples=201),
    "seed": lambda: replace(plain(), seed=1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_the_number_changes_the_version(change):
    assert CHANGES[change]().fingerprint != plain().fingerprint


def test_the_wording_of_a_card_does_not_change_the_version():
    assert changed_card(summary="said otherwise").fingerprint == plain().fingerprint


def test_a_regression_on_dissimilarities_is_refused_before_anything_is_fetched():
    with pytest.raises(IncompatibleError, match="ridge needs responses; cichy2014 holds dissim"):
        load_benchmark("cichy2014/IT/ridge")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cichy2014/IT", "no benchmark is named 'cichy2014/IT'; did you mean cichy2014/IT/rsa"),
        ("cichy2015/IT/rsa", "no dataset is named 'cichy2015'; did you mean cichy2014"),
        ("cichy2014/TI/rsa", "no region of cichy2014 is named 'TI'; did you mean IT"),
    ],
)
def test_an_unknown_part_is_named_with_a_suggestion(name, message):
    with pytest.raises(UnknownNameError, match=message):
        split_name(name)


def test_simulated_benchmarks_are_told_apart():
    simulated = set(offered_benchmarks(simulated=True))
    recorded = set(offered_benchmarks(simulated=False))
    assert simulated == {n for n in offered_benchmarks() if n.startswith("simulated")}
    assert recorded == set(offered_benchmarks()) - simulated


@pytest.mark.parametrize(
    "protocol",
    [
        {"kind": "halves", "scored": 100, "seed": 0},
        {"kind": "k-fold", "folds": 5, "seed": 0},
        {"kind": "shuffle", "count": 4, "train": 0.9, "seed": 1},
    ],
)
def test_no_stimulus_is_on_both_sides_of_a_split(protocol):
    for split in make_splits(30, protocol):
        both = np.concatenate([split.train, split.test])
        assert sorted(both) == list(range(30))


def test_halvings_score_each_stimulus_as_often_as_it_takes():
    """100 of 30 stimuli: ⌈100 / 30⌉ = 4 halvings, each of which scores every stimulus once."""
    splits = make_splits(30, {"kind": "halves", "scored": 100, "seed": 0})
    scored = np.bincount(np.concatenate([split.test for split in splits]))
    assert list(scored) == [4] * 30


def test_a_stratified_draw_keeps_the_shares_of_the_strata():
    strata = ["face"] * 20 + ["place"] * 10
    protocol = {"kind": "shuffle", "count": 3, "train": 0.9, "seed": 1}
    for split in make_splits(30, protocol, metadata={"category": strata}):
        assert sorted(strata[each] for each in split.test) == ["face", "face", "place"]


def test_too_few_stimuli_are_refused():
    with pytest.raises(InputError, match="7 stimuli are too few to hold some out; at least 8"):
        make_splits(7, {"kind": "halves", "scored": 100, "seed": 0})


def test_strata_that_cannot_be_balanced_are_refused():
    protocol = {"kind": "shuffle", "count": 3, "train": 0.9, "seed": 1}
    with pytest.raises(InputError, match="can't be drawn with all their categories on both sides"):
        make_splits(30, protocol, metadata={"category": list(range(30))})
