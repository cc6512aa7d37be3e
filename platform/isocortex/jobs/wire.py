"""What workers and the server tell each other over HTTPS, and how what comes is checked.

Facts go as JSON. A score goes as one safetensors file: the arrays of its detail, and all else in
the header. Whoever may work is trusted to score, but what comes is read as any stranger's file is.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import numpy as np
import xarray as xr
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError

from ..cards import CandidateCard, card_facts
from ..errors import CardError, InputError
from ..scores import Ceiling, Score
from ..store import BenchmarkFacts, CandidateFacts, DatasetFacts, ScorerFacts
from ..store.artifacts import decode_detail, encode_detail
from ..store.queue import MOST_AT_ONCE, Claim, Lease, Outcome
from ..store.submitted import StoredSubmission, SubmissionKind, Visibility

MOST_BYTES: Final = 64 * 10**6
"""The largest file of a score that is taken."""

_MOST_HEADER: Final = 16 * 10**6
_DTYPES: Final = frozenset({"F64", "F32", "I64", "I32", "U8", "BOOL"})

_TEXTS: Final = ("name", "summary", "accuracy", "source", "bibtex", "licence", "code")


def _storable(text: str) -> str:
    if re.search("[\0\ud800-\udfff]", text):
        raise ValueError("a text holds neither NUL nor half a character")
    return text


Text = Annotated[str, AfterValidator(_storable)]
Name = Annotated[str, Field(min_length=1, max_length=255)]
Worker = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,150}$")]
Number = Annotated[int, Field(ge=0, le=2**62)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Facts = dict[str, Any]


class Told(BaseModel):
    """What one side tells the other: nothing else than what is named."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Introduction(Told):
    """A worker that takes jobs from now on; both sides must be of one version."""

    worker: Worker
    version: Annotated[str, Field(max_length=40)]
    facts: Annotated[dict[Text, Text | int | None], Field(max_length=20)]


class Asking(Told):
    """A worker that wants something to do."""

    worker: Worker


class Held(Told):
    """A lease by its job and fencing token."""

    job_id: Number
    attempt: Number


class Beating(Told):
    """A worker that is alive, with what it does for each job."""

    worker: Worker
    held: Annotated[list[Held], Field(max_length=MOST_AT_ONCE)]
    progress: Annotated[
        dict[int, Annotated[dict[Text, Text | int | float | None], Field(max_length=20)]],
        Field(max_length=MOST_AT_ONCE),
    ]


class Ending(Told):
    """What becomes of a job without a new score, or a line about it."""

    worker: Worker
    attempt: Number
    what: Literal["fail", "retry", "release", "stored", "log"]
    reason: Annotated[str, Field(max_length=10_000)] = ""
    peak_bytes: Number | None = None
    score_id: Number | None = None


class GivenLease(Told):
    """A lease as the server gives it."""

    job_id: int
    attempt: int
    benchmark: str
    anew: bool


class GivenSubmission(Told):
    """A submission as the server gives it to those who score it."""

    key: str
    account: str
    account_id: int
    model: str
    version: int
    kind: SubmissionKind
    visibility: Visibility
    card: Facts
    source: Facts
    blob: str | None
    content_hash: str
    created_at: datetime
    withdrawn_at: datetime | None


class GivenClaim(Told):
    """Jobs of one submission."""

    submission: GivenSubmission
    leases: list[GivenLease]


class CandidatePart(Told):
    """One version of a candidate, as `CandidateFacts`."""

    card: Facts
    fingerprint: Hash
    weights_hash: Hash
    parameters: Number
    layers: Annotated[list[Name], Field(min_length=1, max_length=10_000)]


class DatasetPart(Told):
    """One version of a dataset, as `DatasetFacts`."""

    card: Facts
    content_hash: Hash


class ScorerPart(Told):
    """One version of a scorer, as `ScorerFacts`."""

    card: Facts
    options: Facts
    fingerprint: Hash


class BenchmarkPart(Told):
    """One version of a benchmark, as `BenchmarkFacts`."""

    name: Name
    fingerprint: Hash
    dataset: DatasetPart
    scorer: ScorerPart
    region: Name
    protocol: Facts
    normalisation: Annotated[str, Field(max_length=32)]


class CeilingPart(Told):
    """A ceiling."""

    lower: Finite
    upper: Finite


class ScorePart(Told):
    """A score without its detail, names and value, which follow from the rest."""

    raw: Finite
    low: Finite
    high: Finite
    confidence: Annotated[float, Field(gt=0, lt=1)]
    ceiling: CeilingPart | None
    value: Finite | None
    layer: Annotated[str, Field(max_length=1000)]
    resampled: Annotated[list[Name], Field(max_length=10)]
    counts: Annotated[dict[str, Number], Field(max_length=50)]


class OutcomePart(Told):
    """All that a worker found for one job but for the arrays."""

    worker: Worker
    attempt: Number
    candidate: CandidatePart
    benchmark: BenchmarkPart
    score: ScorePart
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    peak_bytes: Number | None
    seed: int | None
    spent: Annotated[dict[str, Finite], Field(max_length=20)]
    environment: Facts


def given_claim(claim: Claim) -> GivenClaim:
    """A claim as it is sent."""
    return GivenClaim(
        submission=GivenSubmission.model_validate(asdict(claim.submission)),
        leases=[GivenLease.model_validate(asdict(lease)) for lease in claim.leases],
    )


def claim_of(given: GivenClaim) -> Claim:
    """A claim as it was sent."""
    submission = StoredSubmission(**given.submission.model_dump())
    return Claim(submission=submission, leases=tuple(Lease(**dict(each)) for each in given.leases))


def encode_outcome(
    worker: str, lease: Lease, outcome: Outcome, *, environment: Mapping[str, Any]
) -> bytes:
    """A score with all that belongs to it, as one safetensors file."""
    facts = asdict(outcome)
    score = facts.pop("score")
    names = ScorePart.model_fields
    told = OutcomePart.model_validate(
        facts
        | {"worker": worker, "attempt": lease.attempt, "environment": dict(environment)}
        | {"score": {name: score[name] for name in names}}
    )
    header, arrays = _parted(encode_detail(outcome.score.detail))
    header["__metadata__"]["outcome"] = told.model_dump_json()
    return _joined(header, arrays)


def decode_outcome(content: bytes) -> tuple[OutcomePart, Outcome]:
    """A score as it was sent. Raises InputError, or CardError, for what can't be one."""
    header, arrays = _parted(content)
    try:
        told = OutcomePart.model_validate_json(header["__metadata__"].pop("outcome"))
        detail = decode_detail(_joined(_checked(header), arrays))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:5]
        )
        raise InputError(f"the score that came has faults: {faults}") from None
    except (SafetensorError, KeyError, ValueError, TypeError, AttributeError, RecursionError):
        raise InputError("the file that came is no score: its header or arrays are wrong") from None
    _require_finite(detail)
    return told, _outcome(told, detail)


def _outcome(told: OutcomePart, detail: xr.Dataset) -> Outcome:
    candidate, benchmark = _candidate(told.candidate), _benchmark(told.benchmark)
    facts = told.score.model_dump(exclude={"ceiling", "resampled"})
    ceiling = None if told.score.ceiling is None else Ceiling(**dict(told.score.ceiling))
    score = Score(
        **facts,
        candidate=candidate.name,
        benchmark=benchmark.name,
        ceiling=ceiling,
        resampled=tuple(told.score.resampled),
        detail=detail,
    )
    return Outcome(
        candidate=candidate,
        benchmark=benchmark,
        score=score,
        seconds=told.seconds,
        peak_bytes=told.peak_bytes,
        seed=told.seed,
        spent=told.spent,
        environment=told.environment,
    )


def _candidate(part: CandidatePart) -> CandidateFacts:
    """The facts, whose card is one: with all that a card has, and terms of the ontology."""
    try:
        card = CandidateCard(**part.card)
    except TypeError as error:
        raise CardError(f"the card of the candidate that came is none: {error}") from None
    wrong = [name for name in _TEXTS if not isinstance(getattr(card, name), str)]
    if wrong or not isinstance(card.seed, int | None):
        raise CardError(f"the card of the candidate that came has no text as {wrong or 'seed'}")
    return CandidateFacts(
        card=card_facts(card),
        fingerprint=part.fingerprint,
        weights_hash=part.weights_hash,
        parameters=part.parameters,
        layers=tuple(part.layers),
    )


def _benchmark(part: BenchmarkPart) -> BenchmarkFacts:
    dataset, scorer = part.dataset, part.scorer
    names = (dataset.card.get("name"), part.region, scorer.card.get("name"))
    version, simulated = dataset.card.get("version"), dataset.card.get("simulated")
    if "/".join(map(str, names)) != part.name or not isinstance(simulated, bool):
        raise InputError(f"the cards that came are not those of the benchmark {part.name!r}")
    if not isinstance(version, int) or not 0 <= version < 2**31:
        raise InputError(f"the dataset's card that came has the version {version!r}")
    return BenchmarkFacts(
        name=part.name,
        fingerprint=part.fingerprint,
        dataset=DatasetFacts(card=dataset.card, content_hash=dataset.content_hash),
        scorer=ScorerFacts(
            card=scorer.card, options=scorer.options, fingerprint=scorer.fingerprint
        ),
        region=part.region,
        protocol=part.protocol,
        normalisation=part.normalisation,
    )


def _parted(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The header of a safetensors file, and its arrays."""
    length = int.from_bytes(content[:8], "little")
    if len(content) > MOST_BYTES or length > min(_MOST_HEADER, len(content) - 8):
        raise InputError(
            f"the file that came is no score: {len(content):,} bytes with a header of {length:,}; "
            f"expected at most {MOST_BYTES:,}"
        )
    try:
        header = json.loads(content[8 : 8 + length])
        header["__metadata__"]["xarray"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InputError("the file that came is no score: its header can't be read") from None
    return header, content[8 + length :]


def _joined(header: Mapping[str, Any], arrays: bytes) -> bytes:
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + arrays


def _checked(header: dict[str, Any]) -> dict[str, Any]:
    for name, facts in header.items():
        if name != "__metadata__" and facts["dtype"] not in _DTYPES:
            raise InputError(f"the array {name!r} that came is {facts['dtype']}")
    return header


def _require_finite(detail: xr.Dataset) -> None:
    """Infinite numbers are none; NaN stands for what is undefined."""
    for name, variable in detail.variables.items():
        if variable.dtype.kind == "f" and np.isinf(variable.values).any():
            raise InputError(f"the array {name!r} that came holds infinite numbers")
