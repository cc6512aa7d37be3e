"""Every image classifier of torchvision, by name and weights."""

import math
import re
from typing import TYPE_CHECKING, Any, Final

from torch import nn

from isocortex.candidates import Candidate, Preprocessing, default_layers, evenly_spread
from isocortex.cards import CandidateCard
from isocortex.errors import UnknownNameError
from isocortex.fetching import RemoteFile
from isocortex.registry import candidate_family, family_card, find_entry

from ._weights import State, drawn, filled, read_state

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

_ARCHITECTURES: Final = {
    "resnet|resnext|wide_resnet|regnet|convnext": "residual",
    "vit|swin|maxvit": "transformer",
    "mobilenet|mnasnet|efficientnet|shufflenet": "depthwise-separable",
    "": "convolutional",
}
"""The term of `isocortex.ontology`, by the beginning of the network's name."""

_LAYERS: Final = {
    "densenet": r"features\.(denseblock|transition)\d|classifier",
    "googlenet": r"inception\d[a-e]|avgpool|fc",
    "inception": r"Mixed_\d[a-e]|avgpool|fc",
    "maxvit": r"blocks\.\d\.layers\.\d+|classifier\.5",
}
"""The modules to read out where `default_layers` does not find what the network's paper names."""

_OLD_DENSENET_NAME: Final = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")
_CHECKSUM: Final = re.compile(r"-([0-9a-f]{8,64})\.pth$")


def members() -> tuple[str, ...]:
    """The names of all networks, each short for its default weights."""
    from torchvision import models

    return tuple(models.list_models(module=models))


@candidate_family(
    name="torchvision",
    summary="Every image classifier of torchvision, with each of its weights or none",
    members="members",
    source="https://docs.pytorch.org/vision/stable/models.html",
    bibtex="""@software{torchvision2016,
  title = {{TorchVision}: {PyTorch}'s Computer Vision Library},
  author = {{TorchVision maintainers and contributors}},
  year = {2016},
  howpublished = {https://github.com/pytorch/vision}
}""",
    licence="BSD-3-Clause; weights may be bound by the terms of their training data",
    code="https://github.com/pytorch/vision",
)
def torchvision_member(member: str) -> Candidate:
    """The network `resnet50` (its default weights), `resnet50/IMAGENET1K_V1` or `…/untrained#0`.

    An untrained network is prepared for like its trained twin of the default weights. The card
    bears the full name, since the default may change. Raises UnknownNameError, and whatever
    `read_state` and `filled` raise.
    """
    network, _, variant = member.partition("/")
    weights, seed = _chosen(network, variant)

    def build() -> nn.Module:
        return _built(network, weights, is_drawn=seed is not None)

    if seed is None:
        card = _trained_card(network, weights)
        state = _renamed(network, read_state(card.files["weights"]))
        module = filled(build, state, origin=card.name)
    else:
        card = _untrained_card(network, weights, seed)
        module = drawn(build, seed=seed)
    return Candidate(card, module, Preprocessing(**card.preprocessing), _layers(network, module))


def _chosen(network: str, variant: str) -> tuple["WeightsEnum", int | None]:
    """The weights of that name; for an untrained network the default ones, and the seed."""
    from torchvision import models

    if network not in members():
        raise UnknownNameError.among("torchvision network", network, members())
    weights: Any = models.get_model_weights(network)
    if not variant:
        return weights.DEFAULT, None
    if match := re.fullmatch(r"untrained#(\d+)", variant):
        return weights.DEFAULT, int(match[1])
    if variant not in weights.__members__:
        known = [*weights.__members__, "untrained#0"]
        raise UnknownNameError.among(f"variant of {network}", variant, known)
    return weights[variant], None


def _built(network: str, weights: "WeightsEnum", *, is_drawn: bool) -> nn.Module:
    """The network as torchvision builds it for these weights, with random ones."""
    from torchvision import models

    settings: dict[str, Any] = {}
    if network in ("googlenet", "inception_v3"):
        settings = {"transform_input": True, "init_weights": is_drawn}
    elif network.startswith("vit"):
        settings = {"image_size": weights.meta["min_size"][0]}
    module: nn.Module = models.get_model(network, weights=None, **settings)
    return module


def _renamed(network: str, state: State) -> State:
    # Densenet's files are older than its code, which spells `norm.1` as `norm1`.
    if not network.startswith("densenet"):
        return state
    return {_OLD_DENSENET_NAME.sub(r"\1\2.", name): value for name, value in state.items()}


def _layers(network: str, module: nn.Module) -> tuple[str, ...]:
    if network.startswith(("alexnet", "vgg")):
        parts = module.named_modules()
        return evenly_spread([name for name, part in parts if isinstance(part, nn.ReLU)])
    for beginning, pattern in _LAYERS.items():
        if network.startswith(beginning):
            names = [name for name, _ in module.named_modules() if re.fullmatch(pattern, name)]
            return evenly_spread(names)
    return default_layers(module)


def _trained_card(network: str, weights: "WeightsEnum") -> CandidateCard:
    checksum = _CHECKSUM.search(weights.url)
    accuracy = weights.meta["_metrics"]["ImageNet-1K"]["acc@1"]
    return _card(
        network,
        weights,
        name=f"torchvision/{network}/{weights.name}",
        summary=f"torchvision's {network} with the weights {weights.name}",
        objective="categorise",
        learning_rule="backprop",
        diet="instagram-hashtags" if "SWAG" in weights.name else "imagenet-1k",
        files={"weights": RemoteFile(weights.url, checksum[1] if checksum else None)},
        accuracy="" if math.isnan(accuracy) else f"ImageNet top-1 {accuracy} %",
    )


def _untrained_card(network: str, weights: "WeightsEnum", seed: int) -> CandidateCard:
    return _card(
        network,
        weights,
        name=f"torchvision/{network}/untrained#{seed}",
        summary=f"torchvision's {network} with random weights",
        objective="none",
        learning_rule="untrained",
        diet="none",
        seed=seed,
    )


def _card(network: str, weights: "WeightsEnum", **facts: Any) -> CandidateCard:
    family = family_card(find_entry("candidate_family", "torchvision"))
    return CandidateCard(
        architecture=_architecture(network),
        preprocessing=_preprocessing_facts(weights),
        source=weights.meta.get("recipe") or family.source,
        bibtex=family.bibtex,
        licence=family.licence,
        code=family.code,
        **facts,
    )


def _architecture(network: str) -> str:
    return next(term for names, term in _ARCHITECTURES.items() if re.match(names, network))


def _preprocessing_facts(weights: "WeightsEnum") -> dict[str, Any]:
    """The arguments of `Preprocessing` that equal torchvision's transforms for these weights."""
    transforms = weights.transforms()
    return {
        "resize": transforms.resize_size[0],
        "crop": transforms.crop_size[0],
        "mean": tuple(transforms.mean),
        "std": tuple(transforms.std),
        "interpolation": transforms.interpolation.value,
    }
