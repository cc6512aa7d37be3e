"""In the jail: a stranger's ONNX model, checked, opened by onnxruntime and run batch by batch."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import onnx

    from isocortex.jail import Channel

MOST_BATCH_BYTES: Final = 2**30
MOST_FAULTS: Final = 50
_NUMBERS: Final = {
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
}

Array = npt.NDArray[Any]


def serve(channel: "Channel", request: Mapping[str, Any], files: Mapping[str, BinaryIO]) -> None:
    """Say what the layers are and what is wrong with the model; then answer batches."""
    content = files["file"].read()
    network, faults, facts = _opened(content, request)
    del content
    text = json.dumps({**facts, "faults": faults[:MOST_FAULTS]}).encode()
    channel.send({}, {"facts": np.frombuffer(text, np.uint8)})
    if network is None or faults or request.get("check"):
        return
    while True:
        wanted, arrays = channel.receive(most_bytes=MOST_BATCH_BYTES)
        layers = cast("list[str]", wanted["layers"])
        for layer, answer in zip(layers, network.answers(arrays["images"], layers), strict=True):
            channel.send({"layer": layer}, {"answer": answer})
        channel.send({"done": True})


class Network:
    """A model that answers images (image, channel, row, column), float32."""

    def __init__(self, session: Any, *, layout: str) -> None:
        self._session = session
        self._input = session.get_inputs()[0]
        self._layout = layout
        size = self._input.shape[0]
        self.batch: int | None = size if isinstance(size, int) else None
        """How many images it takes at once; None if any number will do."""

    def answers(self, images: Array, layers: Sequence[str]) -> list[Array]:
        """What each layer answers, (image, …) in float32."""
        if self.batch is None:
            return self._run(images, layers)
        parts = [
            self._run(_filled(images[start : start + self.batch], self.batch), layers)
            for start in range(0, len(images), self.batch)
        ]
        return [np.concatenate(each)[: len(images)] for each in zip(*parts, strict=True)]

    def _run(self, images: Array, layers: Sequence[str]) -> list[Array]:
        if self._layout == "NHWC":
            images = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
        given = images.astype(_NUMBERS[self._input.type], copy=False)
        found = self._session.run(list(layers), {self._input.name: given})
        return [np.ascontiguousarray(each, np.float32) for each in found]


def _filled(images: Array, size: int) -> Array:
    """The images, with the last one again until there are `size` of them."""
    missing = size - len(images)
    return np.concatenate([images, np.repeat(images[-1:], missing, axis=0)]) if missing else images


def _opened(
    content: bytes, request: Mapping[str, Any]
) -> tuple[Network | None, list[str], dict[str, Any]]:
    """The model as a network, all that is wrong with it, and the facts of its layers."""
    import onnx
    from google.protobuf.message import DecodeError

    from ._graph import input_faults, model_faults

    try:
        model = onnx.ModelProto.FromString(content)
    except DecodeError as error:
        return None, [f"file: it is no ONNX model that can be read ({error})"], {}
    faults = model_faults(model)
    wrong = input_faults(model.graph, str(request["input"]))
    layers, unknown = _chosen(model.graph, request["layers"])
    faults = [*faults, *wrong, *unknown]
    if faults:
        return None, faults, {}
    parameters = sum(int(np.prod(each.dims)) for each in model.graph.initializer)
    try:
        session = _session(content + _outputs(model, layers), int(request["threads"]))
    except Exception as error:  # onnxruntime's own tree is not public
        return None, [f"file: onnxruntime can't open it ({_line(error)})"], {}
    network = Network(session, layout=str(request["layout"]))
    shapes, faults = _tried(network, layers, int(request["size"]))
    return network, faults, {"layers": shapes, "parameters": parameters}


def _chosen(graph: "onnx.GraphProto", layers: Sequence[str]) -> tuple[list[str], list[str]]:
    """The layers to read, by default some, and those that nothing computes."""
    from isocortex.errors import UnknownNameError

    from ._graph import default_layers, values_of

    if not layers:
        return default_layers(graph), []
    known = values_of(graph)
    faults = [
        f"layers: {UnknownNameError.among('computed value', each, known)}"
        for each in layers
        if each not in known
    ]
    return list(layers), faults


def _outputs(model: "onnx.ModelProto", layers: Sequence[str]) -> bytes:
    """What, written behind the model, makes its layers outputs: messages that follow are merged."""
    import onnx

    there = {each.name for each in model.graph.output}
    added = onnx.ModelProto()
    added.graph.output.extend(
        onnx.ValueInfoProto(name=layer) for layer in layers if layer not in there
    )
    return added.SerializeToString() if added.graph.output else b""


def _session(content: bytes, threads: int) -> Any:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = False
    options.use_deterministic_compute = True
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _tried(
    network: Network, layers: Sequence[str], size: int
) -> tuple[dict[str, list[int]], list[str]]:
    """The shape of each layer's answer to one image, and what went wrong with one and with two."""
    shapes: dict[str, list[int]] = {}
    faults: list[str] = []
    for count in (1, 2):
        try:
            answers = network.answers(np.zeros((count, 3, size, size), np.float32), layers)
        except Exception as error:  # onnxruntime's own tree is not public
            return {}, [f"preprocessing: {count} images of {size} × {size} fail ({_line(error)})"]
        for layer, answer in zip(layers, answers, strict=True):
            if not np.isfinite(answer).all():
                faults.append(f"layers: {layer!r} answers with NaN or infinity to black images")
            expected = [count, *shapes.get(layer, list(answer.shape[1:]))]
            if answer.ndim < 2 or list(answer.shape) != expected or answer.size == 0:
                faults.append(
                    f"layers: {layer!r} answers with shape {list(answer.shape)} to {count} images; "
                    "(images, units …) is expected"
                )
            shapes.setdefault(layer, list(answer.shape[1:]))
    return shapes, list(dict.fromkeys(faults))


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
