"""In the jail: what the installed libraries know of a hub's names, without asking the hub."""

import re
from collections.abc import Mapping
from typing import Any, Final

from isocortex.errors import UnknownNameError

_CHECKSUM: Final = re.compile(r"-([0-9a-f]{8,64})\.pth$")


def hub_facts(request: Mapping[str, Any]) -> dict[str, Any]:
    """Architecture, classes, preprocessing and, of torchvision, address of a name's weights.

    `faults` says what is wrong with the name; then there is nothing else.
    """
    makers = {"torchvision": _of_torchvision, "timm": _of_timm}
    try:
        return makers[str(request["hub"])](str(request["name"]), str(request["revision"]))
    except UnknownNameError as error:
        return {"faults": [f"reference: {error}"]}


def _of_torchvision(name: str, revision: str) -> dict[str, Any]:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise UnknownNameError.among("network of torchvision", name, known)
    weights: Any = models.get_model_weights(name)
    if revision not in weights.__members__:
        raise UnknownNameError.among(f"weights of {name}", revision, weights.__members__)
    chosen = weights[revision]
    transforms = chosen.transforms()
    checksum = _CHECKSUM.search(chosen.url)
    return {
        "faults": [],
        "url": chosen.url,
        "sha256": checksum[1] if checksum else None,
        "network": {
            "architecture": f"torchvision/{name}",
            "classes": None,
            "image_size": chosen.meta["min_size"][0] if name.startswith("vit") else None,
        },
        "preprocessing": {
            "resize": transforms.resize_size[0],
            "crop": transforms.crop_size[0],
            "mean": list(transforms.mean),
            "std": list(transforms.std),
            "interpolation": transforms.interpolation.value,
        },
    }


def _of_timm(name: str, revision: str) -> dict[str, Any]:
    try:
        import timm
    except ImportError:
        raise UnknownNameError("timm is not installed here; choose another hub") from None
    known = timm.list_pretrained()
    if name not in known:
        raise UnknownNameError.among("pretrained network of timm", name, known)
    facts: Any = timm.get_pretrained_cfg(name)
    size = facts.input_size[-1]
    return {
        "faults": [],
        "network": {
            "architecture": f"timm/{name.partition('.')[0]}",
            "classes": facts.num_classes,
            "image_size": None,
        },
        "preprocessing": {
            "resize": max(size, round(size / (facts.crop_pct or 1))),
            "crop": size,
            "mean": list(facts.mean),
            "std": list(facts.std),
            "interpolation": "bicubic" if facts.interpolation == "bicubic" else "bilinear",
        },
    }
