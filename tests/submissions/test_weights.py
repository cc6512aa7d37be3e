"""Weights with a registered architecture: the zoo's own network, and all mismatches at once."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from isocortex import runs
from isocortex.errors import FetchError, InputError, RejectedError
from isocortex.submissions import entering
from isocortex.submissions.checking import check
from isocortex.submissions.forms import read_form
from isocortex.submissions.loading import loaded
from isocortex.trained import trained_candidate

from .made import COMMIT, Somebody, checked, form_of, stored

RECIPE = "conv4/categorise/backprop@cifar10:short#0"


@pytest.fixture(scope="module")
def own():
    return trained_candidate(RECIPE)


@pytest.fixture(scope="module")
def state(own):
    return {name: value.contiguous() for name, value in own.module.state_dict().items()}


def preprocessing_of(candidate):
    given = candidate.preprocessing
    return {
        "resize": given.resize,
        "crop": given.crop,
        "mean": list(given.mean),
        "std": list(given.std),
    }


def test_the_score_is_that_of_the_zoo_s_own_candidate(tmp_path, own, state, benchmark, empty_home):
    path = tmp_path / "w.safetensors"
    save_file(state, path)
    found = checked(path, "weights", preprocessing=preprocessing_of(own))
    assert found.source["layers"] == list(own.layers)
    expected = runs.score(own, benchmark)
    with loaded(stored(found), path) as candidate:
        score = runs.score(candidate, benchmark)
        assert candidate.parameters == own.parameters
    assert (score.raw, score.low, score.high) == (expected.raw, expected.low, expected.high)


def test_every_key_and_shape_that_does_not_fit_is_listed_at_once(tmp_path, state):
    broken = dict(state)
    removed = broken.pop("blocks.block1.0.weight")
    broken["blocks.block1.0.wieght"] = removed
    broken["blocks.block2.0.weight"] = torch.zeros(1, 2)
    broken["blocks.block3.1.weight"] = torch.full_like(state["blocks.block3.1.weight"], np.nan)
    path = tmp_path / "w.safetensors"
    save_file(broken, path)
    with pytest.raises(RejectedError) as caught:
        checked(path, "weights")
    assert [fault.split()[1:3] for fault in caught.value.faults] == [
        ["blocks.block1.0.weight", "is"],
        ["blocks.block1.0.wieght", "of"],
        ["blocks.block2.0.weight", "has"],
        ["blocks.block3.1.weight", "holds"],
    ]


def test_architectures_of_torchvision_are_built_with_so_many_classes(tmp_path):
    from torchvision import models

    path = tmp_path / "w.safetensors"
    network = models.squeezenet1_1(num_classes=3)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path)
    named = {"architecture": "torchvision/squeezenet1_1", "classes": 3}
    size = {"resize": 64, "crop": 64}
    found = checked(
        path, "weights", network=named, preprocessing=size, layers=["features.4", "classifier"]
    )
    assert found.source["layers"] == ["features.4", "classifier"]
    with pytest.raises(RejectedError, match=r"classifier.1.weight has shape \[3, "):
        checked(path, "weights", network={**named, "classes": 4}, preprocessing=size)


def test_weights_on_a_hub_are_fetched_pinned_and_scored_alike(
    tmp_path, own, state, benchmark, empty_home, monkeypatch
):
    mirror = tmp_path / "mirror"
    path = mirror / f"huggingface.co/ada/net/resolve/{COMMIT}/model.safetensors"
    path.parent.mkdir(parents=True)
    save_file(state, path)
    monkeypatch.setenv("ISOCORTEX_MIRROR", str(mirror))
    form = read_form(form_of("hub", preprocessing=preprocessing_of(own)))
    submission = stored(check(form, account=Somebody()))
    assert submission.blob is None
    expected = runs.score(own, benchmark)
    with loaded(submission) as candidate:
        assert runs.score(candidate, benchmark).raw == expected.raw
    kept = empty_home / "hub" / path.relative_to(mirror)
    kept.unlink()
    save_file({**state, "more": torch.zeros(1)}, path)  # the hub changes its mind
    with pytest.raises(InputError, match="as a new version"), loaded(submission):
        pass
    path.unlink()
    monkeypatch.setattr("isocortex.fetching._download", lambda *arguments: 1 / 0)
    with pytest.raises(FetchError), loaded(submission):
        pass


def test_the_hash_of_a_hub_s_file_is_a_pin_and_no_upload(small_store, ada):
    found = entering.checked(small_store, ada, read_form(form_of("hub", sha256="a" * 64)))
    assert found.blob is None
    assert found.source["reference"]["sha256"] == "a" * 64


def test_a_hub_s_file_that_is_too_large_is_not_kept(tmp_path, empty_home, monkeypatch):
    mirror = tmp_path / "mirror"
    path = mirror / f"huggingface.co/ada/net/resolve/{COMMIT}/model.safetensors"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(6 * 10**9)
    monkeypatch.setenv("ISOCORTEX_MIRROR", str(mirror))
    submission = stored(check(read_form(form_of("hub")), account=Somebody()))
    with pytest.raises(InputError, match="more than the 5,000,000,000 bytes"), loaded(submission):
        pass


def test_files_of_torchvision_are_read_as_bare_weights(tmp_path, empty_home, monkeypatch):
    from torchvision import models

    path = tmp_path / "download.pytorch.org/models/squeezenet.pth"
    path.parent.mkdir(parents=True)
    monkeypatch.setenv("ISOCORTEX_MIRROR", str(tmp_path))
    reference = {"hub": "torchvision", "name": "squeezenet1_1", "revision": "IMAGENET1K_V1"}
    form = form_of("hub", reference=reference, preprocessing={"resize": 64, "crop": 64})
    form["network"] = {"architecture": "torchvision/squeezenet1_1", "classes": 3}
    found = check(read_form(form), account=Somebody())
    address = {"url": "https://download.pytorch.org/models/squeezenet.pth"}
    submission = stored(replace(found, source={**found.source, "reference": address}))
    torch.save(models.squeezenet1_1(num_classes=3).state_dict(), path)
    with loaded(submission) as candidate:
        assert candidate.layers[-1].startswith("classifier")
        assert candidate.parameters > 700_000
    kept = empty_home / "hub" / path.relative_to(tmp_path)
    kept.unlink()
    kept.with_name("squeezenet.pth.sha256").unlink()
    torch.save({"conv": Exploit()}, path)
    with pytest.raises(RejectedError, match="bare weights"), loaded(submission):
        pass


class Exploit:
    def __reduce__(self):
        return print, ("a pickle ran",)


def test_names_of_torchvision_bring_architecture_preprocessing_and_address():
    reference = {"hub": "torchvision", "name": "resnet18", "revision": "IMAGENET1K_V1"}
    form = form_of("hub", reference=reference)
    del form["network"], form["preprocessing"]
    source = check(read_form(form), account=Somebody()).source
    assert source["network"]["architecture"] == "torchvision/resnet18"
    assert source["preprocessing"]["resize"] == 256
    assert source["reference"]["url"].startswith("https://download.pytorch.org/models/resnet18-")
    form["reference"] = reference | {"revision": "IMAGENET1K_V9"}
    with pytest.raises(RejectedError, match="did you mean IMAGENET1K_V1"):
        check(read_form(form), account=Somebody())
