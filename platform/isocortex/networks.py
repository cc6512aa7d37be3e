"""What decides a network's responses, as facts that are equal in every process and machine."""

import inspect
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any, Final, cast

import numpy as np
import torch
from torch import nn

from .errors import InputError
from .fingerprints import array_sha256, fingerprint
from .stimuli import Image


class StandIn(nn.Module, ABC):
    """A module whose network runs elsewhere, and which says itself what decides its answers."""

    @property
    @abstractmethod
    def weights_hash(self) -> str:
        """The SHA-256 of the weights."""

    @property
    @abstractmethod
    def facts(self) -> Mapping[str, Any]:
        """All else that decides the answers, as JSON-like facts."""

    @property
    @abstractmethod
    def parameter_count(self) -> int:
        """How many parameters the network has."""


def weights_sha256(module: nn.Module) -> str:
    """The SHA-256 of all parameters and buffers with their names and types."""
    if isinstance(module, StandIn):
        return module.weights_hash
    state = dict(module.state_dict()) | dict(module.named_buffers())
    names = [f"{name} {value.dtype} {tuple(value.shape)}" for name, value in state.items()]
    return fingerprint({"names": names, "values": array_sha256(map(_bytes_of, state.values()))})


def module_facts(module: nn.Module) -> dict[str, Any]:
    """The kinds, settings and code of all parts of a module, as JSON-like facts.

    Functions that are reached through another module's name or an object, and what a closure holds,
    are not seen.
    """
    if isinstance(module, StandIn):
        return dict(module.facts)
    parts = {name: _own_facts(part) for name, part in module.named_modules()}
    return {"parts": parts, "code": _source_of(module)}


def count_parameters(module: nn.Module) -> int:
    """How many parameters the module has."""
    if isinstance(module, StandIn):
        return module.parameter_count
    return sum(parameter.numel() for parameter in module.parameters())


def effect_sha256(preprocessing: Callable[[Image], torch.Tensor]) -> str:
    """The SHA-256 of what a preprocessing makes of two probe images. InputError if it is random."""
    draw = np.random.default_rng(0)
    shapes = ((96, 128, 3), (320, 240, 3))
    probes = [draw.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]
    first, second = (
        array_sha256(_bytes_of(preprocessing(probe)) for probe in probes) for _ in range(2)
    )
    if first != second:
        raise InputError("the preprocessing is random; give one that makes the same of each image")
    return first


_BOOKKEEPING: Final = frozenset(vars(nn.Module()))
_ADDRESS: Final = re.compile(r" at 0x[0-9A-Fa-f]+")


def _bytes_of(tensor: torch.Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The tensor's values as bytes: NumPy lacks some of torch's types, such as bfloat16."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return cast("np.ndarray[Any, np.dtype[np.uint8]]", flat.view(torch.uint8).numpy())


def _own_facts(module: nn.Module) -> list[Any]:
    """The kind of a module and the settings it keeps as plain attributes, such as a stride."""
    settings = {key: value for key, value in vars(module).items() if key not in _BOOKKEEPING}
    return [f"{type(module).__module__}.{type(module).__qualname__}", _plain(settings)]


def _plain(value: Any) -> Any:
    """The value as JSON-like facts that are equal in every process: no address, no set order."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, torch.Tensor):
        return [str(value.dtype), list(value.shape), array_sha256([_bytes_of(value)])]
    if isinstance(value, np.ndarray):
        return array_sha256([value])
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, value))
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if inspect.isfunction(value) or inspect.ismethod(value):
        return [value.__qualname__, _source_text(value)]
    return _ADDRESS.sub("", repr(value))


def _source_of(module: nn.Module) -> dict[str, str]:
    """The source code of the classes in and above the module tree, and of functions they call."""
    kinds = {kind for item in module.modules() for kind in type(item).__mro__}
    own = [kind for kind in kinds if not _is_foreign(kind)]
    found = {f"{kind.__module__}.{kind.__qualname__}": _source_text(kind) for kind in own}
    waiting = [item for kind in own for item in vars(kind).values() if inspect.isfunction(item)]
    while waiting:
        for called in _functions_named_in(waiting.pop()):
            name = f"{called.__module__}.{called.__qualname__}"
            if name not in found and not _is_foreign(called):
                found[name] = _source_text(called)
                waiting.append(called)
    return found


def _functions_named_in(function: FunctionType) -> Iterable[FunctionType]:
    for name in function.__code__.co_names:
        named = function.__globals__.get(name)
        called = inspect.unwrap(named) if callable(named) else None  # `functools.cache` wraps
        if inspect.isfunction(called):
            yield called


def _is_foreign(thing: type | FunctionType) -> bool:
    """Whether it belongs to torch or to Python."""
    root = thing.__module__.partition(".")[0]
    return root == "torch" or (root in sys.stdlib_module_names and root != "__main__")


def _source_text(thing: Any) -> str:
    try:
        return inspect.getsource(thing)
    except (OSError, TypeError):  # typed at a prompt: what it was compiled to must do
        functions = vars(thing).values() if isinstance(thing, type) else [thing]
        codes = [item.__code__ for item in functions if inspect.isfunction(item)]
        parts = ((code.co_code.hex(), code.co_names, code.co_consts) for code in codes)
        return _ADDRESS.sub("", repr(list(parts)))
