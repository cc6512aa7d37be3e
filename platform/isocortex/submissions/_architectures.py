"""In the jail: architectures by name, of the zoo, torchvision or timm, with random weights."""

import re
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from isocortex.errors import IsocortexError, UnknownNameError

if TYPE_CHECKING:
    from torch import nn

_OLD_DENSENET_NAME: Final = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")
_REFUSED: Final = (RuntimeError, ValueError, TypeError, KeyError, AssertionError, ArithmeticError)


def built(request: Mapping[str, Any]) -> "tuple[nn.Module | None, list[str]]":
    """The network that `architecture`, `classes` and `image_size` make, and what is wrong."""
    library, slash, member = str(request["architecture"]).partition("/")
    try:
        if not slash:
            return _of_zoo(request), []
        makers = {"torchvision": _of_torchvision, "timm": _of_timm}
        return makers[library](member, request), []
    except IsocortexError as error:
        return None, [f"network.architecture: {error}"]
    except _REFUSED as error:
        line = (str(error).splitlines() or [type(error).__name__])[0]
        return None, [f"network: {member or library} can't be built so ({line})"]


def renamed(architecture: str, name: str) -> str:
    """A parameter's name as torchvision's code has it: densenet's files are older than that."""
    if not architecture.startswith("torchvision/densenet"):
        return name
    return _OLD_DENSENET_NAME.sub(r"\1\2.", name)


def _of_zoo(request: Mapping[str, Any]) -> "nn.Module":
    if request.get("classes"):
        raise ValueError("the zoo's networks have no classifier; leave classes out")
    entry, size = request["entry"], (int(request["image_size"]),) * 2
    network = getattr(import_module(entry["module"]), entry["function"])(size, **entry["options"])
    network.image_size = size
    module: nn.Module = network
    return module


def _of_torchvision(name: str, request: Mapping[str, Any]) -> "nn.Module":
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise UnknownNameError.among("network of torchvision", name, known)
    settings: dict[str, Any] = {}
    if request.get("classes") is not None:
        if request["classes"] < 1:
            raise ValueError("torchvision's networks need a classifier of one class or more")
        settings["num_classes"] = request["classes"]
    if name.startswith("vit"):
        settings["image_size"] = int(request["image_size"])
    if name in ("googlenet", "inception_v3"):
        settings |= {"transform_input": request.get("format") == "pth", "init_weights": False}
    network: nn.Module = models.get_model(name, weights=None, **settings)
    return network


def _of_timm(name: str, request: Mapping[str, Any]) -> "nn.Module":
    try:
        import timm
    except ImportError:
        raise UnknownNameError("timm is not installed here; choose another architecture") from None
    if name not in timm.list_models():
        raise UnknownNameError.among("network of timm", name, timm.list_models())
    classes = request.get("classes")
    settings = {} if classes is None else {"num_classes": classes}
    network: nn.Module = timm.create_model(name, pretrained=False, **settings)
    return network
