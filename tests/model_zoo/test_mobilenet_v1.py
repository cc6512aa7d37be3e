"""MobileNetV1: one architecture, three objectives."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from isocortex.model_zoo.mobilenet_v1 import MobileNetV1

from isocortex.candidates import Candidate
from isocortex.fetching import fetch
from isocortex.registry import candidate_card, find_entry

Load = Callable[[str], Candidate]
WIDTHS = [8, 16, 32, 32, 64, 64, *6 * [128], 256, 256]


def test_parameters_are_counted_as_in_the_paper():
    separable = (
        9 * inputs + 2 * inputs + inputs * outputs + 2 * outputs
        for inputs, outputs in pairwise(WIDTHS)
    )
    stem, classifier = 27 * 8 + 2 * 8, 256 * 1000 + 1000
    parameters = sum(parameter.numel() for parameter in MobileNetV1().parameters())
    assert parameters == stem + sum(separable) + classifier


def test_an_image_is_halved_five_times():
    network = MobileNetV1(classes=None).eval()
    images = torch.rand(2, 3, 64, 96)
    assert network.stage1(images).shape == (2, 64, 64 // 8, 96 // 8)
    assert network.stage3(network.stage2(network.stage1(images))).shape == (2, 256, 2, 3)
    assert network(images).shape == (2, 256)


def test_untrained_networks_differ_by_seed_and_nothing_else(load_candidate: Load):
    first, second = (load_candidate(f"mobilenet_v1/untrained#{seed}") for seed in (1, 12))
    assert (first.card.seed, second.card.seed) == (1, 12)
    assert first.layers == second.layers
    assert first.weights_hash != second.weights_hash


def test_untrained_responses_keep_their_size(load_candidate: Load):
    network, images = load_candidate("mobilenet_v1/untrained#0").module, torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        size = network.stage3(network.stage2(network.stage1(images))).std()
    assert 0.1 < size < 10


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("name", "entry", "weight"),
    [
        ("imagenet", "state_dict", "module.stage3.1.3.weight"),
        ("faces", None, "body.stage3.1.3.weight"),
    ],
)
def test_trained_weights_are_those_of_the_file(load_candidate: Load, name, entry, weight):
    candidate = load_candidate(f"mobilenet_v1/{name}")
    content = torch.load(
        fetch(candidate.card.files["weights"]), map_location="cpu", weights_only=True
    )
    published = (content[entry] if entry else content)[weight]
    assert torch.equal(candidate.module.state_dict()[weight.partition(".")[2]], published)


@pytest.mark.mirror
def test_objectives_share_architecture_and_layers(load_candidate: Load):
    names = ("imagenet", "faces", "untrained#0")
    layers = {load_candidate(f"mobilenet_v1/{name}").layers for name in names}
    assert layers == {
        (
            *(f"stage1.{block}" for block in range(6)),
            *(f"stage2.{block}" for block in range(6)),
            *(f"stage3.{block}" for block in range(2)),
        )
    }


def test_the_face_detector_takes_bytes_in_blue_green_red():
    card = candidate_card(find_entry("candidate", "mobilenet_v1/faces"))
    facts = card.preprocessing
    assert (facts["channels"], facts["scale"], facts["mean"]) == ("BGR", 255, (104, 117, 123))
