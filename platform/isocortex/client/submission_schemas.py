"""What the API answers about submissions: uploads, jobs, events, stimulus lists, webhooks."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from .schemas import Answer

Visibility = Literal["public", "unlisted", "private"]
Kind = Literal["activations", "weights", "onnx", "hub", "plugin"]
State = Literal["queued", "running", "done", "failed", "dead", "cancelled"]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
VISIBILITIES: Final[tuple[Visibility, ...]] = get_args(Visibility)
ENDED: Final[tuple[State, ...]] = ("done", "failed", "dead", "cancelled")
"""The states that a job only leaves by being run again."""

KEY: Final = "^[0-9a-z]{1,40}$"
"""What keys of uploads, submissions and webhooks look like."""

Key = Annotated[str, Field(min_length=1, max_length=26, examples=["01k3z7p4e8q2m6t0v9x5b1c7d3"])]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", examples=["9f86d081884c7d65" * 4])]
Benchmarks = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=255, examples=["cichy2014/IT/rsa"])]],
    Field(min_length=1, max_length=500, description="Benchmarks, each dataset/region/scorer."),
]
JobIds = Annotated[
    list[Annotated[int, Field(ge=1, le=2**63 - 1)]] | None,
    Field(max_length=500, description="Only these of the submission's jobs; all by default."),
]


class Request(BaseModel):
    """What all requests share: a field that is not known is a fault."""

    model_config = ConfigDict(extra="forbid")


class UploadRequest(Request):
    """A file that is to be uploaded, named by its content."""

    kind: Kind = Field(description="What it will be submitted as.", examples=["onnx"])
    sha256: Sha256
    bytes: int = Field(ge=1, le=2**53, description="Its size.", examples=[44_765_566])


class Upload(Answer):
    """An upload of one file; it goes on from `received`, as often as need be."""

    key: Key
    sha256: Sha256
    bytes: int = Field(description="The file's size.", examples=[44_765_566])
    received: int = Field(description="How many bytes are here.", examples=[8_388_608])
    created_at: datetime
    finished_at: datetime | None = Field(description="Null until all bytes are here and checked.")


class Position(Answer):
    """Where a queued job stands."""

    place: int = Field(description="Of its submission; 1 is the next.", examples=[3])
    ahead: int = Field(description="How many jobs are taken before it.", examples=[2])
    starts_in: float | None = Field(
        description="Seconds until it may start, by how long jobs took; null if none ran yet, or "
        "no worker is alive."
    )
    workers: int = Field(description="How many workers are alive.", examples=[2])


class Job(Answer):
    """One submission on one benchmark, and the truth about it."""

    id: int = Field(examples=[17])
    submission: Key
    model: str = Field(examples=["ada/my-network"])
    benchmark: str = Field(examples=["cichy2014/IT/rsa"])
    state: State
    priority: int = Field(description="Higher goes first.", examples=[0])
    attempt: int = Field(description="How often a worker took it.", examples=[1])
    tries: int = Field(description="How often it was lost; after three times it is dead.")
    worker: str | None = Field(description="Who runs it, or ran it last.")
    progress: Mapping[str, Any] = Field(
        description="What the worker last said of it.",
        examples=[{"stage": "extracting", "done": 2, "total": 5}],
    )
    error: str | None = Field(description="Why it failed, or was given up.")
    score_id: int | None = Field(description="Its score, once it is done.")
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None = Field(description="How long it took.", examples=[12.5])
    peak_bytes: int | None = Field(description="The most memory its worker used.")
    position: Position | None = Field(None, description="Where it stands while it is queued.")


class JobList(Answer):
    """Jobs of one submission, by id."""

    items: list[Job]


class JobPage(Answer):
    """Jobs, newest first; `next` is the `cursor` of the following page."""

    items: list[Job]
    next: int | None


class Submission(Answer):
    """A model that someone asked to have scored."""

    key: Key
    account: str = Field(description="Whose it is.", examples=["ada"])
    model: str = Field(description="account/model", examples=["ada/my-network"])
    version: int = Field(description="Counts from 1 for each model.", examples=[1])
    kind: Kind
    visibility: Visibility
    card: Mapping[str, Any] = Field(description="What it is, as its submitter said.")
    source: Mapping[str, Any] = Field(description="What it is made of: layers, preprocessing …")
    blob: str | None = Field(description="The SHA-256 of its file.")
    content_hash: str = Field(description="Equal for what is the same model on the same card.")
    created_at: datetime
    withdrawn_at: datetime | None
    jobs: list[Job]


class SubmissionPage(Answer):
    """Submissions, newest first; `next` is the `cursor` of the following page."""

    items: list[Submission]
    next: str | None


class PlannedJob(Answer):
    """One benchmark of a dry run; what it will take is told by what others like it took."""

    benchmark: str = Field(examples=["cichy2014/IT/rsa"])
    state: State | None = Field(
        description="Of its job, if the same content was submitted before; it stays as it is. "
        "Null if the job would be new."
    )
    seconds: float | None = Field(
        description="By runs of the same benchmark, or else of its scorer; null if none was timed.",
        examples=[4.5],
    )
    peak_bytes: int | None = Field(
        description="The memory that a worker held, by jobs of the same kind on the same dataset; "
        "null if there was none.",
        examples=[1_200_000_000],
    )


class PlannedSet(Answer):
    """Benchmarks that share their stimuli: a network sees these once for all of them."""

    stimuli: str = Field(description="The dataset that they are of.", examples=["cichy2014"])
    count: int | None = Field(
        description="How many; null where their list was never made.", examples=[92]
    )
    passes: int = Field(
        description="How often a network is run over them: 1, more where memory is short, and 0 "
        "for given activations and where every job is there."
    )
    jobs: list[PlannedJob]


class SubmissionPlan(Answer):
    """What a submission will take, as far as can be told without loading its network."""

    submission: Key | None = Field(description="What has the same content already, if anything.")
    sets: list[PlannedSet]
    passes: int = Field(description="Of all sets.", examples=[2])
    seconds: float = Field(
        description="Of one worker, for the new jobs without those that are `untimed`.",
        examples=[84.0],
    )
    untimed: list[str] = Field(description="Benchmarks of new jobs like which none was timed.")
    peak_bytes: int | None = Field(description="The most memory of any new job.")
    position: Position | None = Field(
        description="Where it would stand if it came now; null if nothing is left to be done."
    )


class SubmissionChecked(Answer):
    """What a dry run found: this would have been accepted, and would take as much as planned."""

    model: str = Field(examples=["ada/my-network"])
    kind: Kind
    visibility: Visibility
    content_hash: str
    benchmarks: list[str]
    plan: SubmissionPlan


class VisibilityChange(Request):
    """Who shall see a submission and its scores from now on."""

    visibility: Visibility


class JobRequest(Request):
    """More benchmarks for a submission."""

    benchmarks: Benchmarks


class CancelRequest(Request):
    """Which jobs are to be cancelled."""

    jobs: JobIds = None


class RerunRequest(Request):
    """Which jobs are to be run again."""

    jobs: JobIds = None
    force: bool = Field(False, description="Score again what is done as well.")


class PriorityChange(Request):
    """When a submission's queued jobs are taken: the highest priority goes first."""

    priority: int = Field(
        ge=-1_000,
        le=1_000,
        description="0 is what all begin with, and fair shares are among equals.",
        examples=[5],
    )


class Event(Answer):
    """Something that happened to a submission or to one of its jobs."""

    id: int = Field(examples=[231])
    submission: Key
    job_id: int | None
    attempt: int | None
    at: datetime
    kind: str = Field(examples=["started"])
    text: str = Field(examples=["cichy2014/IT/rsa is running on worker-1"])


class EventPage(Answer):
    """Events in order; `next` is the `after` of the following page, or of what comes later."""

    items: list[Event]
    next: int


class Stimulus(Answer):
    """One stimulus of a set: where it stands, and where it is had."""

    position: int = Field(description="From 0, in the order of the recording.", examples=[0])
    id: str = Field(description="Names the row of activations that belongs to it.")
    file: str = Field(description="A name for its file.", examples=["00000.jpg"])
    width: int | None = Field(description="In pixels; null for what is no image.", examples=[500])
    height: int | None = Field(examples=[375])
    sha256: str | None = Field(description="Of the file; null where it is not handed out here.")
    address: str | None = Field(description="Where it is had; null where not from here.")


class StimulusList(Answer):
    """The stimuli of a dataset, as a network must be shown them."""

    dataset: str = Field(examples=["haxby2001"])
    version: int = Field(description="Of the dataset.", examples=[1])
    modality: Literal["image", "array"]
    degrees: float | None = Field(description="Width in degrees of visual angle.", examples=[2.9])
    content_hash: str = Field(description="The SHA-256 of ids and contents, in order.")
    licence: str
    handed_out: bool = Field(description="Whether the licence lets this server hand them out.")
    obtained_from: list[str] = Field(description="Addresses of the dataset's own files.")
    total: int = Field(examples=[92])
    items: list[Stimulus]
    next: int | None = Field(description="`cursor` of the following page.")


class WebhookRequest(Request):
    """An address that is to be told what happens."""

    url: str = Field(
        max_length=2000, pattern=r"^https?://[\x21-\x7e]+$", examples=["https://example.org/hook"]
    )


class Webhook(Answer):
    """An address that is told what happens to one's submissions."""

    key: Key
    url: str
    last_event_id: int = Field(description="The last event that was delivered.")
    failures: int = Field(description="How often in a row it could not be told.")
    created_at: datetime
    disabled_at: datetime | None = Field(description="When it was given up after many failures.")


class WebhookMade(Webhook):
    """A new webhook, with the secret that signs what it is sent; it is shown only now."""

    secret: str = Field(description="The key of HMAC-SHA256.")


class WebhookList(Answer):
    """One's webhooks, oldest first."""

    items: list[Webhook]
