"""What the tests submit: forms, files, and a network in two spellings."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from isocortex.fingerprints import file_sha256
from isocortex.store.submitted import CheckedSubmission, StoredSubmission
from isocortex.submissions.checking import check
from isocortex.submissions.forms import read_form

CARD = {
    "summary": "A network of the tests",
    "architecture": "convolutional",
    "objective": "unknown",
    "learning_rule": "unknown",
    "diet": "unknown",
    "licence": "BSD-3-Clause",
}
PREPROCESSING = {"resize": 32, "crop": 32, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True)
class Somebody:
    """An account as far as the check looks at it."""

    name: str = "ada"
    role: str = "user"


def form_of(kind: str, **changes: Any) -> dict[str, Any]:
    """A form without faults; `card` is added to the card."""
    form: dict[str, Any] = {"model": "net", "kind": kind, "card": {**CARD}}
    if kind == "hub":
        form["reference"] = {"hub": "huggingface", "name": "ada/net", "revision": COMMIT}
    else:
        form["sha256"] = "a" * 64
    if kind != "activations":
        form["preprocessing"] = PREPROCESSING
    if kind in ("weights", "hub"):
        form["network"] = {"architecture": "conv4"}
    if kind == "plugin":
        form["plugin"] = {"format": "python"}
    card = {**form["card"], **changes.pop("card", {})}
    return {**form, "card": card, **changes}


def checked(path: Path, kind: str, *, role: str = "user", **changes: Any) -> CheckedSubmission:
    """The submission of a file, in which no fault was found."""
    form = read_form(form_of(kind, sha256=file_sha256(path), **changes))
    return check(form, path, account=Somebody(role=role))


def stored(found: CheckedSubmission, *, account: str = "ada") -> StoredSubmission:
    """What the store would make of it."""
    kept = {name: getattr(found, name) for name in ("kind", "visibility", "card", "source", "blob")}
    return StoredSubmission(
        **kept,
        key="0" * 26,
        account=account,
        account_id=1,
        model=f"{account}/{found.model}",
        version=1,
        content_hash=found.content_hash,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        withdrawn_at=None,
    )


def torch_network() -> Any:
    """A small network of torch, whose layers `1` and `4` the ONNX twin calls `edges` and `out`."""
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(7)
        return nn.Sequential(
            nn.Conv2d(3, 8, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.AvgPool2d(4),
            nn.Flatten(),
            nn.Linear(8 * 4 * 4, 10),
        ).eval()


def onnx_twin(*, batch: int | str = "n", layout: str = "NCHW", half: bool = False) -> bytes:
    """The same network as ONNX; `half` makes a float16 input, which is cast at once."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    state = {name: value.numpy() for name, value in torch_network().state_dict().items()}
    weights = [numpy_helper.from_array(value, name) for name, value in state.items()]
    nodes, name = [], "images"
    if half:
        nodes.append(helper.make_node("Cast", [name], ["cast"], to=TensorProto.FLOAT))
        name = "cast"
    if layout == "NHWC":
        nodes.append(helper.make_node("Transpose", [name], ["first"], perm=[0, 3, 1, 2]))
        name = "first"
    nodes += [
        helper.make_node(
            "Conv", [name, "0.weight", "0.bias"], ["c"], strides=[2, 2], pads=[2, 2, 2, 2]
        ),
        helper.make_node("Relu", ["c"], ["edges"]),
        helper.make_node("AveragePool", ["edges"], ["p"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "4.weight", "4.bias"], ["out"], transB=1),
    ]
    sizes = [batch, 3, 32, 32] if layout == "NCHW" else [batch, 32, 32, 3]
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "twin",
        [helper.make_tensor_value_info("images", kind, sizes)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [batch, 10])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def written(folder: Path, content: bytes, name: str = "file") -> Path:
    """A file of that content."""
    path = folder / name
    path.write_bytes(content)
    return path


def random_layers(stimuli: int) -> dict[str, Any]:
    """Activations of two layers."""
    draw = np.random.default_rng(3)
    return {
        "early": draw.normal(size=(stimuli, 4, 5, 5)).astype(np.float32),
        "late": draw.normal(size=(stimuli, 7)),
    }
