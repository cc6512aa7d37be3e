"""Weights: read from verified files without running a pickle's code, and put in place strictly."""

from collections.abc import Callable
from textwrap import shorten
from typing import Any, TypeVar

import torch
from torch import nn

from isocortex.errors import InputError
from isocortex.fetching import RemoteFile, fetch

State = dict[str, torch.Tensor]
Network = TypeVar("Network", bound=nn.Module)


def read_state(file: RemoteFile, *, entry: str = "", prefix: str = "") -> State:
    """The tensors of a weights file by name.

    `entry` names the part of a training checkpoint that holds them. Only names that begin with
    `prefix` are kept, and lose it. Raises FetchError and ChecksumError as `fetch` does, InputError
    for a file that holds no such tensors.
    """
    path = fetch(file)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle or zip can raise almost anything
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(
            f"{path} can't be read as weights ({reason}); delete it to fetch {file.url} again"
        ) from error
    found = content.get(entry) if entry and isinstance(content, dict) else content
    state = _tensors(found, prefix)
    if not state:
        wanted = f"tensors named {prefix}…" if prefix else "tensors"
        place = f" under {entry!r}" if entry else ""
        raise InputError(f"{path} holds no {wanted}{place}: it is not the file the card describes")
    return state


def filled(build: Callable[[], Network], state: State, *, origin: str) -> Network:
    """The network that `build` makes with the weights of `state`, in evaluation mode.

    Raises InputError that names what is missing, left over or of another shape: nothing is skipped.
    """
    network = drawn(build, seed=0)  # its own weights are replaced
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        lines = str(error).splitlines()[1:4]
        faults = "; ".join(shorten(line, 160, placeholder=" …") for line in lines)
        raise InputError(
            f"the weights of {origin} do not fit {type(network).__name__}: {faults}"
        ) from error
    return network


def drawn(build: Callable[[], Network], *, seed: int) -> Network:
    """The network that `build` draws when torch's random numbers start at `seed`.

    It is in evaluation mode. The caller's random state is as it was before, on every device.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed the GPU as well
        return build().eval()


def _tensors(content: Any, prefix: str) -> State:
    if not isinstance(content, dict):
        return {}
    named = {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}
    return {
        name.removeprefix(prefix): value
        for name, value in named.items()
        if isinstance(name, str) and name.startswith(prefix)
    }
