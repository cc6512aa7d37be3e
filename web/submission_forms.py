"""The site's form of a submission: what was typed, as the document that every submission is.

A field bears the name of its place in the document (`card.summary`), so each fault, which begins
with a place, finds its field.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from isocortex.client.submission_schemas import KINDS
from isocortex.submissions import forms

from .columns import AXIS_LABELS

KIND_LABELS: Final[Mapping[str, str]] = {
    "onnx": "A network, as one ONNX file",
    "weights": "Weights (safetensors) of a known architecture",
    "hub": "A network on a hub: torchvision, timm or Hugging Face",
    "activations": "Activations (safetensors) for a benchmark's stimuli",
    "plugin": "Code, TorchScript, .pt2 or pickle (approved accounts only)",
}

FIELD_LABELS: Final[Mapping[str, str]] = {
    "model": "Name",
    "kind": "What you hand in",
    "file": "File",
    "reference": "Where it lies",
    "reference.hub": "Hub",
    "reference.name": "Name there",
    "reference.revision": "Revision",
    "reference.file": "File there",
    "network": "Architecture of the weights",
    "network.architecture": "Registered architecture",
    "network.classes": "Outputs of its classifier",
    "network.image_size": "Image size it was built for, in pixels",
    "plugin": "How to open it",
    "plugin.format": "Format",
    "plugin.function": "Function that returns the module",
    "preprocessing": "From an image to its input",
    "preprocessing.resize": "Shorter side, pixels",
    "preprocessing.crop": "Centre crop, pixels",
    "preprocessing.scale": "Factor",
    "preprocessing.mean": "Means of the channels",
    "preprocessing.std": "Their standard deviations",
    "preprocessing.channels": "Channels",
    "preprocessing.interpolation": "Interpolation",
    "input": "Input of the ONNX graph",
    "input.name": "Name of the input",
    "input.layout": "Layout",
    "layers": "Layers to read out",
    "card": "Card",
    "card.summary": "What it is, in one sentence",
    **{f"card.{axis}": label for axis, label in AXIS_LABELS.items()},
    "card.licence": "Licence",
    "card.source": "Source",
    "card.code": "Code",
    "card.accuracy": "Accuracy",
    "card.seed": "Seed it was trained with",
    "card.bibtex": "BibTeX",
    "benchmarks": "Benchmarks",
    "visibility": "Who sees it",
}
"""What the form calls its fields, and the groups of them that are at fault as a whole."""

_LISTS: Final = frozenset({"layers", "benchmarks"})
_NUMBERS: Final[Mapping[str, type[int] | type[float]]] = {
    **dict.fromkeys(("card.seed", "preprocessing.resize", "preprocessing.crop"), int),
    **dict.fromkeys(("network.classes", "network.image_size"), int),
    "preprocessing.scale": float,
}
_TRIPLES: Final = frozenset({"preprocessing.mean", "preprocessing.std"})
_CHOSEN: Final = frozenset(
    {
        *("preprocessing.channels", "preprocessing.interpolation", "input.layout"),
        *("reference.hub", "plugin.format"),
    }
)
"""Fields that always say something; by themselves they fill in no group."""

_GROUPS: Final = ("preprocessing", "input", "network", "reference", "plugin")


@dataclass(frozen=True)
class Typed:
    """What was typed into the form, by the names of its fields; lists stay lists."""

    values: Mapping[str, str]
    lists: Mapping[str, tuple[str, ...]]

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    def chosen(self, name: str) -> tuple[str, ...]:
        """The items of a list."""
        return self.lists.get(name, ())


EMPTY: Final = Typed({"kind": "onnx", "visibility": "private"}, {})


def read_typed(items: Iterable[tuple[str, object]]) -> Typed:
    """What a browser sent; files are left out."""
    values: dict[str, str] = {}
    lists: dict[str, list[str]] = {name: [] for name in _LISTS}
    for name, value in items:
        if not isinstance(value, str):
            continue
        if name in _LISTS:
            lists[name] += [line.strip() for line in value.splitlines() if line.strip()]
        else:
            values[name] = value.strip()
    return Typed(values, {name: tuple(dict.fromkeys(found)) for name, found in lists.items()})


def document_of(typed: Typed, *, sha256: str | None) -> dict[str, Any]:
    """The document that the form stands for; what was left empty is left out."""
    kind = typed["kind"]
    document: dict[str, Any] = {"model": typed["model"], "kind": kind, "card": {}}
    document["visibility"] = typed["visibility"] or "private"
    groups: dict[str, dict[str, Any]] = {}
    for name, text in typed.values.items():
        group, dot, field = name.partition(".")
        if dot and text and group in (*_GROUPS, "card"):
            groups.setdefault(group, {})[field] = _value(name, text)
    document["card"] = groups.pop("card", {})
    document |= {name: group for name, group in groups.items() if _counts(name, group, kind)}
    document |= {name: list(items) for name, items in typed.lists.items() if items}
    return document | ({"sha256": sha256} if sha256 else {})


def faults_by_field(faults: Sequence[str], fields: Iterable[str]) -> dict[str, list[str]]:
    """The faults under the field that each is about, in the order of the fields.

    First, under "", come those about none of them.
    """
    order = ("", *fields)
    known = sorted(order[1:], key=len, reverse=True)
    found: dict[str, list[str]] = {}
    for fault in faults:
        place, colon, rest = fault.partition(": ")
        place = {"sha256": "file", "blob": "file"}.get(place, place)
        field = next((name for name in known if place == name or place.startswith(f"{name}.")), "")
        found.setdefault(field, []).append(rest if colon and field else fault)
    return {field: found[field] for field in order if field in found}


def kinds_for(role: str) -> dict[str, str]:
    """The kinds that somebody may submit, with what they mean."""
    wanted = [kind for kind in KIND_LABELS if kind in KINDS]
    return {kind: KIND_LABELS[kind] for kind in wanted if kind != "plugin" or role != "user"}


def _counts(group: str, given: Mapping[str, Any], kind: str) -> bool:
    """Whether a group was filled in: by more than choices that are always made, or by need."""
    typed = any(f"{group}.{field}" not in _CHOSEN for field in given)
    return typed or group in forms.REQUIRED.get(kind, ())  # type: ignore[call-overload]


def _value(name: str, text: str) -> object:
    """The text as what its field holds; what can't be read stays text, and is a fault there."""
    if name in _TRIPLES:
        parts = text.replace(",", " ").split()
        return [_number(part, float) for part in parts]
    return _number(text, _NUMBERS[name]) if name in _NUMBERS else text


def _number(text: str, kind: type[int] | type[float]) -> object:
    try:
        return kind(text)
    except ValueError:
        return text
