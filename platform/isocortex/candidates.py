"""Candidates: a network that can be scored: module, preprocessing, layers and card."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Literal, cast, get_args

import numpy as np
import torch
from PIL import Image as PillowImage
from torch import nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transform

from .cards import CandidateCard
from .errors import InputError, UnknownNameError
from .fingerprints import fingerprint
from .networks import count_parameters, effect_sha256, module_facts, weights_sha256
from .ontology import AXES
from .stimuli import Image

PreprocessingFunction = Callable[[Image], torch.Tensor]
Channels = Literal["RGB", "BGR"]
Interpolation = Literal["bilinear", "bicubic"]


@dataclass(frozen=True)
class Preprocessing:
    """From an image to what the network takes: a callable on uint8 (height, width, 3).

    The short side is resized to `resize` pixels (antialiased), the middle `crop` × `crop` is cut
    out, values are scaled to 0 … `scale`, channels put in the order `channels`, `mean` subtracted
    and divided by `std` (both in that order and scale). Returns float32 (3, crop, crop), equal to
    what torchvision's own transforms make of a Pillow image. Raises InputError for other arrays.
    """

    resize: int
    crop: int
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    scale: float = 1.0
    channels: Channels = "RGB"
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        if not 1 <= self.crop <= self.resize:
            raise InputError(
                f"crop {self.crop} does not fit into an image resized to {self.resize}"
            )
        if len(self.mean) != 3 or len(self.std) != 3:
            raise InputError(f"mean {self.mean} and std {self.std} need one number per channel")
        if min(*self.std, self.scale) <= 0:
            raise InputError(f"std {self.std} and scale {self.scale} must be positive")
        for value, choices in ((self.channels, Channels), (self.interpolation, Interpolation)):
            if value not in get_args(choices):
                raise InputError(f"{value!r} is not one of {', '.join(get_args(choices))}")

    def __call__(self, image: Image) -> torch.Tensor:
        """The image as the network takes it, (3, crop, crop)."""
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise InputError(
                f"an image is uint8 (height, width, 3); got {image.dtype} {image.shape}: convert it"
            )
        # Pillow resizes in integers, alike on every machine; torch's way depends on the processor.
        picture = PillowImage.fromarray(np.ascontiguousarray(image))
        mode = InterpolationMode(self.interpolation)
        picture = transform.resize(picture, [self.resize], interpolation=mode)
        picture = transform.center_crop(picture, [self.crop, self.crop])
        values = transform.pil_to_tensor(picture).to(torch.float32) / (255.0 / self.scale)
        if self.channels == "BGR":
            values = values.flip(0)
        tensor: torch.Tensor = transform.normalize(values, list(self.mean), list(self.std))
        return tensor


@dataclass(frozen=True)
class Candidate:
    """A network that can be scored.

    `layers` are names of the module tree (`module.named_modules()`), from input to output; an
    unknown one raises UnknownNameError. `preprocessing` makes an image a tensor (channels, height,
    width); None passes stimuli of the modality "array" on as they are.
    """

    card: CandidateCard
    module: nn.Module
    preprocessing: Preprocessing | PreprocessingFunction | None
    layers: tuple[str, ...]

    def __post_init__(self) -> None:
        known = dict(self.module.named_modules())
        for layer in self.layers:
            if layer not in known:
                raise UnknownNameError.among(
                    f"layer of {self.card.name}", layer, filter(None, known)
                )
        if not self.layers or len(set(self.layers)) != len(self.layers):
            raise InputError(f"{self.card.name}: layers must be named once each; got {self.layers}")

    def with_layers(self, layers: Iterable[str]) -> "Candidate":
        """The same network, read out at other layers; its name says which."""
        chosen = replace(self, layers=tuple(layers))
        name = f"{self.card.name}[{','.join(chosen.layers)}]"
        return replace(chosen, card=replace(self.card, name=name))

    @cached_property
    def weights_hash(self) -> str:
        """The SHA-256 of all parameters and buffers with their names and types."""
        return weights_sha256(self.module)

    @cached_property
    def network_hash(self) -> str:
        """The SHA-256 of all that decides its responses: weights, settings, code, preprocessing.

        It is equal between processes and machines. Functions that are reached through another
        module's name or an object, and what a closure holds, are not seen.
        """
        return fingerprint(
            {
                "weights": self.weights_hash,
                "module": module_facts(self.module),
                "preprocessing": _preprocessing_facts(self.preprocessing),
            }
        )

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the candidate's version: network, layers, name and components.

        What a card says besides, such as its summary, may be worded anew without a new version.
        """
        components = {axis: getattr(self.card, axis) for axis in AXES}
        identity = {"name": self.card.name, "network": self.network_hash, "layers": self.layers}
        return fingerprint(identity | components)

    @property
    def parameters(self) -> int:
        """How many parameters the network has."""
        return count_parameters(self.module)


def as_candidate(
    module: nn.Module,
    preprocessing: Preprocessing | PreprocessingFunction | None,
    *,
    name: str,
    layers: Sequence[str] | None = None,
    **components: str,
) -> Candidate:
    """A candidate made of any module; `components` are its card's facts, "unknown" by default.

    Without `layers`, `default_layers` chooses. The module is put into evaluation mode.
    """
    facts = {"architecture": "unknown", "objective": "unknown", "learning_rule": "unknown"}
    facts |= {"diet": "unknown", "source": "unpublished", "bibtex": "", "licence": "not stated"}
    facts |= {"summary": type(module).__name__} | components
    card = CandidateCard(name=name, **cast(dict[str, Any], facts))
    chosen = tuple(layers) if layers is not None else default_layers(module)
    return Candidate(card, module.eval(), preprocessing, chosen)


_PASSIVE: Final = (nn.Dropout, nn.Dropout2d, nn.Flatten, nn.Identity)
_CONTAINERS: Final = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def default_layers(module: nn.Module, *, most: int = 16) -> tuple[str, ...]:
    """The module's blocks from input to output, at most `most` of them, evenly spread.

    A block is what a network repeats: a part that has parts of its own, found up to two containers
    deep; what follows the last block (pooling, the classifier) counts as well. A network without
    such parts, a plain stack of operations, is read out after each of them. The last one always
    belongs to the choice. Raises InputError for a module without named parts.
    """
    parts = list(module.named_children())
    if len(parts) == 1 and _has_parts(parts[0][1]):
        name, only = parts[0]
        return tuple(f"{name}.{layer}" for layer in default_layers(only, most=most))
    blocks = list(_blocks(module, prefix="", depth=2))
    if not blocks:
        raise InputError(f"{type(module).__name__} has no named blocks; name its layers yourself")
    composite = [position for position, (_, block) in enumerate(blocks) if _has_parts(block)]
    last = composite[-1] if composite else -1
    names = [name for place, (name, _) in enumerate(blocks) if place in composite or place > last]
    return evenly_spread(names, most=most)


def evenly_spread(names: Sequence[str], *, most: int = 16) -> tuple[str, ...]:
    """At most `most` of the names in their order, the first and the last of them always.

    >>> evenly_spread(["a", "b", "c", "d", "e"], most=3)
    ('a', 'c', 'e')
    """
    positions = np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int)
    return tuple(names[position] for position in positions)


def _blocks(module: nn.Module, *, prefix: str, depth: int) -> Iterable[tuple[str, nn.Module]]:
    for name, child in module.named_children():
        path = f"{prefix}{name}"
        if _is_unfolded(child, depth):
            yield from _blocks(child, prefix=f"{path}.", depth=depth - 1)
        elif not isinstance(child, _PASSIVE):
            yield path, child


def _is_unfolded(module: nn.Module, depth: int) -> bool:
    """Whether the blocks are this module's parts: a container, or on top a wrapper around one."""
    if depth == 2:
        inner = (child for child in module.children() if _is_unfolded(child, 1))
        whole = sum(parameter.numel() for parameter in module.parameters())
        held = max((sum(p.numel() for p in child.parameters()) for child in inner), default=-1)
        return isinstance(module, _CONTAINERS) or held > 0.9 * whole
    holds_blocks = any(_has_parts(child) for child in module.children())
    return depth == 1 and isinstance(module, _CONTAINERS) and holds_blocks


def _has_parts(module: nn.Module) -> bool:
    return next(module.children(), None) is not None


def _preprocessing_facts(preprocessing: PreprocessingFunction | None) -> Any:
    """The arguments of a `Preprocessing`; any other callable is known by what it does."""
    if preprocessing is None or isinstance(preprocessing, Preprocessing):
        return preprocessing and vars(preprocessing)
    return {"by effect": effect_sha256(preprocessing)}
