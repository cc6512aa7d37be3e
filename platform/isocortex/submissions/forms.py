"""The form of a submission: what somebody says of a model, checked field by field.

`read_form` lists every fault at once, each under the name of its field. Nothing here reads a file,
imports torch or asks the database.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from .. import ontology
from ..errors import RejectedError, UnknownNameError
from ..ontology import Axis
from ..store.submitted import SubmissionKind, Visibility
from .benchmark_names import benchmark_fault
from .texts import bibtex_faults, layer_faults, line_faults, shown

MOST_LAYERS: Final = 64
MOST_BENCHMARKS: Final = 500
MODEL_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""The SHA-256 of a file, as 64 digits of 0-9a-f."""


def _line(most: int, least: int = 0) -> AfterValidator:
    return AfterValidator(lambda text: _refused(text, line_faults(text, least=least, most=most)))


def _term(axis: Axis) -> AfterValidator:
    def check(name: str) -> str:
        try:
            return ontology.find_term(axis, name).name
        except UnknownNameError:
            known = [term.name for term in ontology.terms(axis)]
            named = UnknownNameError.among(axis.replace("_", " "), name[:64], known)
            raise ValueError(_escaped(str(named))) from None

    return AfterValidator(check)


def _refused(text: str, faults: list[str]) -> str:
    if faults:
        raise ValueError(f"{shown(text)} {'; it '.join(faults)}")
    return text


def _escaped(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


class _Form(BaseModel):
    # Infinities are caught by name; strings are not turned into numbers behind anybody's back.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class CardForm(_Form):
    """What people should know of a model; the four components are terms of the ontology.

    "unknown" is a term of each axis. `source` is a paper, DOI or address, `accuracy` words of your
    own, such as "ImageNet top-1 71 %".
    """

    summary: Annotated[str, _line(500, 1)]
    architecture: Annotated[str, _term("architecture")]
    objective: Annotated[str, _term("objective")]
    learning_rule: Annotated[str, _term("learning_rule")]
    diet: Annotated[str, _term("diet")]
    licence: Annotated[str, _line(200, 1)]
    source: Annotated[str, _line(500)] = "unpublished"
    bibtex: Annotated[
        str, AfterValidator(lambda text: _refused(text, bibtex_faults(text, most=20_000)))
    ] = ""
    code: Annotated[str, _line(500)] = ""
    accuracy: Annotated[str, _line(200)] = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None

    @field_validator("code")
    @classmethod
    def _is_address(cls, text: str) -> str:
        if text and not re.fullmatch(r"https?://[^\s\"'<>]+", text):
            raise ValueError(f"{shown(text)} is no http or https address")
        return text


def _listed(value: object) -> object:
    """A list of JSON as a tuple, which strict fields want."""
    return tuple(value) if isinstance(value, list) else value


Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
Triple = Annotated[tuple[Finite, Finite, Finite], BeforeValidator(_listed)]


class PreprocessingForm(_Form):
    """How an image becomes what the network takes: the arguments of `isocortex.Preprocessing`."""

    resize: Annotated[int, Field(ge=1, le=4096)]
    crop: Annotated[int, Field(ge=1, le=4096)]
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)
    scale: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 1.0
    channels: Literal["RGB", "BGR"] = "RGB"
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"

    @field_validator("std")
    @classmethod
    def _is_positive(cls, std: tuple[float, ...]) -> tuple[float, ...]:
        if min(std) < 1e-6:
            raise ValueError(f"{list(std)} must be positive, at least 0.000001")
        return std

    @model_validator(mode="after")
    def _fits(self) -> "PreprocessingForm":
        if self.crop > self.resize:
            raise ValueError(
                f"crop {self.crop} does not fit into an image resized to {self.resize}"
            )
        return self


class InputForm(_Form):
    """How an ONNX file takes its images: the name of the input and the order of its dims."""

    name: Annotated[str, AfterValidator(lambda text: _refused(text, layer_faults(text)))] = "auto"
    layout: Literal["NCHW", "NHWC"] = "NCHW"


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/+-]{0,99}$")]


class NetworkForm(_Form):
    """The registered architecture that weights belong to.

    `architecture` is one of the zoo (`conv4`), or `torchvision/resnet18`, `timm/resnet10t`.
    `classes` is the width of the classifier, 0 for none; the zoo's networks have none.
    """

    architecture: Name
    classes: Annotated[int, Field(ge=0, le=100_000)] | None = None
    image_size: Annotated[int, Field(ge=8, le=1024)] | None = None

    @field_validator("architecture")
    @classmethod
    def _is_registered(cls, name: str) -> str:
        from .. import registry

        library, slash, member = name.partition("/")
        if slash and (library not in ("torchvision", "timm") or "/" in member or not member):
            raise ValueError(
                f"{name!r} is of no known library; expected torchvision/… or timm/…, or a name of "
                "the zoo"
            )
        if not slash:
            known = [each.name for each in registry.entries("architecture")]
            known = [each for each in known if not each.endswith("*")]
            if name not in known:
                raise ValueError(str(UnknownNameError.among("architecture", name, known)))
        return name


class ReferenceForm(_Form):
    """Weights that lie on a hub.

    torchvision: `name` resnet18, `revision` IMAGENET1K_V1. timm: `name` resnet18.a1_in1k, Hugging
    Face: `name` owner/model, both with the 40 digits of a commit as `revision` and a safetensors
    `file`.
    """

    hub: Literal["torchvision", "timm", "huggingface"]
    name: Name
    revision: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")]
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$")] = (
        "model.safetensors"
    )

    @model_validator(mode="after")
    def _is_pinned(self) -> "ReferenceForm":
        faults = list(_reference_faults(self))
        if faults:
            raise ValueError("; ".join(faults))
        return self


def _reference_faults(reference: ReferenceForm) -> Iterator[str]:
    hub, parts = reference.hub, reference.name.split("/")
    wanted = 2 if hub == "huggingface" else 1
    if len(parts) != wanted or any(part in ("", ".", "..") for part in parts):
        form = "owner/model" if wanted == 2 else "one word"
        yield f"name {reference.name!r} is no name of {hub} ({form})"
    if hub == "torchvision":
        return
    if not re.fullmatch("[0-9a-f]{40}", reference.revision):
        yield (
            f"revision {reference.revision!r} can change what it means; give the commit's 40 digits"
        )
    if not reference.file.endswith(".safetensors"):
        yield f"file {reference.file!r} is not safetensors; no other format is taken from a hub"
    if any(part in ("", ".", "..") for part in reference.file.split("/")):
        yield f"file {reference.file!r} is no path inside the repository"


class PluginForm(_Form):
    """What runs without a jail, for approved accounts only: how the file is to be opened."""

    format: Literal["python", "pt2", "torchscript", "pickle"]
    function: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")] = "model"


class SubmissionForm(_Form):
    """All that somebody says of a model that is to be scored. `REQUIRED` tells what a kind needs.

    `model` is the name within the account; `sha256` that of the uploaded file. Without `layers`,
    the check chooses some.
    """

    model: str
    kind: SubmissionKind
    visibility: Visibility = "private"
    benchmarks: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    card: CardForm
    sha256: Sha256 | None = None
    layers: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    preprocessing: PreprocessingForm | None = None
    input: InputForm | None = None
    network: NetworkForm | None = None
    reference: ReferenceForm | None = None
    plugin: PluginForm | None = None

    @field_validator("model")
    @classmethod
    def _is_name(cls, name: str) -> str:
        if not MODEL_NAME.fullmatch(name) or not re.search("[A-Za-z0-9]", name) or ".." in name:
            raise ValueError(
                f"{shown(name)} is no name; use 1 to 100 of the characters A-Z a-z 0-9 . _ -"
            )
        return name

    @field_validator("layers")
    @classmethod
    def _are_layers(cls, layers: tuple[str, ...]) -> tuple[str, ...]:
        faults = _list_faults(layers, most=MOST_LAYERS)
        for layer in layers[:MOST_LAYERS]:
            if found := layer_faults(layer):
                faults.append(f"{shown(layer)} {'; it '.join(found)}")
        if faults:
            raise ValueError("; ".join(faults))
        return layers

    @field_validator("benchmarks")
    @classmethod
    def _are_benchmarks(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        faults = _list_faults(names, most=MOST_BENCHMARKS)
        faults += filter(None, map(benchmark_fault, names[:MOST_BENCHMARKS]))
        if faults:
            raise ValueError("; ".join(faults))
        return names


def _list_faults(names: tuple[str, ...], *, most: int) -> list[str]:
    faults = []
    if len(names) > most:
        faults.append(f"{len(names):,} are named; at most {most} at a time")
    twice = {name for name in names if names.count(name) > 1} if len(names) <= most else ()
    return [*faults, *(f"{shown(name)} is named more than once" for name in sorted(twice))]


REQUIRED: Final[Mapping[SubmissionKind, tuple[str, ...]]] = {
    "activations": ("sha256",),
    "weights": ("sha256", "network", "preprocessing"),
    "onnx": ("sha256", "preprocessing"),
    "hub": ("reference",),
    "plugin": ("sha256", "plugin", "preprocessing"),
}
_OPTIONAL: Final[Mapping[SubmissionKind, tuple[str, ...]]] = {
    "activations": ("layers",),
    "weights": ("layers",),
    "onnx": ("layers", "input"),
    "hub": ("layers", "network", "preprocessing", "sha256"),
    "plugin": ("layers",),
}
_OF_A_KIND: Final = (
    *("sha256", "layers", "preprocessing", "input", "network", "reference", "plugin"),
)


def read_form(document: object) -> SubmissionForm:
    """The form that a JSON-like document fills in. Raises RejectedError with every fault of it."""
    if not isinstance(document, Mapping):
        raise RejectedError([f"a form is a table of fields; got {type(document).__name__}"])
    faults: list[str] = []
    form = None
    try:
        form = SubmissionForm.model_validate(dict(document))
    except ValidationError as error:
        faults = [_fault(dict(each)) for each in error.errors(include_url=False)]
    faults += kind_faults(document)
    if form is None or faults:
        raise RejectedError(faults)
    return form


def kind_faults(document: Mapping[str, Any]) -> list[str]:
    """What the kind of a submission needs and the document lacks, or can't have and has."""
    named = document.get("kind")
    kind = next((each for each in REQUIRED if each == named), None)
    if kind is None:
        return []
    given = [name for name in _OF_A_KIND if document.get(name)]
    known = (*REQUIRED[kind], *_OPTIONAL[kind])
    faults = [
        f"{name}: a submission of the kind {kind!r} needs it"
        for name in REQUIRED[kind]
        if name not in given
    ]
    faults += [
        f"{name}: a submission of the kind {kind!r} has none" for name in given if name not in known
    ]
    reference = document.get("reference")
    if isinstance(reference, Mapping) and reference.get("hub") == "huggingface":
        needed = ("network", "preprocessing")
        faults += [
            f"{name}: weights of Hugging Face do not say it safely; it is needed"
            for name in needed
            if name not in given
        ]
    return faults


def card_of(form: SubmissionForm) -> dict[str, Any]:
    """The card as JSON-like facts, without what was left out."""
    return form.card.model_dump(mode="json", exclude_none=True)


_PLAIN: Final = {"Input should be a valid integer": "it should be a whole number", "Input ": "it "}


def _fault(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors as `field: what is wrong`, without its own jargon."""
    place = ".".join(str(part) for part in error["loc"][:6])
    place = _escaped(place)[:120] or "form"
    message = str(error["msg"]).removeprefix("Value error, ")
    for jargon, words in _PLAIN.items():
        message = message.replace(jargon, words)
    given = error.get("input")
    if error["type"] == "missing":
        return f"{place}: it is missing"
    if error["type"] == "extra_forbidden":
        return f"{place}: there is no such field"
    if error["type"] == "value_error":
        return f"{place}: {_escaped(message)}"
    if isinstance(given, float) and not math.isfinite(given):
        return f"{place}: {given} is not a finite number"
    number = isinstance(given, (str, int, float, bool))
    got = f"; got {shown(given)}" if number else f"; got {type(given).__name__}"
    return f"{place}: {message[:1].lower()}{message[1:]}{got}"
