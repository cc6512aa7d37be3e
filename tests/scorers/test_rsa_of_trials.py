"""RSA whose brain side comes from single trials, or from the order of units."""

from dataclasses import replace

import numpy as np
import pytest
import rsatoolbox
from isocortex.scorers.rsa import rsa
from isocortex.scorers.rsa_of_trials import rsa_of_trials
from isocortex.scorers.rsa_of_units import rsa_of_units
from scipy.stats import spearmanr
from tests.scorers.test_trials import dataset, precision, some_missing, trials, values
from tests.synthetic import layer, recorded_trials, recording, responses

from isocortex import registry
from isocortex.benchmarks import Benchmark, load_scorer
from isocortex.errors import IncompatibleError, InputError, UnknownNameError
from isocortex.evaluation import evaluate
from isocortex.geometry import Brain, Dissimilarities, Side, geometry_of
from isocortex.responses import Responses
from isocortex.statistics import bootstrap_counts

ENTRIES = ["rsa-crossnobis", "rsa-crossvalidated", "rsa-mahalanobis", "rsa-decoding"]
N = 10


def brain(*sides: Side) -> Brain:
    return Brain(tuple(f"subject {each}" for each in range(len(sides))), sides)


def recorded(entry: str) -> Dissimilarities:
    """The brain's dissimilarities by rsatoolbox, those of decoding at random."""
    x, ids = values(), layer(N).ids
    noise = precision(x, "none" if entry == "rsa-crossvalidated" else "shrinkage_diag")
    method = "mahalanobis" if entry == "rsa-mahalanobis" else "crossnobis"
    theirs = rsatoolbox.rdm.calc_rdm(dataset(x), method, "stimulus", noise, "repeat")
    return Dissimilarities(ids, theirs.get_matrices()[0])


@pytest.mark.parametrize(
    ("entry", "theirs"),
    [
        ("rsa-crossnobis", "cosine_cov"),
        ("rsa-crossvalidated", "cosine_cov"),
        ("rsa-mahalanobis", "corr_cov"),
    ],
)
def test_scores_equal_rsatoolboxs(entry, theirs):
    model = layer(N)
    squared = rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(responses(N).values), "euclidean")
    measured = rsatoolbox.rdm.RDMs(recorded(entry).matrix[None])
    expected = rsatoolbox.rdm.compare(squared, measured, theirs).item()
    actual = load_scorer(entry)(model, brain(trials(values())))
    assert actual.item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("entry", ENTRIES)
def test_recorded_dissimilarities_are_referred_to_another_scorer(entry):
    with pytest.raises(IncompatibleError, match="rsa-whitened-cosine compares recorded ones"):
        load_scorer(entry)(layer(N), brain(recorded("rsa-crossnobis")))


@pytest.mark.parametrize("entry", ENTRIES)
def test_counts_of_one_are_no_resample_and_subjects_stay_apart(entry):
    sides = brain(trials(values(seed=1)), trials(some_missing(values(seed=2))))
    scored = load_scorer(entry)
    resampled = scored(layer(N), sides, counts=np.ones((2, N)))
    np.testing.assert_allclose(resampled[1], scored(layer(N), sides), atol=1e-12)
    apart = [scored(layer(N), brain(side)).item() for side in sides.sides]
    np.testing.assert_allclose(resampled[0], apart, atol=1e-12)


def test_trials_are_needed():
    with pytest.raises(IncompatibleError, match="needs single trials; got a Geometry"):
        rsa_of_trials(layer(N), brain(layer(N)))
    with pytest.raises(InputError, match="has 1 trials of neuroid number 0, expected 2 or more"):
        rsa_of_trials(layer(N), brain(trials(values(repeats=1))))
    with pytest.raises(UnknownNameError, match="did you mean crossnobis"):
        rsa_of_trials(layer(N), brain(trials(values())), dissimilarity="crossnobi")


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_benchmark_prefers_the_model_whose_signal_was_recorded(entry):
    x = responses(24, 12, seed=3)
    region = recorded_trials(x.values, noise=1.0)
    card = replace(registry.scorer_card(entry), splits={"kind": "halves", "scored": 24, "seed": 0})
    function = registry.find_entry("scorer", entry).load()
    benchmark = Benchmark(recording(region), "IT", card, function, "", resamples=20)
    same, other = (
        evaluate(benchmark, {"layer": geometry_of(each)}) for each in (x, responses(24, 12))
    )
    assert same.raw > other.raw + 0.3
    assert same.low < same.raw < same.high
    assert same.ceiling is not None
    assert same.ceiling.lower <= same.ceiling.upper <= 1


def spearman_dissimilarities(x: np.ndarray) -> Dissimilarities:
    matrix = 1 - spearmanr(x, axis=1).statistic
    return Dissimilarities(layer(N).ids, (matrix + matrix.T) / 2 * (1 - np.eye(len(x))))


@pytest.mark.parametrize("ties", [False, True])
def test_dissimilarities_of_units_are_scipys_spearman(ties):
    x, y = (responses(N, 30, seed=each).values for each in (1, 2))
    if ties:
        x, y = x.round(0), y.round(0)
    model, side = (Responses(layer(N).ids, each) for each in (x, y))
    counts = bootstrap_counts(N, 4, seed=0)
    expected = rsa(spearman_dissimilarities(x), brain(spearman_dissimilarities(y)), counts=counts)
    np.testing.assert_allclose(rsa_of_units(model, brain(side), counts=counts), expected, atol=1e-9)


def test_monotonic_functions_of_a_stimulus_do_not_change_the_order_of_units():
    x, y = (responses(N, 30, seed=each).values for each in (1, 2))
    side = brain(Responses(layer(N).ids, y))
    bent = np.exp(x * np.linspace(0.5, 2, N)[:, None])
    one, other = (rsa_of_units(Responses(layer(N).ids, each), side).item() for each in (x, bent))
    assert one == pytest.approx(other, abs=1e-12)


def test_units_are_needed_and_more_than_one():
    side = brain(Responses(layer(N).ids, responses(N).values))
    with pytest.raises(IncompatibleError, match="ranks need the responses of units; got a Geom"):
        rsa_of_units(layer(N), side)
    with pytest.raises(InputError, match="all 1 units answer alike"):
        rsa_of_units(Responses(layer(N).ids, responses(N, 1).values), side)
    recorded_as_they_are = brain(spearman_dissimilarities(responses(N).values))
    model = Responses(layer(N).ids, responses(N, seed=4).values)
    expected = rsa_of_units(model, side).item()
    assert rsa_of_units(model, recorded_as_they_are).item() == pytest.approx(expected, abs=1e-9)
