"""A benchmark can tell the truth: a brain reaches its ceiling, noise reaches nothing."""

from collections.abc import Mapping

import numpy as np
import pytest
import xarray as xr
from tests.synthetic import recorded_rdms, recorded_trials, recording, responses

from isocortex import registry
from isocortex.benchmarks import Benchmark
from isocortex.errors import IncompatibleError, InputError, MismatchError
from isocortex.evaluation import evaluate
from isocortex.geometry import Dissimilarities, Geometry, geometry_of
from isocortex.recordings import Recording
from isocortex.scores import Score

STIMULI = 60


def benchmark(measured: Recording, scorer: str, **facts: int) -> Benchmark:
    entry = registry.find_entry("scorer", scorer)
    card = registry.scorer_card(scorer)
    return Benchmark(measured, "IT", card, entry.load(), code_hash="", **{"resamples": 200} | facts)


def signal(*, neuroids: int = 12, seed: int = 5) -> np.ndarray:
    """Responses that a few dimensions of `responses(STIMULI)` determine, with unit variance."""
    x = responses(STIMULI, 200, seed=1).values[:, :5]
    y = x @ np.random.default_rng(seed).normal(size=(5, neuroids))
    return (y - y.mean(0)) / y.std(0)


def true_layer() -> Geometry:
    return geometry_of(responses(STIMULI, 200, seed=1).isel(unit=slice(0, 5)))


def noise_layers(count: int = 4) -> dict[str, Geometry]:
    return {
        f"noise-{seed}": geometry_of(responses(STIMULI, 50, seed=seed))
        for seed in range(10, 10 + count)
    }


def noisy_rdms(subjects: int = 6, *, noise: float = 0.3) -> xr.DataArray:
    generator = np.random.default_rng(4)
    matrices = []
    for _ in range(subjects):
        x = (
            responses(STIMULI, 200, seed=1).values
            + noise * generator.normal(size=(STIMULI, 200)) * 3
        )
        matrices.append(1 - np.corrcoef(x))
    matrices = np.array(matrices)
    return recorded_rdms((matrices + matrices.transpose(0, 2, 1)) / 2 * (1 - np.eye(STIMULI)))


def permuted(measured: Recording, order: np.ndarray) -> Recording:
    region = measured.regions["IT"]
    dims = [dim for dim in ("stimulus", "other_stimulus") if dim in region.dims]
    return recording(region.isel(dict.fromkeys(dims, order)))


@pytest.mark.parametrize("scorer", ["rsa", "rsa-pearson", "rsa-cosine"])
def test_the_mean_brain_scored_against_its_subjects_reaches_the_upper_ceiling(scorer):
    rdms = noisy_rdms()
    ids = tuple(rdms.stimulus.values)
    mean = Dissimilarities(ids, rdms.mean("subject").values)
    score = evaluate(benchmark(recording(rdms), scorer), {"mean": mean})
    assert score.value == pytest.approx(1, abs=1e-12)
    assert score.ceiling.lower < score.ceiling.upper


@pytest.mark.parametrize("scorer", ["rsa", "cka", "ridge"])
def test_the_true_signal_reaches_the_ceiling_of_noisy_trials(scorer):
    measured = recording(recorded_trials(signal(), noise=1.0))
    source = signal() if scorer != "ridge" else responses(STIMULI, 200, seed=1).values[:, :5]
    layer = geometry_of(
        xr.DataArray(
            source, dims=("stimulus", "unit"), coords={"stimulus": list(measured.stimuli.ids)}
        )
    )
    score = evaluate(benchmark(measured, scorer), {"signal": layer})
    assert score.value == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("scorer", ["rsa", "rsa-kendall", "cka", "ridge"])
def test_noise_scores_about_zero(scorer):
    measured = recording(recorded_trials(signal(), noise=0.5))
    score = evaluate(benchmark(measured, scorer), noise_layers())
    assert abs(score.raw) < 0.1
    assert score.low < 0 < score.high


@pytest.mark.parametrize("scorer", ["rsa", "cka", "ridge"])
def test_the_order_of_the_stimuli_changes_nothing(scorer):
    measured = recording(recorded_trials(signal(), noise=1.0))
    layers = {"true": true_layer(), **noise_layers(2)}
    order = np.random.default_rng(0).permutation(STIMULI)
    before = evaluate(benchmark(measured, scorer), layers)
    shuffled = {name: layer.select(order) for name, layer in layers.items()}
    after = evaluate(benchmark(permuted(measured, order), scorer), shuffled)
    facts = ("raw", "value", "low", "high")
    for fact in facts:
        assert getattr(after, fact) == pytest.approx(getattr(before, fact), abs=1e-9), fact


@pytest.mark.parametrize("scorer", ["rsa", "cka", "ridge"])
def test_the_layer_that_holds_the_signal_is_chosen(scorer):
    measured = recording(recorded_trials(signal(), noise=0.5))
    score = evaluate(benchmark(measured, scorer), {**noise_layers(), "true": true_layer()})
    assert score.layer == "true"
    assert set(score.detail.fold_layer.values) == {"true"}


def test_choosing_among_many_noise_layers_does_not_lift_the_score():
    """The best of 20 noise layers is above 0; one chosen on other stimuli is not."""
    layers = noise_layers(20)
    honest, best = [], []
    for seed in range(12):
        unrelated = 1 - np.corrcoef(responses(STIMULI, 50, seed=500 + seed).values)
        measured = recording(recorded_rdms((unrelated * (1 - np.eye(STIMULI)))[None]))
        score = evaluate(benchmark(measured, "rsa", resamples=10), layers)
        honest.append(score.raw)
        best.append(float(score.detail.layer_score.max()))
    error = np.std(honest) / np.sqrt(len(honest))
    assert abs(np.mean(honest)) < 3 * error < np.mean(best)


def test_an_anticorrelated_model_scores_negative():
    rdms = noisy_rdms()
    mean = rdms.mean("subject").values
    opposite = Dissimilarities(
        tuple(rdms.stimulus.values), (mean.max() - mean) * (1 - np.eye(STIMULI))
    )
    score = evaluate(benchmark(recording(rdms), "rsa"), {"opposite": opposite})
    assert score.raw < 0
    assert score.value < 0


def test_equal_draws_pair_two_candidates():
    """The interval of a difference is narrower than the two allow, because draws agree."""
    bench = benchmark(recording(noisy_rdms(noise=0.8)), "rsa")
    one = evaluate(bench, {"true": geometry_of(responses(STIMULI, 200, seed=1))})
    other = evaluate(
        bench, {"near": geometry_of(responses(STIMULI, 200, seed=1).isel(unit=slice(0, 190)))}
    )
    spread = [float(each.detail.resampled_raw.std()) for each in (one, other)]
    paired = float((one.detail.resampled_raw - other.detail.resampled_raw).std())
    assert paired < 0.5 * float(np.hypot(*spread))


def test_the_interval_is_as_wide_as_the_scores_of_other_samples_or_wider():
    """Here the noise is all in pairs of stimuli. Of such noise a bootstrap over stimuli makes three
    times the variance, so its spread must lie between that of other samples and √3 times that."""
    generator = np.random.default_rng(0)
    raws, spreads = [], []
    for _ in range(40):
        x = generator.normal(size=(40, 100))
        rdm = 1 - np.corrcoef(x + 1.5 * generator.normal(size=(40, 100)))
        measured = recording(recorded_rdms((rdm * (1 - np.eye(40)))[None]))
        dims = ("stimulus", "unit")
        layer = xr.DataArray(x, dims=dims, coords={"stimulus": list(measured.stimuli.ids)})
        score = evaluate(benchmark(measured, "rsa"), {"x": geometry_of(layer)})
        raws.append(score.raw)
        spreads.append(float(score.detail.resampled_raw.std()))
    error = 1 / np.sqrt(2 * len(raws))  # of a standard deviation from 40 draws
    assert 1 - 2 * error < np.mean(spreads) / np.std(raws) < np.sqrt(3) * (1 + 2 * error)


def test_subjects_are_resampled_as_well():
    """One subject equals the model and one is unrelated: the mean of two draws is 0, ½ or 1 and
    scatters by √(1/8); the stimuli alone would let it scatter by a few hundredths."""
    two = np.array([1 - np.corrcoef(responses(STIMULI, 50, seed=seed).values) for seed in (1, 2)])
    measured = recording(recorded_rdms(two * (1 - np.eye(STIMULI))))
    model = geometry_of(responses(STIMULI, 50, seed=1))
    score = evaluate(benchmark(measured, "rsa", resamples=1000), {"first": model})
    assert score.resampled == ("stimulus", "subject")
    assert float(score.detail.resampled_raw.std()) == pytest.approx(np.sqrt(1 / 8), abs=0.04)


def refusals() -> Mapping[str, tuple[type[Exception], str]]:
    return {
        "other stimuli": (MismatchError, "differ in their stimuli"),
        "constant layer": (InputError, "answers alike to all stimuli"),
        "no layer": (InputError, "has no layer"),
    }


def faulty_layers(fault: str) -> dict[str, Geometry]:
    if fault == "other stimuli":
        return {"a": geometry_of(responses(STIMULI + 1))}
    constant = responses(STIMULI) * 0 + np.arange(30)
    return {"constant layer": {"a": geometry_of(constant)}, "no layer": {}}[fault]


@pytest.mark.parametrize("fault", refusals())
def test_unusable_layers_are_refused_with_a_reason(fault):
    error, message = refusals()[fault]
    measured = recording(recorded_trials(signal(), noise=0.5))
    for scorer in ("cka", "ridge"):
        with pytest.raises(error, match=message):
            evaluate(benchmark(measured, scorer), faulty_layers(fault))


def test_a_constant_neuroid_is_named():
    values = signal()
    values[:, 3] = 2.0
    measured = recording(recorded_trials(values, noise=0.0))
    for scorer in ("ridge", "cka", "permutation", "rsa-crossvalidated"):
        with pytest.raises(InputError, match="neuroid 'n3' answers alike to all 60 stimuli"):
            evaluate(benchmark(measured, scorer), noise_layers())


def test_regression_on_bare_dissimilarities_is_refused():
    measured = recording(recorded_trials(signal(), noise=0.5))
    flat = Dissimilarities(measured.stimuli.ids, 1 - np.eye(STIMULI))
    with pytest.raises(IncompatibleError, match="ridge needs the responses of rdm"):
        evaluate(benchmark(measured, "ridge"), {"rdm": flat})


def as_facts(score: Score) -> tuple[float, ...]:
    return (score.raw, score.low, score.high)


def test_scoring_twice_gives_the_same_numbers():
    measured = recording(recorded_trials(signal(), noise=1.0))
    first, second = (evaluate(benchmark(measured, "ridge"), noise_layers(2)) for _ in range(2))
    assert as_facts(first) == as_facts(second)
