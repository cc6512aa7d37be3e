"""In the jail: one of our own architectures with a stranger's weights, run batch by batch."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from ._tensors import MOST_FAULTS, Tensor, read_bytes, read_header

if TYPE_CHECKING:
    import torch

    from isocortex.jail import Channel

MOST_BATCH_BYTES: Final = 2**30

# PyTorch makes this folder when torchvision is imported; the root is there, and stays as it is.
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", "/")

State = dict[str, "torch.Tensor"]
Tap = Callable[[str, "torch.Tensor"], None]


def serve(channel: "Channel", request: Mapping[str, Any], files: Mapping[str, BinaryIO]) -> None:
    """Say what the network is and what is wrong with it; then answer batches, layer by layer."""
    import torch

    torch.set_num_threads(int(request["threads"]))
    network, faults = opened(request, files["file"])
    layers: list[str] = []
    facts: dict[str, Any] = {}
    if network is not None and not faults:
        layers, faults = _chosen(network, request["layers"])
    if network is not None and not faults:
        facts, faults = _tried(network, layers, request)
    _say(channel, {**facts, "faults": faults[:MOST_FAULTS]})
    if network is not None and not faults and not request.get("check"):
        _answer(channel, network)


def look_up(channel: "Channel", request: Mapping[str, Any], files: Mapping[str, BinaryIO]) -> None:
    """Say where a hub keeps the weights of a name, and how images are prepared for them.

    No file of a stranger is read: only what the installed libraries know of the name.
    """
    from ._hubs import hub_facts

    _say(channel, hub_facts(request))


def opened(
    request: Mapping[str, Any], file: BinaryIO
) -> "tuple[torch.nn.Module | None, list[str]]":
    """The network with the file's weights, in evaluation mode, and all that is wrong."""
    import torch

    from ._architectures import built

    state, faults = read_state(file, pickled=request.get("format") == "pth")
    if faults:
        return None, faults
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        network, faults = built(request)
    if network is None:
        return None, faults
    state = {_renamed(request, name): value for name, value in state.items()}
    faults = state_faults(network, state)
    if not faults:
        network.load_state_dict(state, strict=False)
    return network.eval(), faults


def read_state(file: BinaryIO, *, pickled: bool) -> "tuple[State, list[str]]":
    """The tensors of a file by name, and all that is wrong with it.

    `pickled` are only files that torchvision's own table names; even those are read without
    running what a pickle asks for.
    """
    import torch

    if pickled:
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged pickle or zip can raise almost anything
            return {}, [f"file: it can't be read as bare weights ({type(error).__name__})"]
        return {name: value for name, value in content.items() if torch.is_tensor(value)}, []
    header = read_header(file)
    if header.faults:
        return {}, list(header.faults)
    return {name: _tensor(file, each) for name, each in header.tensors.items()}, []


def state_faults(network: "torch.nn.Module", state: "State") -> list[str]:
    """Every key that is missing or left over, every shape that differs, every value not finite."""
    import torch

    expected = network.state_dict()
    faults = [
        f"weights: {name} is missing; expected shape {list(value.shape)}"
        for name, value in expected.items()
        if name not in state and not name.endswith("num_batches_tracked")
    ]
    faults += [
        f"weights: {name[:200]} of shape {list(value.shape)} belongs nowhere"
        for name, value in state.items()
        if name not in expected
    ]
    for name in expected.keys() & state.keys():
        wanted, came = expected[name], state[name]
        if wanted.shape != came.shape:
            shapes = f"{list(came.shape)}, expected {list(wanted.shape)}"
            faults.append(f"weights: {name} has shape {shapes}")
        elif wanted.is_floating_point() != came.is_floating_point():
            faults.append(f"weights: {name} is {came.dtype}, expected {wanted.dtype}")
        elif came.is_floating_point() and not torch.isfinite(came).all():
            faults.append(f"weights: {name} holds NaN or infinity")
    return sorted(faults)


def _tensor(file: BinaryIO, tensor: Tensor) -> "torch.Tensor":
    import torch

    kinds = {
        "F64": torch.float64,
        "F32": torch.float32,
        "F16": torch.float16,
        "BF16": torch.bfloat16,
        "BOOL": torch.bool,
        "U8": torch.uint8,
        "I8": torch.int8,
        "I16": torch.int16,
        "I32": torch.int32,
        "I64": torch.int64,
    }
    content = bytearray(read_bytes(file, tensor.start, tensor.stop - tensor.start))
    if tensor.dtype not in kinds:  # unsigned numbers that no network has
        return torch.empty(tensor.shape, dtype=torch.uint8)
    if not content:
        return torch.empty(tensor.shape, dtype=kinds[tensor.dtype])
    return torch.frombuffer(content, dtype=kinds[tensor.dtype]).reshape(tensor.shape)


def _renamed(request: Mapping[str, Any], name: str) -> str:
    from ._architectures import renamed

    return renamed(str(request["architecture"]), name) if request.get("format") == "pth" else name


def _chosen(network: "torch.nn.Module", layers: list[str]) -> tuple[list[str], list[str]]:
    """The layers to read, by default the network's blocks, and those that are not there."""
    from isocortex.errors import IsocortexError, UnknownNameError

    known = [name for name, _ in network.named_modules() if name]
    faults = [
        f"layers: {UnknownNameError.among('layer', each, known)}"
        for each in layers
        if each not in known
    ]
    if not layers:
        try:
            layers = list(_default_layers(network))
        except IsocortexError as error:
            faults = [f"layers: {error}"]
    return layers, faults


def _default_layers(network: "torch.nn.Module") -> Sequence[str]:
    own = getattr(network, "layers", None)
    if own is not None:
        return cast(Sequence[str], own)
    from isocortex.candidates import default_layers  # torchvision comes with it: seconds

    return default_layers(network)


def _tried(
    network: "torch.nn.Module", layers: list[str], request: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """What one image shows of the layers: their shapes; and what went wrong."""
    import torch

    size = int(request["size"])
    shapes: dict[str, list[int]] = {}

    def note(layer: str, answer: torch.Tensor) -> None:
        shapes[layer] = list(answer.shape[1:])

    try:
        with _tapped(network, layers, note), torch.no_grad():
            network(torch.zeros(1, 3, size, size))
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        line = (str(error).splitlines() or [type(error).__name__])[0]
        return {}, [f"preprocessing: images of {size} × {size} do not fit ({line})"]
    missing = [
        f"layers: {each!r} takes no part in a forward pass" for each in layers if each not in shapes
    ]
    count = sum(each.numel() for each in network.parameters())
    found = {layer: shapes[layer] for layer in layers if layer in shapes}
    return {"layers": found, "parameters": count}, missing


def _answer(channel: "Channel", network: "torch.nn.Module") -> None:
    """Answer batches for ever; each layer is sent as soon as it has answered."""
    import torch

    while True:
        wanted, arrays = channel.receive(most_bytes=MOST_BATCH_BYTES)
        batch = torch.from_numpy(arrays["images"])
        layers = cast("list[str]", wanted["layers"])

        def send(layer: str, answer: "torch.Tensor") -> None:
            values = answer.detach().to(torch.float32).contiguous().numpy()
            channel.send({"layer": layer}, {"answer": values})

        with _tapped(network, layers, send), torch.no_grad():
            network(batch)
        channel.send({"done": True})


@contextmanager
def _tapped(network: "torch.nn.Module", layers: Sequence[str], tap: Tap) -> Iterator[None]:
    """What the layers answer is given to `tap` at once, before an operation in place changes it."""

    def hook(layer: str) -> Callable[..., None]:
        return lambda module, inputs, output: tap(layer, _tensor_of(output))

    handles = [network.get_submodule(each).register_forward_hook(hook(each)) for each in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _tensor_of(output: object) -> "torch.Tensor":
    """As `isocortex.forward.tensor_of`, which torchvision comes with."""
    import torch

    parts: Iterable[object] = [output]
    if isinstance(output, Mapping):
        parts = output.values()
    elif isinstance(output, (tuple, list)):
        parts = output
    for part in parts:
        if torch.is_tensor(part):
            return part
    raise TypeError(f"a layer answers with a {type(output).__name__} without any tensor in it")


def _say(channel: "Channel", facts: Mapping[str, Any]) -> None:
    import numpy as np

    channel.send({}, {"facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)})
