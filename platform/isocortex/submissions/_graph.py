"""In the jail: what is wrong with an ONNX model, found on its parsed text before it is loaded."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Final

import onnx
from onnx import defs

DOMAINS: Final = ("", "ai.onnx")
OPSETS: Final = (7, 26)
MOST_NODES: Final = 50_000
MOST_DEPTH: Final = 4
MOST_DIMENSIONS: Final = 8
RANDOM: Final = (
    *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    *("Multinomial", "Bernoulli"),
)
ITEM_BYTES: Final[dict[int, float]] = {
    **dict.fromkeys((2, 3, 9, 17, 18, 19, 20, 24), 1.0),  # 8 bits each
    **dict.fromkeys((4, 5, 10, 16), 2.0),
    **dict.fromkeys((1, 6, 12), 4.0),
    **dict.fromkeys((7, 11, 13, 14), 8.0),
    **dict.fromkeys((21, 22, 23), 0.5),
    15: 16.0,
}
"""Bytes of one number by its ONNX type; text (8) is not taken."""


@dataclass
class Found:
    """What was counted and found wrong while walking through a model's graphs."""

    faults: dict[str, None] = field(default_factory=dict)
    nodes: int = 0

    def add(self, fault: str) -> None:
        """Note a fault, once, and no more than people will read."""
        if len(self.faults) < 60:
            self.faults[fault] = None


def model_faults(model: onnx.ModelProto) -> list[str]:
    """Everything that is wrong with a model, as far as it can be told without running it."""
    found = Found()
    _check_opsets(model, found)
    if model.functions:
        found.add("functions: the model defines its own; inline them (onnx.inliner)")
    if model.training_info:
        found.add("training_info: a model with training graphs is not taken")
    if not model.HasField("graph"):
        found.add("graph: there is none")
    _check_graph(model.graph, found, depth=0)
    if found.nodes > MOST_NODES:
        found.add(f"graph: {found.nodes:,} nodes; at most {MOST_NODES:,} are taken")
    elif not found.faults:
        _check_order(model.graph, found)
    return list(found.faults)


def input_faults(graph: onnx.GraphProto, name: str) -> list[str]:
    """What is wrong with the inputs: one is expected, for images, by that name or any ("auto")."""
    given = {each.name for each in graph.initializer}
    inputs = {each.name: each for each in graph.input if each.name not in given}
    if name == "auto" and len(inputs) == 1:
        name = next(iter(inputs))
    if name not in inputs or len(inputs) != 1:
        listed = ", ".join(repr(each[:80]) for each in sorted(inputs)[:10]) or "none"
        return [f"input: the model must have one input, for images; it has {listed}"]
    tensor = inputs[name].type.tensor_type
    if not inputs[name].type.HasField("tensor_type") or tensor.elem_type not in (1, 10, 11):
        return [f"input: {name!r} must be a tensor of float16, float32 or float64"]
    if len(tensor.shape.dim) != 4:
        return [f"input: {name!r} has {len(tensor.shape.dim)} dimensions; images have 4"]
    return []


def values_of(graph: onnx.GraphProto) -> dict[str, str]:
    """What the nodes of the main graph compute, by name, with the operation that does."""
    return {name: node.op_type for node in graph.node for name in node.output if name}


_BLOCK_ENDS: Final = (
    *("Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Gelu", "Sigmoid", "Tanh", "Softplus", "Mish"),
    *("HardSwish", "HardSigmoid", "Clip", "Add", "MaxPool", "AveragePool", "GlobalAveragePool"),
    *("Gemm", "MatMul"),
)


def default_layers(graph: onnx.GraphProto, *, most: int = 12) -> list[str]:
    """Where a model is read out if nobody says: after activations, sums, pools, spread evenly."""
    outputs = [each.name for each in graph.output]
    ends = [name for name, kind in values_of(graph).items() if kind in _BLOCK_ENDS]
    names = list(dict.fromkeys([*ends, *outputs])) or outputs
    if len(names) <= most:
        return names
    step = (len(names) - 1) / (most - 1)
    return [names[round(place * step)] for place in range(most)]


def _check_opsets(model: onnx.ModelProto, found: Found) -> None:
    versions = {each.domain: each.version for each in model.opset_import}
    for domain in versions:
        if domain not in DOMAINS:
            found.add(f"opset_import: domain {domain[:80]!r}; only ONNX's own operations are taken")
    own = [version for domain, version in versions.items() if domain in DOMAINS]
    low, high = OPSETS
    if not own or len(own) != 1 or not low <= own[0] <= high:
        found.add(f"opset_import: ONNX {own or 'of no version'}; {low} to {high} are taken")


def _check_graph(graph: onnx.GraphProto, found: Found, *, depth: int) -> None:
    if depth > MOST_DEPTH:
        found.add(f"graph: graphs within graphs, more than {MOST_DEPTH} deep")
        return
    if graph.sparse_initializer:
        found.add("sparse_initializer: sparse tensors are not taken; store them dense")
    for tensor in graph.initializer:
        _check_tensor(tensor, found, place=f"initializer {tensor.name[:80]!r}")
    for value in (*graph.input, *graph.output, *graph.value_info):
        _check_value(value, found)
    found.nodes += len(graph.node)
    if found.nodes > MOST_NODES:
        return
    for node in graph.node:
        _check_node(node, found, depth=depth)


def _check_node(node: onnx.NodeProto, found: Found, *, depth: int) -> None:
    kind = node.op_type[:80]
    if node.domain not in DOMAINS:
        found.add(f"node {kind!r}: it is of the domain {node.domain[:80]!r}")
    elif not defs.has(node.op_type):
        found.add(f"node {kind!r}: ONNX has no such operation")
    elif node.op_type in RANDOM:
        found.add(f"node {kind!r}: it draws random numbers; a model must answer alike each time")
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            if graph.ByteSize():
                _check_graph(graph, found, depth=depth + 1)
        for tensor in (attribute.t, *attribute.tensors):
            if tensor.ByteSize():
                _check_tensor(tensor, found, place=f"node {kind!r}")
        if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
            found.add(f"node {kind!r}: sparse tensors are not taken; store them dense")


def _check_tensor(tensor: onnx.TensorProto, found: Found, *, place: str) -> None:
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        found.add(f"{place}: its values are in another file; save the model as one file")
        return
    if tensor.data_type == onnx.TensorProto.STRING or tensor.string_data:
        found.add(f"{place}: it holds text; only numbers are taken")
        return
    if tensor.data_type not in ITEM_BYTES:
        found.add(f"{place}: its type {tensor.data_type} is unknown")
        return
    if any(size < 0 for size in tensor.dims) or len(tensor.dims) > MOST_DIMENSIONS:
        found.add(f"{place}: its shape {list(tensor.dims)[:9]} is none")
        return
    expected = prod(tensor.dims) * ITEM_BYTES[tensor.data_type]
    came = _stored_bytes(tensor)
    if came is not None and not expected <= came <= expected + 1:
        found.add(
            f"{place}: shape {list(tensor.dims)} takes {expected:,.0f} bytes, it has {came:,.0f}"
        )


def _stored_bytes(tensor: onnx.TensorProto) -> float | None:
    """How many bytes of values a tensor holds; None where numbers are packed by another rule."""
    if tensor.HasField("raw_data"):
        return float(len(tensor.raw_data))
    width = ITEM_BYTES[tensor.data_type]
    numbers = len(tensor.float_data) or len(tensor.int64_data) or len(tensor.double_data)
    numbers = numbers or len(tensor.uint64_data)
    if tensor.int32_data:
        # Narrow numbers stand one in each, those of 4 bits two or none packed.
        return None if width < 1 else len(tensor.int32_data) * width
    if tensor.data_type in (14, 15):
        numbers //= 2  # complex numbers stand as two
    return numbers * width


def _check_value(value: onnx.ValueInfoProto, found: Found) -> None:
    place = f"value {value.name[:80]!r}"
    which = value.type.WhichOneof("value")
    if which not in (None, "tensor_type"):
        found.add(f"{place}: it is a {which}; only tensors are taken")
        return
    if value.type.tensor_type.elem_type == onnx.TensorProto.STRING:
        found.add(f"{place}: it holds text; only numbers are taken")
    dims = value.type.tensor_type.shape.dim
    if any(each.HasField("dim_value") and each.dim_value < 0 for each in dims):
        found.add(f"{place}: a dimension is negative")


def _check_order(graph: onnx.GraphProto, found: Found) -> None:
    """Each value of the main graph is computed once, before it is used: then there is no cycle."""
    known = {each.name for each in (*graph.input, *graph.initializer)}
    for node in graph.node:
        missing = next((name for name in node.input if name and name not in known), None)
        if missing is not None:
            found.add(
                f"node {node.op_type[:80]!r}: it takes {missing[:80]!r}, which nothing before it "
                "computes (a cycle, or nodes out of order)"
            )
        for name in node.output:
            if name in known and name:
                found.add(f"value {name[:80]!r}: it is computed twice")
            known.add(name)
    for missing in _absent(graph, known):
        found.add(f"output {missing[:80]!r}: nothing computes it")


def _absent(graph: onnx.GraphProto, known: set[str]) -> Iterator[str]:
    return (each.name for each in graph.output if each.name not in known)
