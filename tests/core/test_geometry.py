"""A geometry knows a layer that says nothing, whatever rounding leaves of it."""

import numpy as np
import pytest
from tests.synthetic import stimulus_ids

from isocortex.geometry import Geometry, gather_geometry


def geometry(values: np.ndarray) -> Geometry:
    return gather_geometry(stimulus_ids(len(values)), values, name="layer")


@pytest.mark.parametrize("units", [1, 7, 1000])
@pytest.mark.parametrize("value", [0.1, 1e6 + 0.1])
def test_units_that_share_one_value_are_constant(units, value):
    assert geometry(np.full((20, units), value)).is_constant
    assert geometry(np.tile(np.linspace(0.1, value, units), (20, 1))).is_constant


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_one_response_that_differs_makes_a_layer_vary(offset):
    values = np.full((20, 7), offset + 0.1)
    values[3, 2] += 1.0
    assert not geometry(values).is_constant
    assert not geometry(values[:, 2:3]).is_constant
