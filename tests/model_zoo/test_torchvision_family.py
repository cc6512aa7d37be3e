"""The torchvision family: names, weights by URL, preprocessing and layers of every network."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from isocortex.model_zoo import torchvision_family
from PIL import Image as PillowImage
from torchvision import models

from isocortex.candidates import Candidate, Preprocessing
from isocortex.errors import ChecksumError, FetchError, InputError, UnknownNameError
from isocortex.registry import family_card, find_entry

Load = Callable[[str], Candidate]
WEIGHTS = models.SqueezeNet1_1_Weights.IMAGENET1K_V1


@pytest.fixture
def publish(
    tmp_path: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """A function that puts weights into a mirror, where torchvision says that they are."""
    folder = tmp_path / "mirror" / "download.pytorch.org" / "models"
    folder.mkdir(parents=True)
    monkeypatch.setenv("ISOCORTEX_MIRROR", str(tmp_path / "mirror"))

    def publish(state: dict[str, torch.Tensor], weights=WEIGHTS, digest: str = "") -> str:
        torch.save(state, folder / "made.pth")
        digest = digest or hashlib.sha256((folder / "made.pth").read_bytes()).hexdigest()[:8]
        name = f"network-{digest}.pth"
        (folder / "made.pth").rename(folder / name)
        monkeypatch.setattr(weights.value, "url", f"https://download.pytorch.org/models/{name}")
        return digest

    return publish


def test_the_family_lists_every_classifier_without_any_other_network():
    names = getattr(
        torchvision_family, family_card(find_entry("candidate_family", "torchvision")).members
    )()
    assert {"alexnet", "resnet50", "vit_b_16", "swin_v2_t", "maxvit_t"} <= set(names)
    assert not [name for name in names if "quantized" in name or "rcnn" in name or "r3d" in name]


@pytest.mark.parametrize("member", ["squeezenet1_1", "squeezenet1_1/IMAGENET1K_V1"])
def test_a_trained_network_has_the_published_weights(publish, load_candidate: Load, member: str):
    state = models.squeezenet1_1().state_dict()
    digest = publish(state)
    candidate = load_candidate(f"torchvision/{member}")
    assert candidate.card.name == "torchvision/squeezenet1_1/IMAGENET1K_V1"
    assert candidate.card.files["weights"].sha256 == digest
    assert candidate.card.accuracy == "ImageNet top-1 58.178 %"
    loaded = candidate.module.state_dict()
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def test_weights_whose_name_tells_another_checksum_are_refused(publish, load_candidate: Load):
    publish(models.squeezenet1_1().state_dict(), digest="0badc0de")
    with pytest.raises(ChecksumError, match="expected SHA-256 0badc0de"):
        load_candidate("torchvision/squeezenet1_1")


def test_weights_that_are_nowhere_name_their_address(
    empty_home: Path, monkeypatch: pytest.MonkeyPatch, load_candidate: Load
):
    monkeypatch.delenv("ISOCORTEX_MIRROR", raising=False)
    monkeypatch.setattr("isocortex.fetching._download", unreachable)
    with pytest.raises(FetchError, match=r"download\.pytorch\.org/models/squeezenet1_1-b8a52dc0"):
        load_candidate("torchvision/squeezenet1_1")


def unreachable(url: str, folder: Path) -> Path:
    raise OSError("no route to host")


def test_weights_of_another_network_do_not_fit(publish, load_candidate: Load):
    publish(models.squeezenet1_0().state_dict())
    with pytest.raises(InputError, match="IMAGENET1K_V1 do not fit SqueezeNet: Missing key"):
        load_candidate("torchvision/squeezenet1_1")


def test_names_of_old_densenet_files_are_understood(publish, load_candidate: Load):
    state = models.densenet121().state_dict()
    old = {}
    for name, value in state.items():
        for part in ("norm", "conv"):
            if "denselayer" in name:
                name = name.replace(f".{part}1.", f".{part}.1.").replace(
                    f".{part}2.", f".{part}.2."
                )
        old[name] = value
    assert set(old) != set(state)
    publish(old, weights=models.DenseNet121_Weights.IMAGENET1K_V1)
    loaded = load_candidate("torchvision/densenet121").module.state_dict()
    assert all(torch.equal(loaded[name], state[name]) for name in state)


@pytest.mark.parametrize("network", ["squeezenet1_1", "mobilenet_v3_small", "resnet18"])
def test_an_untrained_network_is_torchvisions_own_of_that_seed(load_candidate: Load, network: str):
    candidate = load_candidate(f"torchvision/{network}/untrained#3")
    torch.manual_seed(3)
    expected = models.get_model(network).state_dict()
    loaded = candidate.module.state_dict()
    assert all(torch.equal(loaded[name], expected[name]) for name in expected)
    card = candidate.card
    assert (card.seed, card.objective, card.learning_rule, card.diet) == (
        3,
        "none",
        "untrained",
        "none",
    )


def test_an_untrained_network_answers_from_every_layer(load_candidate: Load):
    candidate, seen = load_candidate("torchvision/mobilenet_v3_small/untrained#0"), []
    for layer in candidate.layers:
        part = candidate.module.get_submodule(layer)
        part.register_forward_hook(lambda *call, layer=layer: seen.append(layer))
    picture = np.random.default_rng(0).integers(0, 256, (300, 240, 3), dtype=np.uint8)
    with torch.no_grad():
        candidate.module(candidate.preprocessing(picture)[None])
    assert tuple(seen) == candidate.layers


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("resnet5", "no torchvision network is named 'resnet5'; did you mean resnet50"),
        (
            "resnet18/IMAGENET",
            "no variant of resnet18 is named 'IMAGENET'; did you mean IMAGENET1K_V1",
        ),
        (
            "resnet18/untrained",
            "no variant of resnet18 is named 'untrained'; did you mean untrained#0",
        ),
        ("resnet18/untrained#x", "did you mean untrained#0"),
    ],
)
def test_unknown_members_are_answered_with_the_nearest_ones(load_candidate: Load, member, message):
    with pytest.raises(UnknownNameError, match=message):
        load_candidate(f"torchvision/{member}")


def every_weights() -> list[object]:
    names = torchvision_family.members()
    return [weights for name in names for weights in models.get_model_weights(name)]


@pytest.mark.parametrize("weights", every_weights(), ids=lambda weights: str(weights))
def test_all_weights_have_a_checksum_and_a_preprocessing(weights):
    card = torchvision_family._trained_card("resnet18", weights)
    assert len(card.files["weights"].sha256) in (8, 10)
    assert Preprocessing(**card.preprocessing).crop == weights.transforms().crop_size[0]


@pytest.mark.parametrize(
    "weights",
    [
        models.ResNet50_Weights.IMAGENET1K_V2,
        models.EfficientNet_B0_Weights.IMAGENET1K_V1,
        models.VGG16_Weights.IMAGENET1K_FEATURES,
        models.ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1,
    ],
)
def test_preprocessing_equals_what_the_weights_ask_for(weights):
    ours = Preprocessing(**torchvision_family._trained_card("resnet50", weights).preprocessing)
    picture = np.random.default_rng(0).integers(0, 256, (175, 200, 3), dtype=np.uint8)
    assert torch.equal(ours(picture), weights.transforms()(PillowImage.fromarray(picture)))


@pytest.mark.parametrize(
    ("network", "term"),
    [
        ("resnext50_32x4d", "residual"),
        ("wide_resnet50_2", "residual"),
        ("swin_t", "transformer"),
        ("vit_b_16", "transformer"),
        ("mnasnet0_5", "depthwise-separable"),
        ("vgg11", "convolutional"),
        ("densenet121", "convolutional"),
    ],
)
def test_the_architecture_follows_from_the_name(network: str, term: str):
    assert torchvision_family._architecture(network) == term


@pytest.mark.parametrize(
    ("network", "first", "last"),
    [
        ("alexnet", "features.1", "classifier.5"),
        ("vgg11", "features.1", "classifier.4"),
        ("densenet121", "features.denseblock1", "classifier"),
        ("googlenet", "inception3a", "fc"),
        ("maxvit_t", "blocks.0.layers.0", "classifier.5"),
        ("resnet18", "layer1.0", "fc"),
        ("swin_t", "features.0", "head"),
        ("convnext_tiny", "features.0", "classifier.2"),
        ("efficientnet_b0", "features.0", "classifier.1"),
        ("regnet_y_400mf", "trunk_output.block1.block1-0", "fc"),
        ("shufflenet_v2_x0_5", "stage2.0", "fc"),
    ],
)
def test_networks_are_read_out_from_their_first_block_to_their_last(network, first, last):
    weights = models.get_model_weights(network).DEFAULT
    module = torchvision_family._built(network, weights, is_drawn=False)
    layers = torchvision_family._layers(network, module)
    assert (layers[0], layers[-1]) == (first, last)
    assert 7 <= len(layers) <= 16


def test_weights_for_larger_images_get_a_transformer_of_that_size():
    weights = models.ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1
    with torch.device("meta"):
        module = torchvision_family._built("vit_b_16", weights, is_drawn=False)
    assert (
        module.image_size
        == torchvision_family._trained_card("vit_b_16", weights).preprocessing["crop"]
    )


def test_weights_from_hashtags_say_so():
    weights = models.ViT_B_16_Weights.IMAGENET1K_SWAG_LINEAR_V1
    assert torchvision_family._trained_card("vit_b_16", weights).diet == "instagram-hashtags"
