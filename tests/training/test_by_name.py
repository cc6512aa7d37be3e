"""Networks of torchvision and timm are built by their own names and trained as they are."""

import pytest
import torch

from isocortex.budgets import BUDGETS, Budget
from isocortex.errors import InputError, UnknownNameError
from isocortex.registry import find_entry
from isocortex.runs import load_candidate
from isocortex.training import load_part

TORCHVISION = ("alexnet", "convnext_tiny", "mobilenet_v3_small", "resnet18", "shufflenet_v2_x0_5")


def made(name, size=64):
    torch.manual_seed(0)
    return load_part("architecture", name)((size, size)).eval()


@pytest.mark.parametrize("name", TORCHVISION)
def test_a_network_of_torchvision_answers_as_it_does_below_its_classifier(name):
    from torchvision.models import get_model

    network = made(f"torchvision-{name}")
    torch.manual_seed(0)
    whole = get_model(name, weights=None).eval()
    images = torch.randn(2, 3, 64, 64)
    linear = [each for each in whole.modules() if isinstance(each, torch.nn.Linear)][-1]
    seen = []
    linear.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    with torch.no_grad():
        whole(images)
        assert torch.equal(network(images), seen[0])
    assert network.width == seen[0].shape[1]


def test_a_network_of_timm_is_timms_own():
    timm = pytest.importorskip("timm")
    network = made("timm-resnet10t")  # a part of its own, cut into stages
    assert "stage1" in network.blocks
    network = made("timm-convnext_atto")
    torch.manual_seed(0)
    whole = timm.create_model("convnext_atto", num_classes=0).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(network(images), whole(images))
    assert all(layer.startswith("blocks.network.") for layer in network.layers)


def test_the_card_of_a_member_names_it():
    entry = find_entry("architecture", "torchvision-resnet50")
    assert (entry.name, entry.card.name) == ("torchvision-resnet50",) * 2
    assert entry.card.options == {"library": "torchvision", "member": "resnet50"}


@pytest.mark.parametrize(
    ("name", "size", "error", "message"),
    [
        ("torchvision-resnet19", 64, UnknownNameError, "did you mean resnet1"),
        ("timm-resnet10", 64, UnknownNameError, "network of timm"),
        ("torchvision-squeezenet1_0", 64, InputError, "no linear classifier to leave out"),
        ("torchvision-vit_b_32", 64, InputError, "can't take images of 64 × 64 pixels"),
        ("torchvision-alexnet", 16, InputError, "can't take images of 16 × 16 pixels"),
    ],
)
def test_what_cannot_be_had_is_told(name, size, error, message):
    if name.startswith("timm"):
        pytest.importorskip("timm")
    with pytest.raises(error, match=message):
        made(name, size)


def test_a_member_is_trained_and_read_out_at_its_children(monkeypatch, empty_home):
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 2, batch=8))
    candidate = load_candidate("torchvision-resnet18/categorise/feedback@gratings32:brief#0")
    assert candidate.layers[-1] == "blocks.network.layer4"
    assert "blocks.network.layer1" in candidate.layers
