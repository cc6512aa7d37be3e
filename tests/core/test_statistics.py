"""Resampling as weights equals resampling by repeating."""

import numpy as np
import pytest
from scipy import stats

from isocortex.statistics import (
    Ranking,
    bootstrap_counts,
    columnwise_correlation,
    dual_variance,
    interval,
    jackknife_counts,
    pair_corrected_variance,
    pair_counts,
    spearman_brown,
    weighted_columnwise_correlation,
)

DRAW = np.random.default_rng(0)


def repeated(rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.repeat(rows, counts.astype(int), axis=0)


def test_a_resample_draws_as_many_as_there_are():
    counts = bootstrap_counts(30, 50, seed=0)
    assert (counts.sum(axis=1) == 30).all()
    np.testing.assert_array_equal(counts, bootstrap_counts(30, 50, seed=0))
    assert (counts != bootstrap_counts(30, 50, seed=1)).any()


def test_columnwise_correlation_equals_scipys():
    x, y = DRAW.normal(size=(2, 20, 4)) + 1e3
    expected = [stats.pearsonr(x[:, v], y[:, v]).statistic for v in range(4)]
    np.testing.assert_allclose(columnwise_correlation(x, y), expected, atol=1e-10)


def test_weighted_correlation_equals_repeating():
    x, y = DRAW.normal(size=(2, 20, 4))
    counts = bootstrap_counts(20, 6, seed=0)
    actual = weighted_columnwise_correlation(x, y, counts)
    expected = [columnwise_correlation(repeated(x, row), repeated(y, row)) for row in counts]
    np.testing.assert_allclose(actual, expected, atol=1e-12)


def test_a_constant_prediction_has_no_correlation_and_does_not_drop_out():
    x, y = np.ones((10, 1)), DRAW.normal(size=(10, 1))
    assert columnwise_correlation(x, y) == [0.0]


def test_a_prediction_that_only_rounding_moves_is_constant():
    """Rounding may even follow the observed: least squares takes residuals from them."""
    y = DRAW.normal(size=(10, 1))
    assert columnwise_correlation(3.7 + 1e-15 * y, y) == [0.0]
    assert columnwise_correlation(1e6 + 1e-3 * y, y) == pytest.approx(1, abs=1e-9)


def test_a_resample_without_any_stimulus_has_no_correlation():
    x, y = DRAW.normal(size=(2, 10, 3))
    r = weighted_columnwise_correlation(x, y, np.array([np.zeros(10), np.ones(10)]))
    np.testing.assert_array_equal(r[0], np.zeros(3))
    np.testing.assert_allclose(r[1], columnwise_correlation(x, y), atol=1e-12)


@pytest.mark.parametrize("digits", [0, 9], ids=["ties", "no ties"])
def test_weighted_ranks_equal_ranking_the_repeated_values(digits):
    values = np.round(DRAW.normal(size=25) * 2, digits)
    counts = bootstrap_counts(25, 5, seed=0)
    ranking = Ranking.of(values)
    actual = ranking.ranks(counts[:, ranking.order])
    for row, drawn in zip(actual, counts[:, ranking.order], strict=True):
        expected = stats.rankdata(repeated(values[ranking.order], drawn))
        np.testing.assert_array_equal(repeated(row, drawn), expected)


def test_leaving_out_one_by_one_leaves_all_others():
    np.testing.assert_array_equal(jackknife_counts(4, most=9, seed=0), 1 - np.eye(4))


def test_leaving_out_groups_leaves_each_out_once():
    counts = jackknife_counts(25, most=8, seed=0)
    np.testing.assert_array_equal((1 - counts).sum(axis=0), np.ones(25))
    np.testing.assert_array_equal((1 - counts).sum(axis=1), [4] + [3] * 7)


def test_an_interval_leaves_out_the_tails():
    assert interval(np.arange(1001.0), confidence=0.9) == pytest.approx((50, 950))


def test_spearman_brown_doubles_the_trials():
    """Reliability 1/2 of one half: (2 · 1/2) / (1 + 1/2) = 2/3 of both."""
    assert spearman_brown(np.array(0.5)) == pytest.approx(2 / 3)


def test_the_dual_variance_takes_the_interaction_out_once_more():
    """10/9 · 4 + 5/4 · 3 − 10/9 · 5/4 · (8 − 4 − 3), within 10/9 · 4 and 8."""
    expected = 10 / 9 * 4 + 5 / 4 * 3 - 10 / 9 * 5 / 4 * (8 - 4 - 3)
    assert dual_variance(8.0, (4.0, 10), (3.0, 5)) == pytest.approx(expected)
    assert dual_variance(5.0, (4.0, 10), (3.0, 5)) == 5.0


def test_pair_noise_counts_twice_in_the_jackknife_and_three_times_in_the_bootstrap():
    """The mean of N pairs, each with noise of variance 1, has the variance 1/N. The two estimates
    scatter, so that the floor of the corrected one lifts its mean, to less than half way."""
    stimuli, pairs = 80, 80 * 79 / 2
    counts = np.vstack([bootstrap_counts(stimuli, 400, seed=0), 1 - np.eye(stimuli)])
    weights = pair_counts(counts)
    noise = DRAW.normal(size=(int(pairs), 200))
    means = weights @ noise / weights.sum(axis=1, keepdims=True)
    bootstrap = means[:400].var(axis=0)
    jackknife = (stimuli - 1) * means[400:].var(axis=0)
    corrected = [pair_corrected_variance(*each) for each in zip(bootstrap, jackknife, strict=True)]
    assert bootstrap.mean() * pairs == pytest.approx(3, abs=0.3)
    assert jackknife.mean() * pairs == pytest.approx(2, abs=0.2)
    assert 2 * jackknife.mean() - bootstrap.mean() == pytest.approx(1 / pairs, rel=0.2)
    assert 1 < np.mean(corrected) * pairs < (1 + 2) / 2


def test_no_less_is_left_than_if_all_lay_in_pairs():
    assert pair_corrected_variance(3.0, 1.0) == 3.0 / 3
    assert pair_corrected_variance(3.0, 2.5) == 2 * 2.5 - 3.0


def test_the_dual_variance_is_that_of_other_samples():
    """A table of 12 rows + 9 columns + cells, all normal: the mean's variance is known exactly."""
    rows, columns, cells = 1.0, 1.0, 4.0
    truth = rows / 12 + columns / 9 + cells / (12 * 9)
    found, uncorrected = [], []
    for seed in range(200):
        draw = np.random.default_rng(seed)
        table = (
            rows**0.5 * draw.normal(size=(12, 1))
            + columns**0.5 * draw.normal(size=(1, 9))
            + cells**0.5 * draw.normal(size=(12, 9))
        )
        first = bootstrap_counts(12, 400, seed=1) / 12
        second = bootstrap_counts(9, 400, seed=2) / 9
        both = np.einsum("ri,ij,rj->r", first, table, second).var()
        one, other = (first @ table.mean(1)).var(), (second @ table.mean(0)).var()
        found.append(dual_variance(both, (one, 12), (other, 9)))
        uncorrected.append(both)
    error = np.std(found) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx(truth, abs=3 * error)
    assert np.mean(uncorrected) > truth + 3 * error
