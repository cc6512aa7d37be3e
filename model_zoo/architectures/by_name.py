"""Networks of torchvision and timm by their own names, as they are but for the classifier."""

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import nn

from isocortex.errors import InputError, UnknownNameError
from isocortex.registry import architecture
from isocortex.training import Network

from ._timm import timm_made


@architecture(
    variants={
        "torchvision-*": {
            "summary": "any classifier of torchvision by name, such as torchvision-resnet50",
            "options": {"library": "torchvision"},
            "source": "https://docs.pytorch.org/vision/stable/models.html",
            "bibtex": "",
            "licence": "BSD-3-Clause",
        },
        "timm-*": {
            "summary": "any network of timm by name, such as timm-convnext_atto",
            "options": {"library": "timm"},
            "source": "Wightman 2019, PyTorch Image Models, "
            "https://github.com/huggingface/pytorch-image-models",
            "bibtex": """@software{wightman2019timm,
  author = {Wightman, Ross},
  title = {{PyTorch} Image Models},
  year = {2019},
  doi = {10.5281/zenodo.4414861},
  url = {https://github.com/huggingface/pytorch-image-models}
}""",
            "licence": "Apache-2.0",
        },
    },
    term="by-name",
)
def by_name(image_size: tuple[int, int], *, library: str, member: str) -> Network:
    """The network that a library makes of a name, with random weights and no classifier.

    It is one block, read out at its children. Raises InputError for a name that the library does
    not know, and for images that the network can't take.
    """
    whole = _MAKERS[library](member)
    try:
        with torch.no_grad():
            embedding = whole.eval()(torch.zeros(1, 3, *image_size))
    except (AssertionError, RuntimeError, ValueError) as error:
        height, width = image_size
        raise InputError(
            f"{member} of {library} can't take images of {height} × {width} pixels ({error}): "
            "choose another diet or network"
        ) from None
    return Whole(whole.train(), width=embedding.shape[1])


class Whole(Network):
    """A network of one block, whose layers are the block's children."""

    def __init__(self, module: nn.Module, *, width: int) -> None:
        super().__init__({"network": module}, width=width)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the module tree."""
        children = self.blocks["network"].named_children()
        return tuple(f"blocks.network.{n}" for n, each in children if list(each.parameters()))


def _of_torchvision(name: str) -> nn.Module:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise UnknownNameError.among("network of torchvision", name, known)
    whole: nn.Module = models.get_model(name, weights=None)
    linear = [path for path, each in whole.named_modules() if isinstance(each, nn.Linear)]
    if not linear:
        raise InputError(f"{name} of torchvision has no linear classifier to leave out")
    parent, _, last = linear[-1].rpartition(".")
    setattr(whole.get_submodule(parent), last, nn.Identity())
    return whole


_MAKERS: Final[Mapping[str, Callable[[str], nn.Module]]] = {
    "torchvision": _of_torchvision,
    "timm": timm_made,
}
