"""The variance of a score and of a difference, on tables whose truth is known."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from isocortex.statistics import bootstrap_counts, dual_variance
from isocortex.variation import Variation

STIMULI, SUBJECTS = 30, 8


def varied(table: np.ndarray, *, draws: int = 2000, seed: int = 0) -> Variation:
    """The variation of the mean of a table (stimulus, subject), which has no pairs."""
    stimuli, subjects = table.shape
    rows = bootstrap_counts(stimuli, draws, seed=2 * seed) / stimuli
    columns = bootstrap_counts(subjects, draws, seed=2 * seed + 1) / subjects
    return Variation(
        both=np.einsum("ri,ij,rj->r", rows, table, columns),
        stimuli=rows @ table.mean(axis=1),
        columns=columns @ table.mean(axis=0),
        influence=(table - table.mean(axis=0)) / stimuli,
        sizes=(stimuli, subjects),
        fold=stimuli,
    )


def normal_table(seed: int, *, rows: float = 1, columns: float = 1, cells: float = 2) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return (
        rows * draw.normal(size=(STIMULI, 1))
        + columns * draw.normal(size=(1, SUBJECTS))
        + cells * draw.normal(size=(STIMULI, SUBJECTS))
    )


def test_the_variance_is_that_of_other_samples():
    truth = 1 / STIMULI + 1 / SUBJECTS + 4 / (STIMULI * SUBJECTS)
    tables = [normal_table(seed) for seed in range(150)]
    found = [varied(each, draws=300, seed=seed).variance for seed, each in enumerate(tables)]
    assert np.mean(found) == pytest.approx(truth, abs=3 * np.std(found) / np.sqrt(150))


def test_where_nothing_lies_in_pairs_the_correction_changes_little():
    one = varied(normal_table(0))
    expected = dual_variance(
        one.both.var(), (one.stimuli.var(), STIMULI), (one.columns.var(), SUBJECTS)
    )
    assert one.variance == pytest.approx(expected, rel=0.1)


def test_a_difference_has_a_correction_of_its_own():
    """Two scores that share all but their cells: drawn at once, those count three times. The floor
    of the corrected variance, that of either factor alone, lifts its mean somewhat."""
    shared = normal_table(1, rows=3, columns=3, cells=0)
    corrected, drawn = [], []
    for seed in range(100):
        tables = [shared + normal_table(900 + seed + 500 * k, rows=0, columns=0) for k in (0, 1)]
        one, other = (varied(table, draws=300, seed=seed) for table in tables)
        corrected.append((one - other).variance)
        drawn.append((one - other).both.var())
    truth = 2 * 4 / (STIMULI * SUBJECTS)
    assert np.mean(drawn) > 2 * truth
    assert 0.9 * truth < np.mean(corrected) < 1.5 * truth


def test_the_difference_with_itself_does_not_vary():
    one = varied(normal_table(0))
    same = one - one
    assert same.variance == 0
    assert same.interval(0.0, confidence=0.95) == (0, 0)


def test_the_draws_lie_around_the_score_with_the_variance():
    one = varied(normal_table(0))
    assert one.draws(0.7).mean() == pytest.approx(0.7)
    assert one.draws(0.7).var() == pytest.approx(one.variance)


def test_the_interval_is_students_where_one_factor_varies():
    """Only subjects differ: 7 degrees of freedom, and the percentiles of draws of 8."""
    one = varied(normal_table(0, rows=1e-9, cells=1e-9))
    assert one.degrees_of_freedom == pytest.approx(SUBJECTS - 1)
    low, high = one.interval(0.0, confidence=0.95)
    expected = stats.t.ppf(0.975, 7) / stats.norm.ppf(0.975)
    plain = np.quantile(one.draws(0.0), [0.025, 0.975])
    np.testing.assert_allclose((low, high), plain * expected)


def test_one_subject_leaves_the_stimuli():
    table = normal_table(0)[:, :1]
    rows = bootstrap_counts(STIMULI, 4000, seed=0) / STIMULI
    drawn = rows @ table[:, 0]
    one = Variation(drawn, drawn, None, None, (STIMULI, 1), STIMULI)
    expected = table.var(ddof=1) / STIMULI
    assert one.variance == pytest.approx(expected, rel=4 * np.sqrt(2 / 4000))
    assert one.variance == pytest.approx(drawn.var() * 30 / 29)
    assert one.degrees_of_freedom == pytest.approx(STIMULI - 1)


@pytest.mark.parametrize("whole", [True, False])
def test_a_detail_keeps_all_of_it(whole):
    one = varied(normal_table(0), draws=20)
    if not whole:
        one = Variation(one.both, one.stimuli, None, None, one.sizes, one.fold)
    again = Variation.from_detail(xr.Dataset(one.as_variables()))
    assert (again.sizes, again.fold, again.variance) == (one.sizes, one.fold, one.variance)
    np.testing.assert_array_equal(again.both, one.both)
    assert (again.influence is None) == (one.influence is None)


def test_a_detail_of_before_keeps_none():
    assert Variation.from_detail(xr.Dataset({"resampled_raw": ("resample", [0.1])})) is None
