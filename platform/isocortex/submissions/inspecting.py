"""What the jail finds in a file: the tasks that look at each kind, asked from the trusted side."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

from .. import registry
from ..cards import PartCard
from ..errors import JailError, RejectedError
from ..jail import Jailed, Limits, run
from ..store.submitted import SubmissionKind
from .texts import cleaned

FACTS_BYTES: Final = 64 * 2**20
"""How much a jailed task may say of a file."""

_TASKS: Final[Mapping[SubmissionKind, str]] = {
    "activations": "isocortex.submissions._activations_child:serve",
    "weights": "isocortex.submissions._weights_child:serve",
    "hub": "isocortex.submissions._weights_child:serve",
    "onnx": "isocortex.submissions._onnx_child:serve",
}
_LOOK_UP: Final = "isocortex.submissions._weights_child:look_up"


_COPIES: Final[Mapping[SubmissionKind, int]] = {
    "activations": 0,  # read block by block
    "weights": 3,
    "hub": 3,
    "onnx": 4,
}
"""How many times a file is held in memory at most while it is opened, all copies together."""


def check_limits(kind: SubmissionKind, file: Path | None = None) -> Limits:
    """What looking at a file may cost: minutes, and memory in proportion to its size."""
    return Limits(
        memory_bytes=3 * 2**30 + _held_bytes(kind, file),
        cpu_seconds=180,
        wall_seconds=300,
        output_bytes=2 * FACTS_BYTES,
    )


def run_limits(kind: SubmissionKind, file: Path) -> Limits:
    """What running a model may cost: a day, and memory in proportion to its size."""
    day = 24 * 3600
    return Limits(
        memory_bytes=6 * 2**30 + _held_bytes(kind, file),
        cpu_seconds=4 * day,
        wall_seconds=day,
        output_bytes=2**50,
    )


def _held_bytes(kind: SubmissionKind, file: Path | None) -> int:
    return _COPIES[kind] * file.stat().st_size if file else 0


def request_of(
    kind: SubmissionKind, source: Mapping[str, Any], *, check: bool, threads: int = 1
) -> dict[str, Any]:
    """What the jailed task of a kind is told of a submission's source."""
    if kind == "activations":
        return {"scan": check}
    preprocessing = source["preprocessing"]
    request = {
        "check": check,
        "threads": min(threads, os.cpu_count() or 1),
        "size": preprocessing["crop"],
        "layers": list(source.get("layers") or ()),
    }
    if kind == "onnx":
        form = source.get("input") or {}
        names = {"input": form.get("name", "auto"), "layout": form.get("layout", "NCHW")}
        return request | names
    network = source["network"]
    is_pickled = str((source.get("reference") or {}).get("url", "")).endswith(".pth")
    return request | {
        "architecture": network["architecture"],
        "entry": _entry(network["architecture"]),
        "classes": network.get("classes"),
        "image_size": network.get("image_size") or preprocessing["crop"],
        "format": "pth" if is_pickled else "safetensors",
    }


def _entry(architecture: str) -> dict[str, Any] | None:
    """Where the code of an architecture of the zoo stands: the registry is not read in the jail."""
    if "/" in architecture:
        return None
    entry = registry.find_entry("architecture", architecture)
    options = dict(cast(PartCard, entry.card).options)
    return {"module": entry.module, "function": entry.function, "options": options}


@contextmanager
def inspected(
    kind: SubmissionKind, request: Mapping[str, Any], *, file: Path, limits: Limits
) -> Iterator[tuple[Jailed, dict[str, Any]]]:
    """The jailed task that has opened the file, and the facts it found.

    Raises RejectedError with all faults it found, JailError as `isocortex.jail.run` does.
    """
    with run(_TASKS[kind], request, files={"file": file}, limits=limits) as jailed:
        yield jailed, _facts(jailed)


def hub_facts(reference: Mapping[str, Any]) -> dict[str, Any]:
    """What torchvision or timm know of a reference. Raises RejectedError for an unknown one."""
    request = {name: reference[name] for name in ("hub", "name", "revision")}
    with run(_LOOK_UP, request, limits=check_limits("hub")) as jailed:
        return _facts(jailed)


def _facts(jailed: Jailed) -> dict[str, Any]:
    _, arrays = jailed.receive(most_bytes=FACTS_BYTES, shapes={"facts": (None,)})
    try:
        facts = json.loads(arrays["facts"].tobytes())
        faults = [cleaned(each) for each in facts.pop("faults")]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise JailError(f"the jailed task said what nobody understands: {cleaned(error)}") from None
    if faults:
        raise RejectedError(faults)
    return dict(facts)
