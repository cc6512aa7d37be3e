"""ONNX: what comes out of the jail is what the network answers, in every form of the file."""

import numpy as np
import onnx
import pytest
import torch

from isocortex import runs
from isocortex.candidates import Preprocessing, as_candidate
from isocortex.errors import JailError, RejectedError
from isocortex.jail import Limits
from isocortex.submissions.loading import MOST_UNITS, _shape, loaded

from .made import checked, onnx_twin, stored, torch_network, written


def images(count: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(size=(count, 3, 32, 32))).float()


def answers_of(candidate, batch: torch.Tensor) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    handles = [
        candidate.module.get_submodule(layer).register_forward_hook(
            lambda module, inputs, output, layer=layer: found.update({layer: output})
        )
        for layer in candidate.layers
    ]
    with torch.no_grad():
        candidate.module(batch)
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize(
    "form",
    [{}, {"batch": 1}, {"batch": 4}, {"layout": "NHWC"}, {"half": True}],
    ids=["any batch", "one image", "four images", "channels last", "half precision"],
)
def test_layers_answer_as_those_of_the_torch_network(tmp_path, form):
    path = written(tmp_path, onnx_twin(**form))
    layout = {"input": {"layout": form.get("layout", "NCHW")}}
    found = checked(path, "onnx", layers=["edges", "out"], **layout)
    batch = images(6)
    twin = torch_network()
    with torch.no_grad():
        expected = {"edges": twin[:2](batch), "out": twin(batch)}
    with loaded(stored(found), path) as candidate:
        answers = answers_of(candidate, batch)
    for layer, values in expected.items():
        tolerance = 2e-2 if "half" in form else 1e-5
        np.testing.assert_allclose(answers[layer], values, rtol=0, atol=tolerance)


def test_the_score_is_that_of_the_torch_network(tmp_path, benchmark, empty_home):
    path = written(tmp_path, onnx_twin())
    preprocessing = Preprocessing(32, 32, mean=(0.5,) * 3, std=(0.25,) * 3)
    twin = as_candidate(torch_network(), preprocessing, name="twin", layers=("1", "4"))
    expected = runs.score(twin, benchmark)
    with loaded(stored(checked(path, "onnx", layers=["edges", "out"])), path) as candidate:
        score = runs.score(candidate, benchmark)
        assert candidate.parameters == twin.parameters
    assert score.raw == pytest.approx(expected.raw, abs=1e-5)
    assert (score.low, score.high) == pytest.approx((expected.low, expected.high), abs=1e-5)


def test_without_layers_activations_and_outputs_are_chosen(tmp_path):
    found = checked(written(tmp_path, onnx_twin()), "onnx")
    assert found.source["layers"] == ["edges", "p", "out"]
    assert found.source["parameters"] == 8 * 3 * 25 + 8 + 10 * 128 + 10


def test_versions_follow_from_file_layers_and_preprocessing_alone(tmp_path):
    path = written(tmp_path, onnx_twin())
    found = stored(checked(path, "onnx", layers=["edges"]))
    renamed = stored(checked(written(tmp_path, onnx_twin(), "other"), "onnx", layers=["edges"]))
    worded = stored(checked(path, "onnx", layers=["edges"], card={"summary": "in other words"}))
    resized = stored(
        checked(path, "onnx", layers=["edges"], preprocessing={"resize": 40, "crop": 32})
    )
    versions = []
    for submission in (found, renamed, worded, resized):
        with loaded(submission, path) as candidate:
            versions.append(candidate.fingerprint)
    assert versions[0] == versions[1] == versions[2] != versions[3]
    assert found.content_hash == worded.content_hash != resized.content_hash


def test_layers_that_are_not_there_are_named_with_the_nearest(tmp_path):
    path = written(tmp_path, onnx_twin())
    with pytest.raises(RejectedError) as caught:
        checked(path, "onnx", layers=["edgs", "out", "nothing"])
    assert [fault[:8] for fault in caught.value.faults] == ["layers: ", "layers: "]
    assert "did you mean edges" in caught.value.faults[0]


def test_images_of_another_size_than_the_model_takes_are_refused(tmp_path):
    path = written(tmp_path, onnx_twin())
    with pytest.raises(RejectedError, match="preprocessing: 1 images of 16 × 16 fail"):
        checked(path, "onnx", preprocessing={"resize": 16, "crop": 16})


def test_the_network_is_stopped_at_its_limits(tmp_path):
    path = written(tmp_path, onnx_twin())
    found = stored(checked(path, "onnx", layers=["out"]))
    with (
        pytest.raises(JailError, match="stopped"),
        loaded(found, path, limits=Limits(memory_bytes=32 * 2**20)) as candidate,
    ):
        answers_of(candidate, images(1))


def test_after_an_answer_was_refused_the_next_batch_is_answered(tmp_path):
    path = written(tmp_path, onnx_twin())
    with loaded(stored(checked(path, "onnx", layers=["edges", "out"])), path) as candidate:
        hook = candidate.module.get_submodule("edges").register_forward_hook(
            lambda module, inputs, output: 1 / 0
        )
        with pytest.raises(ZeroDivisionError):
            candidate.module(images(2))
        hook.remove()
        assert answers_of(candidate, images(2))["out"].shape == (2, 10)


def test_names_of_layers_may_be_those_of_methods_and_hold_dots(tmp_path):
    model = onnx.ModelProto.FromString(onnx_twin())
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [{"edges": "forward", "p": "a..b"}.get(each, each) for each in names]
    path = written(tmp_path, model.SerializeToString())
    with pytest.raises(RejectedError, match=r"'\.\.'"):
        checked(path, "onnx", layers=["a..b"])
    with loaded(stored(checked(path, "onnx", layers=["forward"])), path) as candidate:
        assert answers_of(candidate, images(1))["forward"].shape == (1, 8, 16, 16)


@pytest.mark.parametrize("said", [[2**16, 2**16], [MOST_UNITS + 1], [0], [2**40], "3", [1] * 8])
def test_a_shape_that_would_take_all_memory_is_none(said):
    with pytest.raises(JailError, match="a shape that is none"):
        _shape(said)
    assert _shape([MOST_UNITS]) == (MOST_UNITS,)
