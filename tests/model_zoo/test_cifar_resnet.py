"""CIFAR-10 residual networks."""

from collections.abc import Callable

import pytest
import torch
from isocortex.model_zoo.cifar_resnet import CifarResNet, ResidualBlock

from isocortex.candidates import Candidate
from isocortex.fetching import fetch

Load = Callable[[str], Candidate]


@pytest.mark.parametrize(("blocks", "millions"), [(3, 0.27), (5, 0.46), (7, 0.66), (9, 0.85)])
def test_networks_have_as_many_parameters_as_in_the_paper(blocks: int, millions: float):
    parameters = sum(parameter.numel() for parameter in CifarResNet(blocks).parameters())
    assert round(parameters / 1e6, 2) == millions


def test_a_shortcut_takes_every_second_pixel_and_centres_the_old_channels():
    block = ResidualBlock(16, 32).eval()
    torch.nn.init.zeros_(block.conv2.weight)
    images = torch.rand(1, 16, 8, 8)
    answer = block(images)
    assert torch.equal(answer[:, 8:24], images[:, :, ::2, ::2])
    assert not answer[:, :8].any()
    assert not answer[:, 24:].any()


@pytest.mark.mirror
def test_every_depth_is_read_out_at_as_many_layers(load_candidate: Load):
    deepest = load_candidate("cifar_resnet/56")
    blocks = [f"layer{stage}.{block}" for stage in (1, 2, 3) for block in (0, 4, 8)]
    assert deepest.layers == (*blocks, "pool")
    assert len(load_candidate("cifar_resnet/20").layers) == len(deepest.layers)


@pytest.mark.mirror
@pytest.mark.parametrize("depth", [20, 32, 44, 56])
def test_weights_are_those_of_the_file(load_candidate: Load, depth: int):
    candidate = load_candidate(f"cifar_resnet/{depth}")
    path = fetch(candidate.card.files["weights"])
    content = torch.load(path, map_location="cpu", weights_only=True)
    assert candidate.card.accuracy == f"CIFAR-10 top-1 {content['best_prec1']:.2f} %"
    ours, theirs = candidate.module.state_dict(), content["state_dict"]
    assert all(torch.equal(ours[name.removeprefix("module.")], theirs[name]) for name in theirs)
    extra = set(ours) - {name.removeprefix("module.") for name in theirs}
    assert all(name.endswith("num_batches_tracked") for name in extra)


def test_the_untrained_twin_shares_architecture_and_image_size(load_candidate: Load):
    twin = load_candidate("cifar_resnet/20-untrained#0")
    assert twin.parameters == sum(p.numel() for p in CifarResNet(3).parameters())
    assert twin.card.preprocessing["crop"] == 32
