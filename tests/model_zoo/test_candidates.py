"""Preprocessing, default layers and fingerprints: `isocortex.candidates`."""

import functools
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from torch import nn
from torchvision import models
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as reference
from torchvision.transforms._presets import ImageClassification

from isocortex.candidates import (
    Candidate,
    Preprocessing,
    as_candidate,
    default_layers,
    evenly_spread,
)
from isocortex.errors import InputError, UnknownNameError

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)


def as_tensor(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)


class Power(nn.Module):
    """A layer with a setting that is no parameter and that `repr` does not show."""

    def __init__(self, exponent: float = 2.0) -> None:
        super().__init__()
        self.exponent = exponent

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x**self.exponent


class Cube(Power):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * x * x


def small(last: nn.Module | None = None) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 2, 3), last or nn.ReLU(), nn.Flatten(), nn.Linear(2 * 36, 2))


def candidate(module: nn.Module | None = None, **changes: float) -> Candidate:
    preprocessing = Preprocessing(**{"resize": 8, "crop": 8} | changes)
    return as_candidate(module or small(), preprocessing, name="small")


@pytest.mark.parametrize("shape", [(175, 175), (120, 300), (300, 120), (500, 375)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_preprocessing_equals_the_transforms_of_torchvision(shape, interpolation):
    ours = Preprocessing(resize=73, crop=64, interpolation=interpolation, **IMAGENET)
    theirs = ImageClassification(
        crop_size=64, resize_size=73, interpolation=InterpolationMode(interpolation)
    )
    assert torch.equal(ours(image(*shape)), theirs(PillowImage.fromarray(image(*shape))))


def test_blue_green_red_preprocessing_is_written_out_in_bytes():
    ours = Preprocessing(resize=20, crop=16, scale=255, channels="BGR", mean=(104, 117, 123))
    resized = reference.resize(PillowImage.fromarray(image(40, 30)), [20])
    red, green, blue = as_tensor(np.array(reference.center_crop(resized, [16, 16]))).float()
    assert torch.equal(ours(image(40, 30)), torch.stack([blue - 104, green - 117, red - 123]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"crop": 9}, "crop 9 does not fit into an image resized to 8"),
        ({"crop": 0}, "crop 0"),
        ({"std": (0.2, 0.2, 0.0)}, "must be positive"),
        ({"scale": 0.0}, "must be positive"),
        ({"mean": (0.5,)}, "one number per channel"),
        ({"channels": "GBR"}, "'GBR' is not one of RGB, BGR"),
        ({"interpolation": "nearest"}, "'nearest' is not one of bilinear, bicubic"),
    ],
)
def test_arguments_without_meaning_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Preprocessing(**{"resize": 8, "crop": 8} | arguments)


@pytest.mark.parametrize(
    "picture", [np.zeros((8, 8, 3)), np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8)]
)
def test_only_uint8_pictures_of_three_colours_are_preprocessed(picture):
    with pytest.raises(InputError, match=r"uint8 \(height, width, 3\); got"):
        Preprocessing(resize=8, crop=8)(picture)


def test_an_unknown_layer_is_answered_with_the_nearest_ones():
    with pytest.raises(UnknownNameError, match=r"no layer of small is named '2\.1'; did you mean"):
        as_candidate(nn.Sequential(small(), small()), None, name="small", layers=["2.1"])


@pytest.mark.parametrize("layers", [(), ("0", "0")])
def test_layers_are_named_once_and_at_least_one(layers):
    with pytest.raises(InputError, match="named once each"):
        as_candidate(small(), None, name="small", layers=layers)


def test_default_layers_of_a_residual_network_are_its_blocks_and_its_readout():
    blocks = [f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)]
    assert default_layers(models.resnet18()) == (*blocks, "avgpool", "fc")


def test_default_layers_of_a_transformer_are_found_inside_its_encoder():
    layers = default_layers(models.vit_b_16())
    blocks = [f"encoder.layers.encoder_layer_{block}" for block in range(12)]
    assert layers == (*blocks, "encoder.ln", "heads.head")


def test_default_layers_of_a_plain_stack_are_all_its_operations():
    assert default_layers(small()) == ("0", "1", "3")


def test_default_layers_look_through_a_wrapper():
    wrapped = nn.Module()
    wrapped.network = models.resnet18()
    assert default_layers(wrapped) == tuple(
        f"network.{layer}" for layer in default_layers(models.resnet18())
    )


def test_default_layers_are_at_most_as_many_as_asked_and_end_with_the_last():
    deep = nn.Sequential(*(nn.Linear(2, 2) for _ in range(40)))
    layers = default_layers(deep)
    assert (len(layers), layers[0], layers[-1]) == (16, "0", "39")
    assert default_layers(deep, most=2) == ("0", "39")


def test_a_module_without_parts_needs_its_layers_named():
    with pytest.raises(InputError, match="Linear has no named blocks"):
        default_layers(nn.Linear(2, 2))


def test_one_of_several_names_is_the_first():
    assert evenly_spread(["a", "b"], most=1) == ("a",)


def test_equal_networks_have_equal_fingerprints():
    assert candidate().fingerprint == candidate().fingerprint


def test_running_a_network_does_not_change_its_fingerprint():
    first, second = candidate(), candidate()
    second.module.register_forward_hook(lambda *_: None)
    second.module(torch.ones(1, 3, 8, 8))
    assert first.fingerprint == second.fingerprint


@pytest.mark.parametrize(
    "changed",
    [
        {"resize": 9},
        {"crop": 7},
        {"mean": (0.0, 0.0, 1e-6)},
        {"std": (1.0, 1.0, 1.000001)},
        {"scale": 255.0},
        {"channels": "BGR"},
        {"interpolation": "bicubic"},
    ],
)
def test_each_number_of_the_preprocessing_is_in_the_fingerprint(changed):
    assert candidate(**changed).network_hash != candidate().network_hash


def test_one_weight_is_in_the_fingerprint():
    module = small()
    module[0].weight.data[0, 0, 0, 0] += 1e-6
    assert candidate(module).network_hash != candidate().network_hash


def test_type_and_shape_of_the_weights_are_in_the_fingerprint():
    def zeros(*shape: int, kind: torch.dtype) -> nn.Module:
        module = nn.Sequential(nn.ReLU(), nn.ReLU())
        module.register_buffer("zeros", torch.zeros(*shape, dtype=kind))
        return module

    one, other = torch.half, torch.bfloat16  # as many bytes, and NumPy lacks the second
    made = [zeros(2, 3, kind=one), zeros(2, 3, kind=other), zeros(3, 2, kind=one)]
    assert len({candidate(module).weights_hash for module in made}) == 3


def test_a_buffer_that_is_not_saved_is_in_the_fingerprint():
    def buffered(value: float) -> nn.Module:
        module = small()
        module.register_buffer("offset", torch.tensor(value), persistent=False)
        return module

    assert candidate(buffered(1)).network_hash != candidate(buffered(2)).network_hash


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (nn.LeakyReLU(0.1), nn.LeakyReLU(0.2)),  # a setting
        (Power(2.0), Power(3.0)),  # a setting that repr does not show
        (Power(3.0), Cube(3.0)),  # another forward
        (nn.ReLU(), nn.GELU()),  # another kind without weights
    ],
)
def test_settings_and_code_are_in_the_fingerprint(one, other):
    assert candidate(small(one)).network_hash != candidate(small(other)).network_hash


def test_code_that_was_inherited_is_in_the_fingerprint(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    hashes = set()
    for name, factor in (("inherited_one", 2), ("inherited_two", 3)):
        code = f"""
            from torch import nn
            class Base(nn.Module):
                def forward(self, x): return x * {factor}
            Base.__module__ = "parent"
            class Child(Base): pass
            Child.__module__ = "child"
        """
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(code))
        child = __import__(name).Child()
        hashes.add(candidate(small(child)).network_hash)
    assert len(hashes) == 2


def test_functions_that_the_code_calls_are_in_the_fingerprint(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    hashes = set()
    for name, factor in (("calling_one", 2), ("calling_two", 3)):
        code = f"""
            from functools import cache
            from torch import nn
            def called(x): return x * factor()
            @cache
            def factor(): return {factor}
            called.__module__ = factor.__module__ = "functions"
            class Net(nn.Module):
                def forward(self, x): return called(x)
            Net.__module__ = "network"
        """
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(code))
        hashes.add(candidate(small(__import__(name).Net())).network_hash)
    assert len(hashes) == 2


def typed_at_a_prompt(body: str) -> nn.Module:
    names: dict[str, type[nn.Module]] = {"Module": nn.Module, "__name__": "prompt"}
    exec(f"class Typed(Module):\n    def forward(self, x): return {body}", names)
    return names["Typed"]()


def test_code_without_a_source_file_is_in_the_fingerprint():
    hashes = [
        candidate(small(typed_at_a_prompt(body))).network_hash
        for body in ("x * 2", "x * 2", "x * 3")
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_layers_and_components_make_another_version_and_prose_does_not():
    whole, part = candidate(), candidate().with_layers(["1"])
    assert (part.layers, part.card.name) == (("1",), "small[1]")
    assert part.network_hash == whole.network_hash
    hebbian = replace(whole, card=replace(whole.card, learning_rule="hebbian"))
    assert len({whole.fingerprint, part.fingerprint, hebbian.fingerprint}) == 3
    reworded = replace(whole, card=replace(whole.card, summary="said otherwise"))
    assert reworded.fingerprint == whole.fingerprint


def test_any_callable_preprocesses_and_is_known_by_its_effect():
    def dark(picture: np.ndarray, *, factor: float) -> torch.Tensor:
        return as_tensor(picture).float() * factor

    def hashed(factor: float) -> str:
        function = functools.partial(dark, factor=factor)
        return as_candidate(small(), function, name="small").network_hash

    assert hashed(0.5) == hashed(0.5) != hashed(0.25)


def test_random_preprocessing_is_refused():
    noisy = as_candidate(small(), lambda picture: torch.rand(3, 8, 8), name="small")
    with pytest.raises(InputError, match="preprocessing is random"):
        _ = noisy.network_hash


HASHING = """
import json
from isocortex.candidates import as_candidate
from isocortex.registry import find_entry
from module_of_the_test import Net

entry = find_entry("candidate", "mobilenet_v1/untrained#0")
known = {"gabor": find_entry("candidate", "gabor_energy"), "mobilenet": entry}
hashes = {key: item.load()(item.card).fingerprint for key, item in known.items()}
print(json.dumps(hashes | {"net": as_candidate(Net(), None, name="net").fingerprint}))
"""
NET = """
from torch import nn

class Anything: pass

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = {"one", "two", "three", "four", "five"}
        self.function, self.thing = len, Anything()
        self.rectify = lambda x: x.relu()
        self.linear = nn.Linear(2, 2)
        nn.init.ones_(self.linear.weight)
        nn.init.ones_(self.linear.bias)
"""


def test_fingerprints_are_equal_in_every_process(tmp_path: Path):
    (tmp_path / "module_of_the_test.py").write_text(NET)
    found = []
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(tmp_path)}
        run = subprocess.run(
            [sys.executable, "-c", HASHING], env=environment, capture_output=True, check=True
        )
        found.append(json.loads(run.stdout))
    assert found[0] == found[1]
    assert set(found[0]) == {"gabor", "mobilenet", "net"}


@pytest.mark.parametrize("name", ["pixels", "gabor_energy", "mobilenet_v1/untrained#1"])
def test_a_candidate_that_is_loaded_twice_is_the_same(
    load_candidate: Callable[[str], Candidate], name: str
):
    assert load_candidate(name).fingerprint == load_candidate(name).fingerprint


def test_any_module_becomes_a_candidate_with_what_is_told_of_it():
    given = as_candidate(small().train(), None, name="mine", objective="categorise")
    assert (given.card.objective, given.card.diet) == ("categorise", "unknown")
    assert not given.module.training
    assert given.parameters == 2 * (3 * 9) + 2 + 2 * (2 * 36) + 2
