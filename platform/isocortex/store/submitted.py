"""What the store gives back of submissions and uploads, and what an account may have of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

SubmissionKind = Literal["activations", "weights", "onnx", "hub", "plugin"]
Visibility = Literal["public", "unlisted", "private"]

VISIBILITIES: Final[tuple[Visibility, ...]] = get_args(Visibility)

NOT_SAID: Final = {"bibtex": "", "source": "unpublished", "licence": "not stated"}
"""What a candidate's card says where that of its submission is silent."""

_WORDS: Final = {"summary": "", "accuracy": "", "code": "", **NOT_SAID}


def worded(card: Mapping[str, Any], said: Mapping[str, Any]) -> Mapping[str, Any]:
    """A candidate's card in the words of a submission's card; what makes its version stays.

    >>> worded({"diet": "x", "summary": "old"}, {"summary": "new"})["summary"]
    'new'
    """
    if not said:
        return card
    return {**card, **{name: said.get(name, usual) for name, usual in _WORDS.items()}}


@dataclass(frozen=True, kw_only=True)
class CheckedSubmission:
    """A submission in which no fault was found; `model` is its name within the account.

    `source` says what it is made of: layers, preprocessing, architecture, reference. `blob` is the
    SHA-256 of its file. `content_hash` tells it from any other content, whatever it is called.
    """

    model: str
    kind: SubmissionKind
    visibility: Visibility
    card: Mapping[str, Any]
    source: Mapping[str, Any]
    blob: str | None
    content_hash: str
    benchmarks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class StoredSubmission:
    """A submission as it lies in the store; `model` is `account/model`, versions count from 1."""

    key: str
    account: str
    account_id: int
    model: str
    version: int
    kind: SubmissionKind
    visibility: Visibility
    card: Mapping[str, Any]
    source: Mapping[str, Any]
    blob: str | None
    content_hash: str
    created_at: datetime
    withdrawn_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class StoredUpload:
    """An account's upload of one file: `received` of its `bytes` are here."""

    key: str
    account_id: int
    sha256: str
    bytes: int
    received: int
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What one account has, or asks for: `stored_bytes` count what its uploads will hold.

    `open_submissions` are those with jobs that have not ended.
    """

    stored_bytes: int = 0
    unfinished_uploads: int = 0
    open_submissions: int = 0
    queued_jobs: int = 0


QUOTAS: Final = Usage(
    stored_bytes=20 * 10**9, unfinished_uploads=20, open_submissions=50, queued_jobs=2_000
)
"""What one account may have at a time; the role "admin" is not held to it."""
