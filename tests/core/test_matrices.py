"""Dissimilarity matrices are made once from recordings, and read without them."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from isocortex.errors import InputError, UnknownNameError
from isocortex.matrices import MOST_STIMULI, matrix_of, read_matrix, write_matrices


def responses(stimuli: int) -> xr.DataArray:
    """Two repeats of five neuroids, one trial missing."""
    values = np.random.default_rng(0).normal(size=(stimuli, 2, 5))
    values[0, 1, 2] = np.nan
    return xr.DataArray(
        values,
        dims=("stimulus", "repeat", "neuroid"),
        coords={"stimulus": [f"s{number:03}" for number in range(stimuli)]},
    )


def test_responses_differ_by_one_minus_the_correlation_of_their_means() -> None:
    measured = responses(4)
    matrix = matrix_of("made-up", "IT", measured)
    means = np.nanmean(measured.values, axis=1)
    expected = 1 - np.corrcoef(means[0], means[3])[0, 1]
    assert matrix.values[0][3] == pytest.approx(expected, abs=1e-4)
    assert np.allclose(np.diag(matrix.values), 0)


def test_dissimilarities_are_averaged_over_subjects() -> None:
    values = np.array([[[0.0, 1.0], [1.0, 0.0]], [[0.0, 0.5], [0.5, 0.0]]])
    names = ["a", "b"]
    measured = xr.DataArray(
        values,
        dims=("subject", "stimulus", "other_stimulus"),
        coords={"subject": ["1", "2"], "stimulus": names, "other_stimulus": names},
    )
    matrix, alone = (matrix_of("made-up", "IT", each) for each in (measured, measured[:1]))
    assert matrix.values[0][1] == (1.0 + 0.5) / 2
    assert matrix.made == "mean over 2 subjects of the recorded dissimilarities"
    assert alone.made == "recorded dissimilarities"


def test_of_many_stimuli_some_are_taken_at_equal_steps() -> None:
    matrix = matrix_of("made-up", "IT", responses(300))
    assert (len(matrix.stimuli), matrix.of) == (MOST_STIMULI, 300)
    assert (matrix.stimuli[0], matrix.stimuli[-1]) == ("s000", "s299")
    assert len(matrix.values) == len(matrix.values[0]) == MOST_STIMULI


def test_choices_have_no_matrix() -> None:
    measured = xr.DataArray(np.ones((1, 2, 3)), dims=("subject", "stimulus", "choice"))
    with pytest.raises(InputError, match="choices"):
        matrix_of("made-up", "behaviour", measured)


def test_what_was_made_is_read_again_and_nothing_else(empty_home: Path) -> None:
    assert read_matrix("simulated", "V1") is None
    paths = write_matrices("simulated")
    assert sorted(path.name for path in paths) == ["IT.json", "V1.json"]
    matrix = read_matrix("simulated", "V1")
    assert matrix is not None
    assert (matrix.dataset, matrix.region) == ("simulated", "V1")
    paths[0].rename(paths[0].parents[1] / "elsewhere.json")
    assert read_matrix("simulated", "../elsewhere") is None
    assert write_matrices("simulated_choices") == ()
    with pytest.raises(UnknownNameError):
        read_matrix("none", "V1")
