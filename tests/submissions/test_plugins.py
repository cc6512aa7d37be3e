"""Plug-ins run their own code, and only where an operator approved the account."""

import pytest
import torch

from isocortex.errors import InputError, RejectedError
from isocortex.submissions.loading import loaded

from .made import checked, form_of, stored, torch_network, written

PLUGIN = b"""
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)
    def forward(self, images):
        return self.conv(images).mean((2, 3))

def model():
    return Net()

def broken():
    raise KeyError("no weights")
"""


@pytest.mark.parametrize("name", ["python", "pickle", "pt2", "torchscript"])
def test_a_user_may_not_submit_one_and_is_told_what_to_submit(tmp_path, name):
    path = written(tmp_path, PLUGIN)
    with pytest.raises(RejectedError, match=r"kind: .*approved.*Submit ONNX"):
        checked(path, "plugin", plugin={"format": name})


@pytest.mark.parametrize("role", ["trusted", "admin"])
def test_an_approved_account_s_module_is_made_by_its_code(tmp_path, role):
    path = written(tmp_path, PLUGIN)
    found = stored(checked(path, "plugin", role=role, layers=["conv"]))
    with loaded(found, path) as candidate:
        assert candidate.layers == ("conv",)
        assert candidate.card.name == "ada/net"
        assert candidate.module(torch.zeros(1, 3, 8, 8)).shape == (1, 2)


def test_a_plug_in_that_fails_is_told_as_the_model_s_fault(tmp_path):
    path = written(tmp_path, PLUGIN)
    plugin = {"format": "python", "function": "broken"}
    found = stored(checked(path, "plugin", role="trusted", plugin=plugin))
    with pytest.raises(InputError, match="KeyError"), loaded(found, path):
        pass


def test_a_pickled_module_is_unpickled(tmp_path):
    path = tmp_path / "net.pt"
    torch.save(torch_network(), path)
    found = stored(checked(path, "plugin", role="trusted", plugin={"format": "pickle"}))
    with loaded(found, path) as candidate:
        assert candidate.module(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


def test_the_layers_of_a_closed_format_are_its_output_alone(tmp_path):
    path = written(tmp_path, PLUGIN)
    with pytest.raises(RejectedError, match="the layer 'network'"):
        checked(path, "plugin", role="trusted", plugin={"format": "pt2"}, layers=["conv"])
    assert form_of("plugin")["plugin"] == {"format": "python"}
