"""Networks of timm are cut into stages and trained by any rule that takes a chain."""

import sys

import pytest
import torch
from isocortex.model_zoo.architectures.timm_nets import timm_network
from isocortex.model_zoo.learning_rules._credit import Rerouting

from isocortex.errors import InputError
from isocortex.training.loop import load_part

timm = pytest.importorskip("timm", reason="pip install 'isocortex[timm]'")

NETWORKS = {
    "timm-resnet10t": "resnet10t",
    "timm-mobilenetv3-small-050": "mobilenetv3_small_050",
    "timm-regnetx-002": "regnetx_002",
}


def images(side=32):
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NETWORKS)
def test_stages_one_after_the_other_are_timms_network(name):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = load_part("architecture", name)((32, 32)).eval()
        torch.manual_seed(0)
        whole = timm.create_model(NETWORKS[name], num_classes=0).eval()
    assert torch.equal(network(images()), whole(images()))
    assert network(images(8)).shape == (2, network.width)
    assert list(network.blocks)[:2] == ["stem", "stage1"]


@pytest.mark.parametrize("name", NETWORKS)
def test_feedback_that_is_the_weights_is_backpropagation_through_timms_layers(name):
    torch.manual_seed(0)
    network = load_part("architecture", name)((32, 32))
    state = {each: values.clone() for each, values in network.state_dict().items()}
    same = {id(each): each.detach().clone() for each in network.parameters() if each.dim() > 1}
    found = []
    for feedback in ({}, same):
        network.load_state_dict(state)  # batch normalisation counts
        network.zero_grad()
        with Rerouting(feedback):
            loss = network(images()).square().mean()
        loss.backward()
        found.append([each.grad.clone() for each in network.parameters()])
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))
    assert sum(float(each.abs().sum()) for each in found[0]) > 0


def test_without_timm_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"pip install 'isocortex\[timm\]'"):
        timm_network((32, 32), network="resnet10t")
