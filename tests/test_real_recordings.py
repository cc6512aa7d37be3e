"""What real networks and real recordings say: sanity that no made-up data can give."""

import numpy as np
import pytest

import isocortex
from isocortex.benchmarks import load_benchmark
from isocortex.ceilings import subject_ceiling
from isocortex.evaluation import evaluate
from isocortex.geometry import Brain, Dissimilarities
from isocortex.recordings import brain_of
from isocortex.runs import geometries

pytestmark = pytest.mark.mirror


def mean_brain(region) -> Dissimilarities:
    ids = tuple(str(name) for name in region.stimulus.values)
    return Dissimilarities(ids, region.mean("subject").values)


@pytest.mark.parametrize(
    ("dataset", "region", "lower", "upper"),
    [
        ("cichy2014", "EVC", 0.2389, 0.3856),
        ("cichy2014", "IT", 0.4486, 0.5346),
        ("kriegeskorte2008", "human-IT", 0.379, 0.661),
    ],
)
def test_ceilings_are_those_of_an_independent_computation(dataset, region, lower, upper):
    """The figures that were computed from the files before this code was written."""
    brain = brain_of(isocortex.load_dataset(dataset).region(region))
    ceiling = subject_ceiling(isocortex.load_scorer("rsa"), brain)
    digits = 5e-4 if dataset == "kriegeskorte2008" else 5e-5
    assert ceiling.lower == pytest.approx(lower, abs=digits)
    assert ceiling.upper == pytest.approx(upper, abs=digits)


@pytest.mark.parametrize("name", ["cichy2014/IT/rsa", "kriegeskorte2008/human-IT/rsa"])
def test_a_brain_scored_against_itself_reaches_its_ceiling(name):
    benchmark = load_benchmark(name)
    itself = mean_brain(benchmark.recording.region(benchmark.region))
    assert evaluate(benchmark, {"itself": itself}).value == pytest.approx(1, abs=1e-12)


def test_one_monkeys_trials_scored_against_the_rest_reach_the_ceiling():
    """Half of the trials as a model of all of them: between the two ends of the ceiling."""
    from isocortex.ceilings import repeat_halves
    from isocortex.geometry import geometry_of

    benchmark = load_benchmark("cowley2023/V4/ridge")
    region = benchmark.recording.region("V4")
    half = geometry_of(repeat_halves(region, seed=3)[0][0].mean("repeat"))
    score = evaluate(benchmark, {"half of the trials": half})
    assert score.ceiling.lower < score.raw
    assert score.value > 0.9


@pytest.mark.parametrize(
    ("model", "human", "monkey"),
    [
        ("mobilenet_v1/imagenet", 0.314, 0.417),
        ("mobilenet_v1/faces", 0.224, 0.372),
        ("pixels", 0.107, 0.145),
    ],
)
def test_last_stages_score_as_in_an_independent_run(model, human, monkey):
    """To .03: the other run had another resizing and read out the last stage elsewhere."""
    recording = isocortex.load_dataset("kriegeskorte2008")
    layers = geometries(isocortex.load_candidate(model), recording.stimuli)
    last = [name for name in layers if name.startswith(("stage3", "pixels"))][-1]
    for region, expected in (("human-IT", human), ("monkey-IT", monkey)):
        brain = Brain(("mean",), (mean_brain(recording.region(region)),))
        actual = isocortex.load_scorer("rsa")(layers[last], brain).item()
        assert actual == pytest.approx(expected, abs=0.03), region


def test_learning_to_name_objects_makes_a_network_more_like_it(empty_home):
    """ImageNet against the same network untrained, on the same resamples: above zero in IT."""
    with isocortex.open_store() as store:
        for name in ("cichy2014/IT/rsa", "kriegeskorte2008/monkey-IT/rsa"):
            for model in ("mobilenet_v1/imagenet", "mobilenet_v1/untrained#0"):
                isocortex.score(model, name, store=store)
            found = store.paired_difference(
                "mobilenet_v1/imagenet", "mobilenet_v1/untrained#0", name
            )
            assert 0 < found.low < found.difference < found.high, name


def test_brain_scores_ridge_is_reproduced_with_scikit_learn(empty_home):
    """Ten draws of 90 %, Ridge(alpha=1), the median over neuroids, the mean over draws."""
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import ShuffleSplit

    recording = isocortex.load_dataset("cowley2023")
    chosen = isocortex.load_candidate("pixels")
    x = isocortex.extract_responses(chosen, recording.stimuli)["pixels"].values.astype(float)
    y = recording.region("V4").mean("repeat", skipna=True).values
    medians = []
    for train, test in ShuffleSplit(10, train_size=0.9, random_state=1).split(x):
        predicted = Ridge(alpha=1.0).fit(x[train], y[train]).predict(x[test])
        r = [np.corrcoef(predicted[:, v], y[test, v])[0, 1] for v in range(y.shape[1])]
        medians.append(np.median(r))
    score = isocortex.score("pixels", "cowley2023/V4/brain-score-ridge")
    assert score.raw == pytest.approx(np.mean(medians), abs=1e-9)
    assert score.value == pytest.approx(np.mean(medians) ** 2 / score.ceiling.upper, abs=1e-9)
