"""The check of a submission: form, file and benchmarks, before anything is stored or queued.

The form is read by `read_form`. The file is admitted without parsing, and then looked at in the
jail. Neither torch nor onnxruntime is imported in this process.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol

from ..errors import IsocortexError, JailError, MismatchError, RejectedError
from ..fingerprints import fingerprint
from ..ontology import AXES
from ..store.submitted import CheckedSubmission as CheckedSubmission
from .admission import admit
from .forms import MOST_LAYERS, PreprocessingForm, SubmissionForm, card_of, kind_faults
from .inspecting import check_limits, hub_facts, inspected, request_of
from .stimulus_sheets import prepared_sheet
from .texts import layer_faults, shown

TRUSTED: Final = ("trusted", "admin")
"""The roles whose plug-ins are run, without a jail."""


class Submitter(Protocol):
    """Whoever submits: an account of the store, by its role."""

    @property
    def name(self) -> str:
        """The account's name."""

    @property
    def role(self) -> str:
        """`user`, `trusted` or `admin`."""


def check(
    form: SubmissionForm,
    blob: Path | None = None,
    *,
    account: Submitter,
    verified: bool = False,
) -> CheckedSubmission:
    """The submission, in which no fault was found; nothing is written.

    `blob` is the uploaded file; unless it is `verified`, its SHA-256 is compared with the form's,
    which takes a second for each GB. What lies on a hub is not fetched yet: its name is looked up,
    its weights are checked when the job begins. Raises RejectedError with every fault that can be
    found at this stage (form, then file), JailError where the file stopped the jail or no jail can
    be had.
    """
    faults = kind_faults(form.model_dump(exclude_defaults=True)) + _form_faults(form, account)
    needs_file = "sha256" in form.model_fields_set and form.kind != "hub"
    if needs_file and blob is None and not faults:
        faults.append(f"sha256: no file with SHA-256 {form.sha256} was uploaded")
    if faults:
        raise RejectedError(faults)
    if blob is not None:
        admit(blob, form.kind, sha256=None if verified else form.sha256)
    source = _source_of(form)
    if form.kind == "hub":
        source = _looked_up(source)
    elif form.kind != "plugin" and blob is not None:
        source = _inspected(form, source, blob)
    return _checked(form, source)


def _form_faults(form: SubmissionForm, account: Submitter) -> list[str]:
    if form.kind == "plugin" and account.role not in TRUSTED:
        return [
            "kind: a plug-in, .pt2, TorchScript or pickle runs its own code, outside the jail; "
            "only accounts that an operator approved may submit one. Submit ONNX, or safetensors "
            "weights with an architecture's name"
        ]
    if form.plugin and form.plugin.format in ("pt2", "torchscript"):
        inner = [layer for layer in form.layers if layer != "network"]
        if inner:
            return [
                f"layers: a {form.plugin.format} file shows its output only, the layer 'network'; "
                f"it has no {shown(inner[0])}"
            ]
    return []


def _source_of(form: SubmissionForm) -> dict[str, Any]:
    """What the model is made of, as JSON-like facts."""
    parts = form.model_dump(
        mode="json", include={"preprocessing", "input", "network", "reference", "plugin"}
    )
    source = {name: part for name, part in parts.items() if part is not None}
    if form.kind == "hub" and form.sha256:
        source["reference"]["sha256"] = form.sha256
    return source | {"layers": list(form.layers)}


def _looked_up(source: dict[str, Any]) -> dict[str, Any]:
    """The source of a hub's model with what the libraries know of its name."""
    reference = source["reference"]
    hub, name, revision = (reference[each] for each in ("hub", "name", "revision"))
    facts: Mapping[str, Any] = {}
    if hub in ("torchvision", "timm"):
        facts = hub_facts(reference)
    if hub == "torchvision":
        reference = reference | {"url": _torchvision_url(facts["url"])}
        if facts.get("sha256") and "sha256" not in reference:
            reference["sha256"] = str(facts["sha256"])
    else:
        owned = name if hub == "huggingface" else f"timm/{name}"
        path = f"{owned}/resolve/{revision}/{reference['file']}"
        reference = reference | {"url": f"https://huggingface.co/{path}"}
    known = {part: facts[part] for part in ("network", "preprocessing") if part in facts}
    if "preprocessing" in known:
        read = PreprocessingForm.model_validate(known["preprocessing"])
        known["preprocessing"] = read.model_dump(mode="json")
    return known | source | {"reference": reference}


def _torchvision_url(url: object) -> str:
    address = str(url)
    if not address.startswith("https://download.pytorch.org/models/"):
        raise JailError(f"torchvision's table names an address of nobody's: {shown(address)}")
    return address


def _inspected(form: SubmissionForm, source: dict[str, Any], blob: Path) -> dict[str, Any]:
    """The source with what the jail found in the file: layers in order, and parameters."""
    request = request_of(form.kind, source, check=True)
    limits = check_limits(form.kind, blob)
    with inspected(form.kind, request, file=blob, limits=limits) as (_, facts):
        pass  # the jailed process has said all it has to say
    if form.kind == "activations":
        return source | {"layers": _given_layers(form, facts["sets"])}
    layers = [str(layer) for layer in facts["layers"]]
    if form.layers and layers != list(form.layers):
        raise JailError("the jailed task answered for other layers than it was asked for")
    if faults := _name_faults(layers):
        raise RejectedError(faults)
    return source | {"layers": layers, "parameters": int(facts["parameters"])}


def _given_layers(form: SubmissionForm, sets: Mapping[str, Any]) -> list[str]:
    """The layers of a file of activations that are scored. Raises RejectedError."""
    known = list(dict.fromkeys(layer for each in sets.values() for layer in each["layers"]))
    chosen = list(form.layers) or known
    faults = _name_faults(chosen)
    faults += [
        f"layers: the file holds no {shown(each)}" for each in form.layers if each not in known
    ]
    if len(chosen) > MOST_LAYERS:
        faults.append(
            f"layers: the file holds {len(chosen)}; at most {MOST_LAYERS} are scored: name them"
        )
    faults += _stimulus_faults(form.benchmarks, sets)
    if faults:
        raise RejectedError(faults)
    return chosen


def _name_faults(layers: Sequence[str]) -> list[str]:
    """What is wrong with names that stand in the file itself."""
    return [
        f"layers: {shown(each)} {'; it '.join(found)}"
        for each in layers
        if (found := layer_faults(each))
    ]


def _stimulus_faults(benchmarks: tuple[str, ...], sets: Mapping[str, Any]) -> list[str]:
    """Which benchmarks' stimuli the file does not hold."""
    from .given import set_of

    faults = []
    for dataset in dict.fromkeys(name.partition("/")[0] for name in benchmarks):
        try:
            set_of(sets, dataset, stimulus_ids(dataset))
        except MismatchError as error:
            faults.append(f"benchmarks: {error}")
        except IsocortexError as error:
            faults.append(f"benchmarks: the stimuli of {dataset} can't be had now ({error})")
    return faults


@lru_cache(maxsize=64)
def stimulus_ids(dataset: str) -> tuple[str, ...]:
    """The ids of a dataset's stimuli in order; they are listed by a process of its own."""
    return tuple(each.id for each in prepared_sheet(dataset)[0].stimuli)


def _checked(form: SubmissionForm, source: Mapping[str, Any]) -> CheckedSubmission:
    card = card_of(form)
    content = {name: part for name, part in source.items() if name != "parameters"}
    identity = {
        "kind": form.kind,
        "blob": form.sha256,
        "components": {axis: card[axis] for axis in AXES},
        **content,
    }
    return CheckedSubmission(
        model=form.model,
        kind=form.kind,
        visibility=form.visibility,
        card=card,
        source=dict(source),
        blob=form.sha256 if form.kind != "hub" else None,
        content_hash=fingerprint(identity),
        benchmarks=form.benchmarks,
    )
