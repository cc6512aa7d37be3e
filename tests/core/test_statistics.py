"""Resampling as weights equals resampling by repeating."""

import numpy as np
import pytest
from scipy import stats

from isocortex.statistics import (
    Ranking,
    bootstrap_counts,
    columnwise_correlation,
    dual_variance,
    half_sample_positions,
    interval,
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


@pytest.mark.parametrize("digits", [0, 9], ids=["ties", "no ties"])
def test_weighted_ranks_equal_ranking_the_repeated_values(digits):
    values = np.round(DRAW.normal(size=25) * 2, digits)
    counts = bootstrap_counts(25, 5, seed=0)
    ranking = Ranking.of(values)
    actual = ranking.ranks(counts[:, ranking.order])
    for row, drawn in zip(actual, counts[:, ranking.order], strict=True):
        expected = stats.rankdata(repeated(values[ranking.order], drawn))
        np.testing.assert_array_equal(repeated(row, drawn), expected)


def test_the_spread_of_half_samples_is_the_standard_error():
    """Of a mean: σ/√n, here with the finite n of both sides, to the error of 4,000 draws."""
    values = DRAW.normal(size=60)
    means = [values[half].mean() for half in half_sample_positions(60, 4000, seed=0)]
    expected = values.std(ddof=1) / np.sqrt(60)
    assert np.std(means) == pytest.approx(expected, rel=4 / np.sqrt(2 * 4000))


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
