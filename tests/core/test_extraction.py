"""Extraction: all layers in one pass, equal to the plain forward pass, within memory."""

import numpy as np
import pytest
import torch
from torch import nn

from isocortex.candidates import Candidate, Preprocessing, as_candidate
from isocortex.errors import InputError, UnknownNameError
from isocortex.extraction import extract_geometries, extract_responses
from isocortex.geometry import geometry_of
from isocortex.planning import plan_extraction
from isocortex.rows import SpilledRows
from isocortex.stimuli import StimulusSet


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.5)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * 30 * 30, 5))


def images(count: int = 11) -> StimulusSet:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (count, 40, 48, 3), dtype=np.uint8)
    return StimulusSet("noise", tuple(f"image-{each}" for each in range(count)), list(pixels))


def candidate(module: nn.Module | None = None, **facts) -> Candidate:
    return as_candidate(module or network(), Preprocessing(32, 32), name="tiny", **facts)


def plain_outputs(module: nn.Module, stimuli: StimulusSet) -> list[np.ndarray]:
    """Each layer's output by calling the layers one after the other, without any hook."""
    preprocessing = Preprocessing(32, 32)
    x = torch.stack([preprocessing(stimuli.read(each)) for each in range(len(stimuli))])
    outputs = []
    with torch.no_grad():
        for layer in module:
            x = layer(x)
            outputs.append(x.clone().flatten(1).numpy())
    return outputs


def test_responses_equal_a_plain_forward_pass():
    module, stimuli = network().eval(), images()
    expected = plain_outputs(module, stimuli)
    actual = extract_responses(
        candidate(module, layers=["0", "1", "2", "5"]), stimuli, batch_size=4
    )
    for layer in actual:
        assert actual[layer].dims == ("stimulus", "unit")
        np.testing.assert_allclose(actual[layer].values, expected[int(layer)], atol=1e-5)


def test_an_in_place_operation_does_not_change_the_layer_before_it():
    """The ReLU of `network` is in place: without a copy, its input would lose its minus."""
    responses = extract_responses(candidate(layers=["1"]), images())["1"]
    assert float(responses.min()) < 0


def test_geometries_are_those_of_the_responses():
    chosen = candidate()
    responses, geometries = (f(chosen, images()) for f in (extract_responses, extract_geometries))
    for layer in chosen.layers:
        expected = geometry_of(responses[layer])
        np.testing.assert_allclose(geometries[layer].gram, expected.gram, rtol=1e-12)
        np.testing.assert_allclose(geometries[layer].means, expected.means, rtol=1e-12)
        assert geometries[layer].units == responses[layer].sizes["unit"]


def floor(chosen: Candidate, count: int = 11) -> int:
    """The bytes that an extraction needs besides its rows."""
    plan = plan_extraction(chosen, images(count), memory=10**9)
    return max(plan.working_bytes, plan.fold_bytes)


def test_layers_that_do_not_fit_into_memory_are_spilled_and_stay_the_same(monkeypatch):
    chosen = candidate()
    expected = extract_geometries(chosen, images())
    monkeypatch.setenv("ISOCORTEX_MEMORY_BYTES", str(floor(chosen) + 100))
    actual = extract_geometries(chosen, images())
    for layer in chosen.layers:
        np.testing.assert_array_equal(actual[layer].gram, expected[layer].gram)


def test_spilled_rows_lie_on_disk(monkeypatch):
    from isocortex import rows

    chosen = candidate(layers=["0", "5"])
    monkeypatch.setenv("ISOCORTEX_MEMORY_BYTES", str(floor(chosen) + 4 * 11 * 6))
    kinds = {}
    gather = rows.gather_geometry
    monkeypatch.setattr(
        rows,
        "gather_geometry",
        lambda ids, kept, *, name, means: (
            kinds.update({name: type(kept)}) or gather(ids, kept, name=name, means=means)
        ),
    )
    extract_geometries(chosen, images())
    assert kinds == {"layer 0 of tiny": SpilledRows, "layer 5 of tiny": np.ndarray}


def test_the_module_is_left_in_the_mode_it_came_in():
    module = network()
    chosen = candidate(module)
    module.train()
    first = extract_responses(chosen, images())["5"]
    assert module.training
    assert all(part.training for part in module)
    module.eval()
    np.testing.assert_array_equal(first, extract_responses(chosen, images())["5"])


def test_extraction_is_the_same_every_time():
    first, second = (extract_geometries(candidate(), images()) for _ in range(2))
    for layer in first:
        np.testing.assert_array_equal(first[layer].gram, second[layer].gram)


def test_arrays_reach_a_network_without_preprocessing_as_they_are():
    stimuli = StimulusSet("arrays", ("a", "b", "c"), list(np.eye(3)), modality="array")
    identity = nn.Sequential(nn.Linear(3, 3, bias=False))
    nn.init.eye_(identity[0].weight)
    chosen = as_candidate(identity, None, name="identity", layers=["0"])
    np.testing.assert_array_equal(extract_responses(chosen, stimuli)["0"], np.eye(3))


class Tupled(nn.Module):
    """A layer that answers with several tensors, and one that is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(3, 2, batch_first=True)
        self.unused = nn.Linear(1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.recurrent(x.flatten(2).transpose(1, 2))[0]


def test_the_first_of_several_tensors_is_the_response():
    chosen = candidate(Tupled(), layers=["recurrent"])
    assert extract_responses(chosen, images())["recurrent"].sizes["unit"] == 32 * 32 * 2


def test_a_layer_that_takes_no_part_is_named():
    with pytest.raises(InputError, match="layer unused of tiny takes no part in a forward pass"):
        extract_responses(candidate(Tupled(), layers=["unused"]), images())


def test_a_layer_that_does_not_exist_gets_a_suggestion():
    with pytest.raises(
        UnknownNameError, match=r"of tiny is named 'recurent'; did you mean recurrent"
    ):
        candidate(Tupled(), layers=["recurent"])


def test_a_wrong_image_size_says_what_reached_the_network():
    chosen = as_candidate(network(), Preprocessing(24, 24), name="tiny")
    with pytest.raises(InputError, match=r"tiny failed on stimuli of shape \(11, 3, 24, 24\)"):
        extract_responses(chosen, images())


def test_stimuli_of_different_sizes_are_refused():
    chosen = as_candidate(network(), lambda image: torch.zeros(3, *image.shape[:2]), name="tiny")
    mixed = StimulusSet("mixed", ("a", "b"), [np.zeros((8, n, 3), np.uint8) for n in (8, 9)])
    with pytest.raises(InputError, match="reach tiny in different sizes"):
        extract_responses(chosen, mixed)


def test_responses_that_are_not_finite_are_named():
    module = network()
    nn.init.constant_(module[5].bias, float("nan"))
    with pytest.raises(InputError, match="layer 5 of tiny: the response to stimulus 'image-0'"):
        extract_geometries(candidate(module, layers=["5"]), images())


def test_stimuli_of_another_modality_or_dtype_are_refused():
    arrays = StimulusSet("arrays", ("a",), [np.zeros(3)], modality="array")
    with pytest.raises(InputError, match="takes images; the stimuli of arrays are of the modality"):
        extract_responses(candidate(), arrays)
    words = StimulusSet("words", ("a",), [np.array(["x"])], modality="array")
    with pytest.raises(InputError, match="has dtype <U1; numbers are expected"):
        extract_responses(as_candidate(network(), None, name="tiny"), words)


def test_a_layer_without_a_stimulus_dimension_is_refused():
    class Summed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.total = nn.Flatten(0)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.total(x)

    with pytest.raises(InputError, match="the first dimension must be the stimuli"):
        extract_responses(candidate(Summed(), layers=["total"]), images())
