"""Candidates: a network that can be scored is a module, its preprocessing, its layers and a card."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Literal, cast

import numpy as np
import torch
from torch import nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transform

from .cards import CandidateCard, card_facts
from .errors import InputError, UnknownNameError
from .fingerprints import array_sha256, fingerprint
from .stimuli import Image

PreprocessingFunction = Callable[[Image], torch.Tensor]


@dataclass(frozen=True)
class Preprocessing:
    """From an image to what the network takes: a callable on uint8 (height, width, 3).

    The short side is resized to `resize` pixels (antialiased), the middle `crop` × `crop` is cut
    out, values are scaled to 0 … `scale`, channels put in the order `channels`, `mean` subtracted
    and divided by `std` (both in that order and scale). Returns float32 (3, crop, crop).
    """

    resize: int
    crop: int
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    scale: float = 1.0
    channels: Literal["RGB", "BGR"] = "RGB"
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"

    def __post_init__(self) -> None:
        if not 1 <= self.crop <= self.resize:
            raise InputError(f"crop {self.crop} does not fit into an image resized to {self.resize}")
        if min(self.std) <= 0:
            raise InputError(f"std is {self.std}; every channel's must be positive")

    def __call__(self, image: Image) -> torch.Tensor:
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
        mode = InterpolationMode(self.interpolation)
        pixels = transform.resize(pixels, [self.resize], interpolation=mode, antialias=True)
        pixels = transform.center_crop(pixels, [self.crop, self.crop])
        values = pixels.to(torch.float32) * (self.scale / 255.0)
        if self.channels == "BGR":
            values = values.flip(0)
        return transform.normalize(values, list(self.mean), list(self.std))


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
                raise UnknownNameError.among(f"layer of {self.card.name}", layer, filter(None, known))
        if not self.layers or len(set(self.layers)) != len(self.layers):
            raise InputError(f"{self.card.name}: layers must be named once each; got {self.layers}")

    def with_layers(self, layers: Iterable[str]) -> "Candidate":
        """The same network, read out at other layers; its name says which."""
        chosen = tuple(layers)
        name = f"{self.card.name}[{','.join(chosen)}]"
        return replace(self, layers=chosen, card=replace(self.card, name=name))

    @cached_property
    def weights_hash(self) -> str:
        """The SHA-256 of all parameters and buffers with their names."""
        state = self.module.state_dict()
        arrays = (value.detach().cpu().numpy() for value in state.values())
        return fingerprint({"names": list(state), "values": array_sha256(arrays)})

    @cached_property
    def network_hash(self) -> str:
        """The SHA-256 of all that decides its responses: weights, code and preprocessing."""
        return fingerprint(
            {
                "weights": self.weights_hash,
                "modules": repr(self.module),
                "code": _source_of(self.module),
                "preprocessing": _preprocessing_facts(self.preprocessing),
            }
        )

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the candidate's version: network, layers and card."""
        facts = {"network": self.network_hash, "layers": self.layers, "card": card_facts(self.card)}
        return fingerprint(facts)

    @property
    def parameters(self) -> int:
        """How many parameters the network has."""
        return sum(parameter.numel() for parameter in self.module.parameters())


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

    A block is a child of the module, or of a container (`Sequential`, `ModuleList`, `ModuleDict`)
    among its children, two levels deep. The last block is always one of them.
    """
    blocks = list(_blocks(module, prefix="", depth=2))
    if not blocks:
        raise InputError(f"{type(module).__name__} has no named blocks; name its layers yourself")
    positions = np.linspace(0, len(blocks) - 1, min(most, len(blocks))).round().astype(int)
    return tuple(blocks[position] for position in positions)


def _blocks(module: nn.Module, *, prefix: str, depth: int) -> Iterable[str]:
    for name, child in module.named_children():
        path = f"{prefix}{name}"
        if isinstance(child, _CONTAINERS) and depth and len(child):
            yield from _blocks(child, prefix=f"{path}.", depth=depth - 1)
        elif not isinstance(child, _PASSIVE):
            yield path


def _source_of(module: nn.Module) -> dict[str, str]:
    """The source code of every class in the module tree that is not torch's own."""
    kinds = {type(item) for item in module.modules()}
    own = (kind for kind in kinds if not kind.__module__.startswith("torch.nn."))
    return {f"{kind.__module__}.{kind.__qualname__}": _source_text(kind) for kind in own}


def _source_text(thing: Any) -> str:
    try:
        return inspect.getsource(thing)
    except (OSError, TypeError):  # typed at a prompt: its name must do
        return ""


def _preprocessing_facts(preprocessing: PreprocessingFunction | None) -> Any:
    """The arguments of a `Preprocessing`; any other callable is known by what it does to probes."""
    if preprocessing is None:
        return None
    if isinstance(preprocessing, Preprocessing):
        return vars(preprocessing)
    probes = np.random.default_rng(0).integers(0, 256, (2, 96, 128, 3), dtype=np.uint8)
    made = [preprocessing(probe).detach().cpu().numpy() for probe in probes]
    return {"by effect": array_sha256(made)}
