"""Reliability and noise-corrected correlation against their formulas and planted truths."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from tests.synthetic import recorded_trials

from isocortex.errors import InputError, MismatchError
from isocortex.reliability import (
    _accelerated_interval,
    explained_signal_variance,
    noise_corrected_correlation,
    signal_ceiling,
    signal_reliability,
)

DRAW = np.random.default_rng(0)
STIMULI, NEUROIDS = 50, 6
SIGNAL = DRAW.normal(size=(STIMULI, NEUROIDS))


def trials(noise: float = 1.0, *, repeats: int = 6, seed: int = 1) -> xr.DataArray:
    return recorded_trials(SIGNAL, noise=noise, repeats=repeats, seed=seed)


def predicted(values: np.ndarray, measured: xr.DataArray) -> xr.DataArray:
    coords = {dim: measured[dim].values for dim in ("stimulus", "neuroid")}
    return xr.DataArray(values, dims=("stimulus", "neuroid"), coords=coords)


def test_reliability_is_one_less_the_inverse_of_f():
    measured = trials()
    f = [stats.f_oneway(*measured.values[:, :, v]).statistic for v in range(NEUROIDS)]
    np.testing.assert_allclose(signal_reliability(measured), 1 - 1 / np.array(f), atol=1e-12)


def test_the_ceiling_is_the_root_of_it_less_hotellings_bias():
    rho = np.sqrt(signal_reliability(trials(2.0, repeats=2)).values)
    expected = rho - rho * (1 - rho**2) / (2 * (STIMULI - 1))
    np.testing.assert_allclose(signal_ceiling(trials(2.0, repeats=2)), expected)


def test_missing_trials_are_left_out():
    """Noise pooled over stimuli, times the mean of 1/repeats; a lone trial tells of no noise."""
    measured = trials()
    measured.values[3, 2:] = np.nan
    measured.values[4, 1:] = np.nan
    each = [row[np.isfinite(row)] for row in measured.values[:, :, 0]]
    means = np.array([row.mean() for row in each])
    noise = sum(((row - row.mean()) ** 2).sum() for row in each) / sum(len(row) - 1 for row in each)
    left = noise * np.mean([1 / len(row) for row in each])
    expected = 1 - left / means.var(ddof=1)
    assert signal_reliability(measured)[0].item() == pytest.approx(expected, abs=1e-12)


def test_offset_and_precision_do_not_matter():
    measured = trials()
    expected = signal_reliability(measured)
    np.testing.assert_allclose(signal_reliability(measured + 1e6), expected, atol=1e-9)
    single = signal_reliability(measured.astype(np.float32))
    np.testing.assert_allclose(single, expected, atol=1e-5)


def test_the_true_signal_reaches_its_ceiling():
    """r of the signal with the mean of 6 trials, over 200 sessions, to the error of their mean."""
    sessions = [trials(2.0, seed=seed) for seed in range(200)]
    r = [np.corrcoef(SIGNAL[:, 0], each.values[:, :, 0].mean(axis=1))[0, 1] for each in sessions]
    ceilings = [signal_ceiling(each)[0].item() for each in sessions]
    error = np.hypot(np.std(r), np.std(ceilings)) / np.sqrt(200)
    assert np.mean(ceilings) == pytest.approx(np.mean(r), abs=4 * error)


def test_the_corrected_correlation_is_spearmans():
    measured, other = trials(), trials(seed=2)
    means = [each.mean("repeat").values for each in (measured, other)]
    r = [np.corrcoef(means[0][:, v], means[1][:, v])[0, 1] for v in range(NEUROIDS)]
    found = noise_corrected_correlation(other, measured, draws=20)
    np.testing.assert_allclose(found.r, r, atol=1e-12)
    expected = r / np.sqrt(signal_reliability(measured) * signal_reliability(other))
    np.testing.assert_allclose(found.corrected, expected, atol=1e-12)


def plainly_corrected(prediction: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """The same formula of (…, stimulus) and (…, stimulus, repeat), for scipy to resample."""
    means, repeats = measured.mean(axis=-1), measured.shape[-1]
    noise = measured.var(axis=-1, ddof=1).mean(axis=-1) / repeats
    x = prediction - prediction.mean(axis=-1, keepdims=True)
    y = means - means.mean(axis=-1, keepdims=True)
    r = (x * y).sum(axis=-1) / np.sqrt((x**2).sum(axis=-1) * (y**2).sum(axis=-1))
    return r / np.sqrt(1 - noise / means.var(axis=-1, ddof=1))


def test_the_interval_is_scipys():
    """BCa with stimuli drawn in pairs with their trials, to the error of 4,000 draws."""
    measured = trials()
    prediction = predicted(SIGNAL + DRAW.normal(size=SIGNAL.shape), measured)
    rows = np.arange(STIMULI)
    found = noise_corrected_correlation(prediction, measured, draws=4000, seed=5)

    def statistic(rows: np.ndarray, axis: int = -1) -> np.ndarray:
        return plainly_corrected(prediction.values[rows, 0], measured.values[rows, :, 0])

    theirs = stats.bootstrap(
        (rows,), statistic, n_resamples=4000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    assert found.low[0].item() == pytest.approx(theirs.low, abs=0.02)
    assert found.high[0].item() == pytest.approx(theirs.high, abs=0.02)


def test_the_accelerated_interval_is_scipys_of_the_same_draws():
    """Of a plain variance, which is biased and skewed; to the distance of neighbouring draws."""
    sample = np.random.default_rng(3).gamma(2, size=20)
    drawn = stats.bootstrap((sample,), np.var, n_resamples=5000, rng=np.random.default_rng(0))
    left_out = np.array([np.var(np.delete(sample, each)) for each in range(20)])
    theirs = drawn.confidence_interval
    distribution = drawn.bootstrap_distribution[:, None]
    found = _accelerated_interval(np.var(sample)[None], distribution, left_out[:, None], 0.95)
    assert np.concatenate(found) == pytest.approx([theirs.low, theirs.high], rel=0.005)


def test_the_interval_holds_the_truth():
    """A planted correlation of √½ in 150 sessions; 95 % of 900 intervals, neuroids apart."""
    held = []
    for seed in range(150):
        draw = np.random.default_rng(seed)
        shared, own = draw.normal(size=(2, STIMULI, NEUROIDS))
        measured = recorded_trials(shared + own, noise=2.0, repeats=6, seed=seed + 1000)
        prediction = predicted(shared, measured)
        found = noise_corrected_correlation(prediction, measured, draws=200)
        held.append((found.low <= np.sqrt(0.5)) & (found.high >= np.sqrt(0.5)))
    assert np.mean(held) == pytest.approx(0.95, abs=0.03)


def test_where_there_is_no_signal_nothing_is_known():
    noise = recorded_trials(0 * SIGNAL, noise=1.0, repeats=2, seed=3)
    found = noise_corrected_correlation(predicted(SIGNAL, noise), noise, draws=100)
    silent = signal_reliability(noise).values <= 0
    assert 0 < silent.sum() < NEUROIDS
    assert np.isnan(found.corrected.values[silent]).all()
    assert np.isfinite(found.corrected.values[~silent]).all()
    assert (np.isinf(found.low) | np.isinf(found.high)).values[silent].all()
    assert (signal_ceiling(noise).values[silent] == 0).all()


def test_constant_sides_have_no_correlation():
    measured = trials()
    measured.values[:, :, 2] = 1e6 / 3
    values = SIGNAL.copy()
    values[:, 1] = 0.1
    found = noise_corrected_correlation(predicted(values, measured), measured, draws=10)
    share = explained_signal_variance(predicted(values, measured), measured)
    for flat in (1, 2):
        assert found.r[flat].item() == 0
        assert np.isnan(found.corrected[flat])
        assert np.isnan(share[flat])
        assert (found.low[flat].item(), found.high[flat].item()) == (-np.inf, np.inf)
    assert np.isnan(signal_reliability(measured)[2])


def test_explained_signal_variance_is_pospisil_and_bairs():
    """((Σ m y)²/Σ m² − σ²/R)/(Σ y² − (n − 1)σ²/R), all centred."""
    measured = trials()
    prediction = predicted(SIGNAL + DRAW.normal(size=SIGNAL.shape), measured)
    m = prediction.values - prediction.values.mean(axis=0)
    y = measured.values.mean(axis=1) - measured.values.mean(axis=(0, 1))
    noise = measured.values.var(axis=1, ddof=1).mean(axis=0) / 6
    numerator = (m * y).sum(axis=0) ** 2 / (m**2).sum(axis=0) - noise
    expected = numerator / ((y**2).sum(axis=0) - (STIMULI - 1) * noise)
    np.testing.assert_allclose(explained_signal_variance(prediction, measured), expected)


def test_explained_signal_variance_is_about_unbiased():
    """Planted r² of ½ and of 0, in 150 sessions of noise."""
    found = {0.0: [], 0.5: []}
    for seed in range(150):
        draw = np.random.default_rng(seed)
        unrelated = _orthogonal(draw.normal(size=SIGNAL.shape))
        measured = recorded_trials(SIGNAL, noise=1.0, repeats=4, seed=seed)
        for truth in found:
            side = _with_r2(SIGNAL, unrelated, truth)
            found[truth].append(explained_signal_variance(predicted(side, measured), measured))
    for truth, shares in found.items():
        error = np.std(shares) / np.sqrt(len(shares) * NEUROIDS)
        assert np.mean(shares) == pytest.approx(truth, abs=5 * error)


def _orthogonal(values: np.ndarray) -> np.ndarray:
    """Centred, and without the part that lies along the signal, neuroid by neuroid."""
    signal = SIGNAL - SIGNAL.mean(axis=0)
    values = values - values.mean(axis=0)
    return values - signal * (values * signal).sum(axis=0) / (signal**2).sum(axis=0)


def _with_r2(signal: np.ndarray, unrelated: np.ndarray, r2: float) -> np.ndarray:
    """A prediction whose r² with the signal is exactly `r2`."""
    along = (signal - signal.mean(axis=0)) / signal.std(axis=0)
    return np.sqrt(r2) * along + np.sqrt(1 - r2) * unrelated / unrelated.std(axis=0)


def test_unusable_recordings_are_refused():
    measured = trials()
    once = measured.isel(repeat=[0])
    with pytest.raises(InputError, match="no stimulus with two trials"):
        signal_reliability(once)
    with pytest.raises(InputError, match="no trial of some stimulus"):
        signal_reliability(measured.where(measured.stimulus != "stimulus-003"))
    with pytest.raises(InputError, match="dims are"):
        signal_reliability(measured.mean("repeat"))
    with pytest.raises(InputError, match="too few"):
        signal_reliability(measured[:2])
    with pytest.raises(InputError, match="infinite"):
        signal_reliability(measured.where(measured.stimulus != "stimulus-003", np.inf))
    with pytest.raises(InputError, match="not finite"):
        explained_signal_variance(predicted(SIGNAL * np.nan, measured), measured)
    with pytest.raises(MismatchError, match="dim 'stimulus'"):
        explained_signal_variance(predicted(SIGNAL, measured)[::-1], measured)
