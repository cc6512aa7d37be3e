"""Responses, trials and choices refuse what they can't be."""

import numpy as np
import pytest

from isocortex.errors import InputError
from isocortex.responses import Choices, Responses, Trials


def test_responses_are_finite_and_of_the_right_shape():
    values = np.ones((2, 3))
    values[1, 2] = np.nan
    with pytest.raises(InputError, match="the response to stimulus 'b' is not finite"):
        Responses(("a", "b"), values)
    with pytest.raises(InputError, match=r"have the shape \(2, 3\), expected \(1, any\)"):
        Responses(("a",), np.ones((2, 3)))


def test_a_sample_of_units_knows_how_many_there_were():
    assert Responses(("a",), np.ones((1, 3))).total == 3
    assert Responses(("a",), np.ones((1, 3)), total=9).select(np.array([0])).total == 9


def test_units_that_differ_by_rounding_only_are_constant():
    values = np.full((4, 2), 1e6)
    assert Responses(tuple("abcd"), values).is_constant
    values[0, 0] += 1e-3
    assert not Responses(tuple("abcd"), values).is_constant


def test_each_neuroid_has_a_trial_of_each_stimulus():
    values = np.ones((2, 2, 3))
    values[1, 0, 2] = np.nan
    trials = Trials(("a", "b"), values * np.arange(1, 3)[:, None])
    np.testing.assert_array_equal(trials.mean().values, [[1.5] * 3, [1.5, 1.5, 2]])
    values[1, 1, 2] = np.nan
    with pytest.raises(InputError, match="neuroid 2 has no trial of stimulus 'b'"):
        Trials(("a", "b"), values)
    values[1, 1, 2] = np.inf
    with pytest.raises(InputError, match="trials are infinite"):
        Trials(("a", "b"), values)


def test_choices_have_a_share_for_each_choice():
    with pytest.raises(InputError, match=r"\(2, 3\), expected \(2, 2\)"):
        Choices(("a", "b"), ("yes", "no"), np.ones((2, 3)) / 3)
