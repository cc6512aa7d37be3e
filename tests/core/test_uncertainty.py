"""Intervals of benchmarks: scorers that take counts and those that do not."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from tests.core.test_evaluation import benchmark, noisy_rdms, signal
from tests.synthetic import recorded_rdms, recorded_trials, recording, responses

from isocortex.evaluation import evaluate
from isocortex.geometry import Dissimilarities, geometry_of
from isocortex.responses import Responses
from isocortex.statistics import bootstrap_counts
from isocortex.variation import Variation

FEW = {"kind": "halves", "scored": 90, "seed": 0}


def pair_noise(seed: int, stimuli: int = 30) -> tuple[xr.DataArray, Dissimilarities]:
    """A recording of one subject that is all noise in pairs, and a model."""
    draw = np.random.default_rng(seed)
    noise = draw.normal(size=(stimuli, stimuli)) * (1 - np.eye(stimuli))
    recorded = recorded_rdms((5 * (1 - np.eye(stimuli)) + noise + noise.T)[None])
    matrix = 1 - np.corrcoef(draw.normal(size=(stimuli, 20)))
    return recorded, Dissimilarities(tuple(recorded.stimulus.values), matrix)


def test_noise_in_pairs_no_longer_widens_the_interval_by_the_root_of_three():
    """The bootstrap's variance is near 3 times that of 60 samples; the corrected one less than
    twice, at a standard error of √(2/60) = 18 % of the truth."""
    raws, corrected, bootstrapped = [], [], []
    for seed in range(60):
        recorded, model = pair_noise(seed)
        bench = benchmark(recording(recorded), "rsa-pearson").with_splits(**FEW)
        score = evaluate(bench, {"model": model})
        varied = Variation.from_detail(score.detail)
        raws.append(score.raw)
        corrected.append(varied.variance)
        bootstrapped.append(varied.both.var())
    truth, error = np.var(raws), np.sqrt(2 / 60)
    assert np.mean(bootstrapped) / truth > 2
    assert 1 - 2 * error < np.mean(corrected) / truth < 2


def test_a_scorer_without_counts_has_the_interval_of_one_with_them():
    """Counts taken from RSA: what is drawn is then linear, with the jackknife's variance."""
    bench = benchmark(recording(noisy_rdms(noise=1.0)), "rsa-pearson", resamples=1000)
    model = {"model": geometry_of(responses(60, 200, seed=1))}

    def similarity(model, brain, *, dissimilarity="pearson", comparison="pearson"):
        return bench.score(model, brain, dissimilarity=dissimilarity, comparison=comparison)

    whole = evaluate(bench, model)
    blind = evaluate(replace(bench, score=similarity), model)
    assert blind.raw == whole.raw
    assert blind.high - blind.low == pytest.approx(whole.high - whole.low, rel=0.25)
    drawn = np.corrcoef(blind.detail.resampled_raw, whole.detail.resampled_raw)[0, 1]
    assert drawn > 0.8  # equal draws, so that scorers of either kind are paired


def test_repeated_halves_do_not_make_an_interval_narrow():
    """All halvings hold the same stimuli: their mean varies as much as over other samples."""
    raws, errors = [], []
    for seed in range(25):
        x = responses(30, 12, seed=seed)
        y = x.values @ np.random.default_rng(seed).normal(size=(12, 10)) + signal()[:30, :10]
        measured = recording(recorded_trials(y, noise=0.5, repeats=2, seed=seed))
        bench = benchmark(measured, "procrustes", resamples=100).with_splits(**FEW)
        score = evaluate(bench, {"x": geometry_of(x)})
        raws.append(score.raw)
        errors.append(float(score.detail.resampled_raw.std()))
    assert np.mean(errors) / np.std(raws) == pytest.approx(1, abs=2.5 / np.sqrt(2 * 25))


def test_the_influence_of_a_stimulus_is_that_of_leaving_it_out():
    """Of a mean over stimuli it is (x − x̄)/n: here a scorer that is one."""
    values = np.random.default_rng(0).normal(size=60)
    measured = recording(noisy_rdms(2))
    by_id = dict(zip(measured.stimuli.ids, values, strict=True))

    def mean(model, brain, **_):
        each = np.mean([by_id[name] for name in model.ids])
        names = list(brain.subjects)
        return xr.DataArray([each] * len(names), dims="subject", coords={"subject": names})

    bench = replace(benchmark(measured, "rsa"), score=mean)
    # Taking no counts, the scorer is drawn linearly: the bootstrap of a mean, but for the halves
    # that each stimulus is compared with.
    score = evaluate(bench, {"model": geometry_of(responses(60))})
    varied = Variation.from_detail(score.detail)
    drawn = bootstrap_counts(60, 200, seed=0) @ (values - values.mean()) / 60
    assert np.corrcoef(varied.stimuli, drawn)[0, 1] > 0.999
    assert varied.stimuli.std() == pytest.approx(drawn.std(), rel=0.05)


WEIGHING = ["ridge", "cka", "cka-biased", "permutation", "permutation-procrustes"]


@pytest.mark.parametrize("scorer", WEIGHING)
def test_resamples_that_draw_no_stimulus_of_a_fold_leave_an_interval(scorer):
    """Of 12 stimuli, halves of 6: (1/2)¹² of the resamples hold none of a half."""
    x = responses(12, 5, seed=1)
    measured = recording(recorded_trials(signal()[:12], noise=0.5, repeats=2))
    bench = benchmark(measured, scorer, resamples=2000)
    units = Responses(measured.stimuli.ids, x.values)
    score = evaluate(bench, {"x": units})
    assert score.low <= score.raw <= score.high
    assert np.isfinite(score.detail.resampled_raw).all()


def test_neuroids_and_stimuli_are_not_counted_three_times():
    """Noise of single responses is the interaction: drawn with both it would count thrice."""
    measured = recording(recorded_trials(signal(), noise=2.0, repeats=2))
    layer = geometry_of(responses(60, 200, seed=1).isel(unit=slice(0, 5)))
    varied = Variation.from_detail(evaluate(benchmark(measured, "ridge"), {"x": layer}).detail)
    assert varied.sizes == (60, 12)
    assert varied.fold == 60 / 5
    assert varied.variance < 0.9 * varied.both.var()
