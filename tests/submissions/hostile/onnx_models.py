"""Hostile ONNX: bombs, loops, links to other files, foreign code, cycles and lies."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.submissions.made import onnx_twin

from . import Hostile

FLOAT = TensorProto.FLOAT


def model_of(
    nodes: Sequence[Any],
    *,
    tensors: Sequence[Any] = (),
    domains: Sequence[str] = (),
    **changes: Any,
) -> onnx.ModelProto:
    """A model that makes `out` of `images`."""
    graph = helper.make_graph(
        list(nodes),
        "hostile",
        [helper.make_tensor_value_info("images", FLOAT, ["n", 3, 32, 32])],
        [helper.make_tensor_value_info("out", FLOAT, None)],
        list(tensors),
    )
    sets = [helper.make_opsetid("", changes.pop("opset", 17))]
    sets += [helper.make_opsetid(domain, 1) for domain in domains]
    return helper.make_model(graph, opset_imports=sets, ir_version=9, **changes)


def node(kind: str, inputs: Sequence[str] = ("images",), output: str = "out", **more: Any) -> Any:
    return helper.make_node(kind, list(inputs), [output], **more)


def changed(change: Callable[[onnx.ModelProto], None]) -> bytes:
    """The harmless model with one change."""
    model = onnx.ModelProto.FromString(onnx_twin())
    change(model)
    return model.SerializeToString()


def external(location: str, *, length: int = 32) -> bytes:
    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
            tensor.external_data.add(key=key, value=value)

    return changed(change)


def lying(dims: Sequence[int]) -> bytes:
    def change(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].dims[:] = dims

    return changed(change)


def constant(name: str, values: Any, kind: type = np.int64) -> Any:
    return numpy_helper.from_array(np.array(values, kind), name)


def loop(steps: int | None) -> bytes:
    """A loop of so many steps, or without end."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("Sin", ["state"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", FLOAT, None),
        ],
    )
    tensors = [constant("go", True, np.bool_)]
    tensors += [] if steps is None else [constant("steps", steps)]
    first = "" if steps is None else "steps"
    return model_of(
        [node("Loop", [first, "go", "images"], body=body)], tensors=tensors
    ).SerializeToString()


def nested(depth: int) -> bytes:
    """Graphs within graphs, each in the branch of an If."""
    inner = [helper.make_node("Identity", ["images"], ["deepest"])]
    output = "deepest"
    for level in range(depth):
        graph = helper.make_graph(
            inner, f"g{level}", [], [helper.make_tensor_value_info(output, FLOAT, None)]
        )
        output = "out" if level == depth - 1 else f"v{level}"
        branches = {"then_branch": graph, "else_branch": graph}
        inner = [helper.make_node("If", ["go"], [output], **branches)]
    model = model_of(inner, tensors=[constant("go", True, np.bool_)])
    return model.SerializeToString()


def field(number: int, content: bytes) -> bytes:
    """A field of Protocol Buffers that holds bytes or a message."""
    size, sizes = len(content), bytearray()
    while size >= 128:
        sizes.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2]) + bytes([*sizes, size]) + content


def russian_doll() -> bytes:
    """Messages within messages until a parser that recurses has no stack left."""
    content = b""
    for _ in range(2_000):
        content = field(1, field(5, field(6, content)))  # graph.node.attribute.g …
    return b"\x08\x09" + field(7, content)


def crowd(count: int) -> bytes:
    one = field(1, node("Identity").SerializeToString())
    model = model_of([]).SerializeToString()
    return model + field(7, one * count)


def with_function() -> bytes:
    function = helper.make_function(
        "mine", "Own", ["x"], ["y"], [helper.make_node("Relu", ["x"], ["y"])],
        [helper.make_opsetid("", 17)],
    )  # fmt: skip
    own = node("Own", domain="mine")
    return model_of([own], domains=["mine"], functions=[function]).SerializeToString()


def sparse() -> bytes:
    values = helper.make_tensor("s", FLOAT, [1], [1.0])
    where = helper.make_tensor("where", TensorProto.INT64, [1], [0])
    tensor = helper.make_sparse_tensor(values, where, [10**12])
    return changed(lambda model: model.graph.sparse_initializer.append(tensor))


def text_tensor() -> bytes:
    tensor = helper.make_tensor("text", TensorProto.STRING, [1], [b"../../etc/passwd"])
    return changed(lambda model: model.graph.initializer.append(tensor))


def inputs_of(*kinds: tuple[str, int, int]) -> bytes:
    def change(model: onnx.ModelProto) -> None:
        del model.graph.input[:]
        for name, kind, rank in kinds:
            value = helper.make_tensor_value_info(name, kind, [1] * rank)
            model.graph.input.append(value)

    return changed(change)


def _refused(says: str, content: bytes | onnx.ModelProto) -> Hostile:
    if isinstance(content, onnx.ModelProto):
        content = content.SerializeToString()
    return Hostile("onnx", says, content)


HUGE = [constant("shape", [10**5, 10**6])]
SIZES = [constant("repeats", [1, 1, 10**5, 10**5])]
RANDOM = node("RandomNormalLike", output="noise")
FILES = {
    "empty": _refused("empty", b""),
    "no model": _refused("begin as ONNX", b"\x89PNG\r\n\x1a\n"[1:] * 9),
    "truncated": _refused("no ONNX model", onnx_twin()[:-20]),
    "noise behind the beginning": _refused("no ONNX model", b"\x08\x09" + b"\xff" * 99),
    "no graph": _refused("graph: there is none", b"\x08\x09" + bytes(0)),
    "messages 6,000 deep": _refused("no ONNX model", russian_doll()),
    "a million nodes": _refused("1,000,000 nodes", crowd(10**6)),
    "graphs 10 deep": _refused("graphs within graphs", nested(10)),
    "file beside": _refused("another file", external("weights.bin")),
    "file above": _refused("another file", external("../../secret.txt")),
    "file by its path": _refused("another file", external("/etc/passwd")),
    "file by a link": _refused("another file", external("link-to-secret")),
    "file by /proc": _refused("another file", external("/proc/self/environ")),
    "initialiser of 100 GB": _refused("takes", lying([10**11 // 4])),
    "initialiser that overflows": _refused("takes", lying([2**31, 2**31, 4])),
    "initialiser of less than nothing": _refused("shape", lying([-1, 600])),
    "initialiser of 2,000 dimensions": _refused("shape", lying([1] * 2000)),
    "text": _refused("text", text_tensor()),
    "a sparse tensor of 10¹²": _refused("sparse", sparse()),
    "100 GB made at run time": _refused(
        "", model_of([node("ConstantOfShape", ["shape"], "big"), node("Add", ["images", "big"])],
                     tensors=HUGE)
    ),
    "an image tiled to 120 TB": _refused(
        "", model_of([node("Tile", ["images", "repeats"])], tensors=SIZES)
    ),
    "a loop of 2⁶² steps": _refused("", loop(2**62)),
    "a loop without end": _refused("", loop(None)),
    "foreign operations": _refused(
        "domain", model_of([node("Run", domain="com.evil")], domains=["com.evil"])
    ),
    "operations of Microsoft's domain": _refused(
        "domain", model_of([node("Gelu", domain="com.microsoft")], domains=["com.microsoft"])
    ),
    "machine learning's domain": _refused(
        "domain", model_of([node("Scaler", domain="ai.onnx.ml")], domains=["ai.onnx.ml"])
    ),
    "an operation nobody knows": _refused("no such operation", model_of([node("System")])),
    "functions of its own": _refused("functions", with_function()),
    "a graph to train": _refused(
        "training_info", changed(lambda model: model.training_info.add().algorithm.SetInParent())
    ),
    "a version to come": _refused("opset_import", model_of([node("Relu")], opset=999)),
    "no version": _refused("opset_import", changed(lambda model: model.ClearField("opset_import"))),
    "chance": _refused("random", model_of([RANDOM, node("Add", ["images", "noise"])])),
    "a cycle": _refused(
        "cycle", model_of([node("Add", ["images", "b"], "a"), node("Relu", ["a"], "b"),
                           node("Relu", ["b"])])
    ),
    "a node that takes its own output": _refused(
        "cycle", model_of([node("Add", ["images", "out"])])
    ),
    "a value computed twice": _refused("twice", model_of([node("Relu"), node("Sigmoid")])),
    "an output of nothing": _refused("nothing computes it", model_of([node("Relu", output="x")])),
    "two inputs": _refused("one input", inputs_of(("images", FLOAT, 4), ("more", FLOAT, 4))),
    "no input": _refused("one input", inputs_of()),
    "an input of text": _refused("text", inputs_of(("images", TensorProto.STRING, 4))),
    "an input of bytes": _refused("float16", inputs_of(("images", TensorProto.UINT8, 4))),
    "an input of one number": _refused("dimensions", inputs_of(("images", FLOAT, 0))),
    "a sequence for an output": _refused(
        "sequence",
        changed(lambda model: model.graph.output[0].type.sequence_type.elem_type.tensor_type
                .SetInParent()),
    ),
    "answers that are NaN": _refused(
        "NaN", model_of([node("Log", output="l"), node("Log", ["l"])])
    ),
    "a layer named by escapes": _refused(
        "control", model_of([node("Relu", output="\x1b[2J"), node("Relu", ["\x1b[2J"])])
    ),
    "a layer named as a path": _refused(
        "path", model_of([node("Relu", output="../../x"), node("Relu", ["../../x"])])
    ),
}  # fmt: skip
