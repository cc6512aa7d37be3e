"""Loading a submission to score it: only workers import this, it needs torch.

The file is opened in a jail, which stays as long as the `with` block. What comes out looks like
any candidate; a plug-in alone is loaded into this process, and runs its own code.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import Any, Final

from .. import registry
from ..candidates import Candidate, Preprocessing
from ..cards import CandidateCard
from ..code_hashes import code_sha256
from ..errors import InputError, JailError
from ..fingerprints import file_sha256
from ..jail import Jailed, Limits
from ..store.submitted import NOT_SAID, StoredSubmission
from .admission import admit
from .given import GivenActivations
from .hub_files import hub_file
from .inspecting import inspected, request_of, run_limits
from .jailed import JailedNetwork
from .texts import layer_faults

ENGINE_VERSION: Final = 1
"""Counted up whenever a change of the jailed side would change a response."""

MOST_UNITS: Final = 2**28
"""How wide a layer's answer to one image may be: this process sets memory aside for it."""


@contextmanager
def loaded(
    submission: StoredSubmission,
    blob: Path | None = None,
    *,
    limits: Limits | None = None,
    threads: int = 1,
) -> Iterator[Candidate | GivenActivations]:
    """The candidate that a submission makes, or the activations that stand in for one.

    `blob` is its file; what lies on a hub is fetched, and pinned, on first use. Raises
    RejectedError where the file does not fit after all, JailError, FetchError, InputError.
    """
    source = submission.source
    path = _fetched(source) if submission.kind == "hub" else blob
    if path is None:
        raise InputError(f"the file of {submission.model} is missing (SHA-256 {submission.blob})")
    if submission.kind == "plugin":
        from .plugins import loaded_plugin

        yield loaded_plugin(submission, path, card=card_of(submission))
        return
    request = request_of(submission.kind, source, check=False, threads=threads)
    limits = limits or run_limits(submission.kind, path)
    found = inspected(submission.kind, request, file=path, limits=limits)
    with found as (jailed, facts):
        if submission.kind == "activations":
            yield _given(submission, jailed, facts)
        else:
            yield _candidate(submission, path, jailed, facts)


def card_of(submission: StoredSubmission) -> CandidateCard:
    """The card of the candidate, which bears the full name `account/model`."""
    known = {field.name for field in fields(CandidateCard)} - {"name"}
    facts = {name: value for name, value in submission.card.items() if name in known}
    return CandidateCard(**NOT_SAID | facts | {"name": submission.model})


def preprocessing_of(source: Mapping[str, Any]) -> Preprocessing:
    """The preprocessing of a submission's source, which runs on the trusted side."""
    facts = dict(source["preprocessing"])
    for name in ("mean", "std"):
        if name in facts:
            facts[name] = tuple(facts[name])
    return Preprocessing(**facts)


def _given(
    submission: StoredSubmission, jailed: Jailed, facts: Mapping[str, Any]
) -> GivenActivations:
    return GivenActivations(
        card_of(submission),
        facts["sets"],
        jailed,
        file_hash=str(submission.blob),
        layers=submission.source["layers"],
    )


def _candidate(
    submission: StoredSubmission, path: Path, jailed: Jailed, facts: Mapping[str, Any]
) -> Candidate:
    layers = tuple(submission.source["layers"] or facts["layers"])
    shapes = {layer: _shape(facts["layers"].get(layer)) for layer in layers}
    if any(layer_faults(layer) for layer in layers):
        raise JailError("the jailed task named a layer that can't be one")
    network = JailedNetwork(
        jailed,
        shapes,
        weights_hash=submission.blob or file_sha256(path),
        facts=_network_facts(submission),
        parameters=int(facts["parameters"]),
    )
    return Candidate(card_of(submission), network, preprocessing_of(submission.source), layers)


def _shape(sizes: object) -> tuple[int, ...]:
    if isinstance(sizes, list) and 1 <= len(sizes) <= 7:
        shape = tuple(size for size in sizes if isinstance(size, int) and 0 < size < 2**32)
        if len(shape) == len(sizes) and prod(shape) <= MOST_UNITS:
            return shape
    raise JailError("the jailed task said a shape that is none")


def _network_facts(submission: StoredSubmission) -> dict[str, Any]:
    """All but the weights that decides the answers: what the layers mean, and who computes them."""
    source = submission.source
    common = {"engine": ENGINE_VERSION, "kind": submission.kind}
    if submission.kind == "onnx":
        return common | {"input": source.get("input"), "onnxruntime": version("onnxruntime")}
    network = dict(source["network"])
    library, slash, _ = str(network["architecture"]).partition("/")
    if slash:
        return common | {"network": network, library: version(library)}
    entry = registry.find_entry("architecture", library)
    return common | {"network": network, "code": code_sha256(entry.path)}


def _fetched(source: Mapping[str, Any]) -> Path:
    """The weights of a hub's model, fetched and pinned on first use, and admitted."""
    path = hub_file(source["reference"])
    if not source["reference"]["url"].endswith(".pth"):
        admit(path, "hub")
    return path
