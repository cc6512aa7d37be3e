"""Weights are verified, read without running code and put in place strictly."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from isocortex.model_zoo._weights import drawn, filled, read_state
from torch import nn

from isocortex.errors import CardError, ChecksumError, InputError
from isocortex.fetching import RemoteFile

Publish = Callable[..., RemoteFile]


@pytest.fixture
def publish(tmp_path: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """A function that puts content into a mirror and returns its address and checksum."""
    monkeypatch.setenv("ISOCORTEX_MIRROR", str(tmp_path / "mirror"))

    def publish(content: object, digits: int = 64) -> RemoteFile:
        path = tmp_path / "mirror" / "example.org" / "weights.pt"
        path.parent.mkdir(parents=True)
        path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return RemoteFile("https://example.org/weights.pt", digest[:digits])

    return publish


def test_a_state_is_read_from_its_entry_without_its_prefix(publish: Publish):
    state = {"module.weight": torch.ones(2), "head.weight": torch.zeros(2), "module.note": "text"}
    file = publish({"epoch": 3, "state_dict": state})
    read = read_state(file, entry="state_dict", prefix="module.")
    assert list(read) == ["weight"]
    assert torch.equal(read["weight"], torch.ones(2))


@pytest.mark.parametrize("cut", [0, 1, 100, 700])
def test_a_file_that_breaks_off_is_an_input_error(publish: Publish, tmp_path: Path, cut: int):
    torch.save({"weight": torch.ones(100)}, tmp_path / "whole.pt")
    file = publish((tmp_path / "whole.pt").read_bytes()[:cut])
    with pytest.raises(InputError, match=r"weights\.pt can't be read as weights .*; delete it"):
        read_state(file)


class Unsafe:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return print, ("code of the file ran",)


def test_code_inside_a_file_does_not_run(publish: Publish, capsys: pytest.CaptureFixture[str]):
    file = publish({"weight": torch.ones(1), "surprise": Unsafe()})
    with pytest.raises(InputError, match="can't be read as weights"):
        read_state(file)
    assert "ran" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [[torch.ones(1)], {"epoch": 3}, {"state_dict": 3}, {}])
def test_a_file_without_the_named_tensors_is_an_input_error(publish: Publish, content: object):
    with pytest.raises(InputError, match="holds no tensors under 'state_dict'"):
        read_state(publish(content), entry="state_dict")


def test_a_file_without_the_prefix_is_an_input_error(publish: Publish):
    with pytest.raises(InputError, match="holds no tensors named body"):
        read_state(publish({"weight": torch.ones(1)}), prefix="body.")


def test_the_leading_digits_of_a_checksum_are_enough_and_must_agree(publish: Publish):
    file = publish({"weight": torch.ones(1)}, digits=8)
    assert list(read_state(file)) == ["weight"]
    with pytest.raises(ChecksumError, match="expected SHA-256 00000000"):
        read_state(RemoteFile(file.url, "00000000"))


@pytest.mark.parametrize("digits", ["", "0123456", "not hex!", "A" * 64, "0" * 65])
def test_what_is_no_checksum_is_refused(digits: str):
    with pytest.raises(CardError, match="is no SHA-256"):
        RemoteFile("https://example.org/weights.pt", digits)


def build() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))


def test_a_filled_network_has_the_weights_and_is_ready_to_use():
    state = {name: torch.full_like(value, 3) for name, value in build().state_dict().items()}
    network = filled(build, state, origin="the test")
    assert torch.equal(network[0].weight, torch.full((2, 2), 3.0))
    assert not network.training


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"0.bias": None}, r'Missing key.*"0\.bias"'),
        ({"2.bias": torch.ones(2)}, r'Unexpected key.*"2\.bias"'),
        ({"0.weight": torch.ones(2, 3)}, r"size mismatch for 0\.weight.*\[2, 3\].*\[2, 2\]"),
    ],
)
def test_weights_that_do_not_fit_are_an_input_error(change: dict[str, torch.Tensor], fault: str):
    state = {
        key: value for key, value in (build().state_dict() | change).items() if value is not None
    }
    with pytest.raises(
        InputError, match=f"the weights of the test do not fit Sequential: .*{fault}"
    ):
        filled(build, state, origin="the test")


def test_a_drawn_network_depends_on_its_seed_only():
    torch.manual_seed(1)
    first = drawn(build, seed=7)[0].weight
    torch.manual_seed(2)
    assert torch.equal(first, drawn(build, seed=7)[0].weight)
    assert not torch.equal(first, drawn(build, seed=8)[0].weight)


def test_drawing_leaves_the_random_state_alone():
    before = torch.get_rng_state()
    drawn(build, seed=7)
    filled(build, build_state(), origin="the test")
    assert torch.equal(torch.get_rng_state(), before)


def build_state() -> dict[str, torch.Tensor]:
    return dict(drawn(build, seed=0).state_dict())
