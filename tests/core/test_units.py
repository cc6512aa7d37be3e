"""The units that are read: a sample that depends on the layer's width alone, with their places."""

import numpy as np
import pytest
import torch
from tests.core.test_extraction import candidate, images, network
from torch import nn

from isocortex import units
from isocortex.caching import load_responses, store_responses
from isocortex.candidates import Candidate
from isocortex.errors import InputError
from isocortex.extraction import extract_answers, extract_geometries, extract_responses
from isocortex.planning import plan_extraction
from isocortex.responses import Responses
from isocortex.units import map_places, sampled_units


def answers(chosen: Candidate, **options) -> dict[str, Responses]:
    plan = plan_extraction(chosen, images(), units=True, memory=10**9, **options)
    return {each.layer: each.responses for each in extract_answers(chosen, images(), plan)}


@pytest.fixture
def few(monkeypatch) -> None:
    """At most 100 units are read of a layer."""
    for module in ("isocortex.units", "isocortex.planning"):
        monkeypatch.setattr(f"{module}.UNITS_READ", 100)


def test_all_units_are_read_up_to_a_number():
    np.testing.assert_array_equal(sampled_units(units.UNITS_READ), np.arange(units.UNITS_READ))
    sample = sampled_units(10**6)
    assert len(sample) == len(set(sample)) == units.UNITS_READ
    assert (np.diff(sample) > 0).all()
    np.testing.assert_array_equal(sample, sampled_units(10**6))


def test_a_sample_is_spread_over_the_layer():
    counts, _ = np.histogram(sampled_units(10**6), bins=8, range=(0, 10**6))
    assert counts.min() > units.UNITS_READ / 8 * 0.8


def test_units_come_of_the_same_pass_and_are_the_responses(few):
    chosen = candidate()
    expected, geometries = extract_responses(chosen, images()), extract_geometries(chosen, images())
    calls = []
    chosen.module.register_forward_hook(lambda module, inputs, output: calls.append(len(output)))
    plan = plan_extraction(chosen, images(), units=True, memory=10**9, batch_size=4)
    found = list(extract_answers(chosen, images(), plan))
    assert calls == [1, 4, 4, 3]  # the probe, and one pass
    for each in found:
        values = expected[each.layer].values[:, sampled_units(expected[each.layer].shape[1])]
        np.testing.assert_allclose(each.responses.values, values, rtol=0, atol=1e-5)
        assert each.responses.total == geometries[each.layer].units
        assert each.responses.values.dtype == np.float64


@pytest.mark.parametrize("options", [{"batch_size": 2}, {"reduce": 50}], ids=["batch", "reduced"])
def test_neither_batches_nor_a_projection_change_what_is_read(few, options):
    expected, found = answers(candidate()), answers(candidate(), **options)
    for layer, responses in expected.items():
        np.testing.assert_allclose(found[layer].values, responses.values, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(found[layer].places, responses.places)


def test_units_of_a_map_sit_where_their_row_and_column_are():
    places = map_places((3, 2, 4), np.array([0, 3, 4, 8, 23]))
    expected = [(0.25, 0.125), (0.25, 0.875), (0.75, 0.125), (0.25, 0.125), (0.75, 0.875)]
    np.testing.assert_array_equal(places, expected)


def test_units_without_a_map_have_no_places():
    assert answers(candidate(layers=["0", "5"]))["5"].places is None


def test_a_layer_may_say_where_its_units_sit():
    module = network()
    sheet = torch.arange(10.0).reshape(5, 2)
    module[5].register_buffer("unit_places", sheet)
    np.testing.assert_array_equal(answers(candidate(module, layers=["5"]))["5"].places, sheet)


def test_places_that_are_not_one_for_each_unit_are_refused():
    module = network()
    module[5].unit_places = torch.zeros(4, 2)
    with pytest.raises(InputError, match=r"layer 5: its unit_places have the shape \(4, 2\)"):
        answers(candidate(module, layers=["5"]))


def test_responses_come_back_from_the_cache_as_they_were(empty_home):
    before = answers(candidate(layers=["0"]))["0"]
    store_responses("ab12", before)
    after = load_responses("ab12")
    np.testing.assert_array_equal(after.values, before.values)
    np.testing.assert_array_equal(after.places, before.places)
    assert (after.ids, after.total) == (before.ids, before.total)


def test_a_vector_has_no_places_in_the_cache(empty_home):
    store_responses("ab12", answers(candidate(layers=["5"]))["5"])
    assert load_responses("ab12").places is None


def test_a_single_linear_unit_is_read():
    chosen = candidate(nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 1)), layers=["1"])
    assert answers(chosen)["1"].values.shape == (len(images()), 1)
