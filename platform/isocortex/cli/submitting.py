"""Commands that submit models, to the own store or to a server, and follow what becomes of them."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ..client.foreseeing import checked_answer
from ..client.local import Local
from ..client.remote import Client
from ..client.submission_schemas import Submission, Visibility
from ..errors import InputError, ServerError, UnknownNameError
from ..settings import server as default_server
from ._app import app
from ._card_examples import KINDS, example
from ._following import follow, print_submission, uploading
from ._output import print_json, print_note, print_table
from .listing import AsJson
from .planning import print_measured_plan, print_plan, print_wait

Server = Annotated[
    str | None,
    typer.Option(help="Speak to this server, not the own store; by default ISOCORTEX_SERVER."),
]
Token = Annotated[
    str | None, typer.Option(help="Your token on that server; better set ISOCORTEX_TOKEN.")
]
Which = Annotated[
    str, typer.Argument(metavar="SUBMISSION", help="A submission's key, or its model's name.")
]


@app.command()
def submit(
    what: Annotated[
        str,
        typer.Argument(
            metavar="PATH|REFERENCE",
            help="A file, or torchvision/NAME@WEIGHTS, timm/NAME@COMMIT, hf/OWNER/NAME@COMMIT.",
        ),
    ] = "",
    card: Annotated[
        Path | None, typer.Option(help="The card, as TOML; `--example` prints one.")
    ] = None,
    benchmark: Annotated[
        list[str] | None, typer.Option("--benchmark", "-b", help="A benchmark; may be repeated.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The model's name, instead of the card's.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help=f"One of {', '.join(KINDS)}.")] = None,
    layer: Annotated[
        list[str] | None, typer.Option("--layer", help="Read out here; may be repeated.")
    ] = None,
    visibility: Annotated[
        str | None,
        typer.Option(help="private, unlisted or public; public here, private on a server."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check it.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it until its jobs end.")] = False,
    show_example: Annotated[
        str | None, typer.Option("--example", metavar="KIND", help="Print a card to fill in.")
    ] = None,
    server: Server = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Submit a model: an ONNX file, weights, activations, or a reference to a hub.

    Everything is checked first, and every fault is told at once.
    """
    if show_example is not None:
        _print_example(show_example, is_local=_is_local(server))
        return
    given = {"model": name, "kind": kind, "layers": layer, "benchmarks": benchmark}
    asked = {key: value for key, value in given.items() if value}
    form, path = make_form(what, card, asked | ({"visibility": visibility} if visibility else {}))
    form.setdefault("visibility", "public" if _is_local(server) else "private")
    with opened(server, token) as place:
        if dry_run:
            _print_checked(place, form, path, as_json=as_json)
            return
        with uploading(path) as progress:
            submission = place.submit(form, path, progress=progress)
        if wait:
            submission = _followed(place, submission)
    _print(submission, as_json=as_json)


@app.command()
def submissions(
    submission: Annotated[
        str | None, typer.Argument(help="Show this one: a key, or a model's name.")
    ] = None,
    withdrawn: Annotated[bool, typer.Option(help="Also what was withdrawn.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many, newest first.")] = 20,
    server: Server = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List your submissions, or show one with its jobs."""
    with opened(server, token) as place:
        if submission is not None:
            _print(found(place, submission), as_json=as_json)
            return
        items = place.list_submissions(withdrawn=withdrawn, limit=limit).items
    if as_json:
        print_json([each.model_dump(mode="json") for each in items])
        return
    rows = [
        (each.key, each.model, str(each.version), each.visibility, standing(each)) for each in items
    ]
    print_table("Submissions", ("key", "model", "version", "visibility", "jobs"), rows)


@app.command()
def withdraw(submission: Which, server: Server = None, token: Token = None) -> None:
    """Withdraw a submission: its jobs are cancelled and its scores hidden."""
    with opened(server, token) as place:
        done = place.withdraw_submission(found(place, submission).key)
    print_note(f"{done.model} version {done.version} is withdrawn")


@app.command()
def publish(
    submission: Which,
    visibility: Annotated[str, typer.Option(help="public, unlisted or private.")] = "public",
    server: Server = None,
    token: Token = None,
) -> None:
    """Show a submission and its scores to everybody, or hide them again."""
    wanted = _visibility(visibility)
    with opened(server, token) as place:
        done = place.change_visibility(found(place, submission).key, wanted)
    print_note(f"{done.model} version {done.version} is {done.visibility}")


@contextmanager
def opened(server: str | None, token: str | None) -> Iterator[Local | Client]:
    """The own store, or the server that is named."""
    with Local() if _is_local(server) else Client(server, token=token) as place:
        yield place


def found(place: Local | Client, text: str) -> Submission:
    """The submission of that key, or the newest of that model. Raises UnknownNameError."""
    items = place.list_submissions(withdrawn=True, limit=100).items
    for each in items:
        if text in (each.key, each.model, each.model.partition("/")[2]):
            return each
    if len(text) == 26:
        return place.get_submission(text)
    raise UnknownNameError.among("submission", text, {each.model: None for each in items})


def make_form(
    what: str, card: Path | None, asked: Mapping[str, Any]
) -> tuple[dict[str, Any], Path | None]:
    """The form of a submission, and its file if it has one."""
    form = _read_card(card) if card else {}
    reference, path = _reference(what), None
    if reference is not None:
        form = {"kind": "hub", **form, "reference": {**form.get("reference", {}), **reference}}
    elif what:
        path = Path(what)
        if not path.is_file():
            raise InputError(
                f"there is no file {what}; a reference begins with torchvision/, timm/ or hf/"
            )
        form.setdefault("kind", _kind_of(path, form))
        form.setdefault("model", path.stem)
    elif "reference" not in form:
        raise InputError("name a file or a reference; `isocortex submit --help` tells how")
    if card is None:
        kind = form.get("kind", "onnx")
        raise InputError(
            "a submission needs a card that says what the model is: "
            f"`isocortex submit --example {kind} > card.toml` prints one to fill in; "
            "then add --card card.toml"
        )
    return {**form, **asked}, path


def standing(submission: Submission) -> str:
    """How many jobs are in which state, in a few words."""
    if submission.withdrawn_at is not None:
        return "withdrawn"
    states = [job.state for job in submission.jobs]
    counts = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
    return ", ".join(counts) or "none"


def _read_card(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"the card {path} can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"the card {path} is no TOML: {error}") from None


def _reference(what: str) -> dict[str, str] | None:
    hub, _, rest = what.partition("/")
    hub = {"hf": "huggingface"}.get(hub, hub)
    if hub not in ("torchvision", "timm", "huggingface") or Path(what).exists():
        return None
    name, at, revision = rest.rpartition("@")
    if not at:
        raise InputError(
            f"{what} names no revision; write torchvision/{rest}@WEIGHTS, or @ and the 40 digits "
            "of a commit"
        )
    return {"hub": hub, "name": name, "revision": revision}


def _kind_of(path: Path, form: Mapping[str, Any]) -> str:
    kinds = {".onnx": "onnx", ".py": "plugin", ".pt2": "plugin", ".pt": "plugin", ".pth": "plugin"}
    if path.suffix == ".safetensors":
        return "weights" if "network" in form else "activations"
    if path.suffix not in kinds:
        raise InputError(
            f"what {path.name} is can't be told from its name: give --kind, or convert it with "
            "`isocortex convert` first"
        )
    return kinds[path.suffix]


def _is_local(server: str | None) -> bool:
    return not (server or default_server())


def _visibility(text: str) -> Visibility:
    known: tuple[Visibility, ...] = ("public", "unlisted", "private")
    for each in known:
        if text == each:
            return each
    raise InputError(f"visibility is {text!r}; expected {', '.join(known)}")


def _followed(place: Local | Client, submission: Submission) -> Submission:
    try:
        return follow(place, submission)
    except ServerError as error:
        raise ServerError(
            f"{error}. {submission.model} is submitted all the same: `isocortex submissions "
            f"{submission.key}` tells later what became of it"
        ) from None


def _print_example(kind: str, *, is_local: bool) -> None:
    if kind not in KINDS:
        raise UnknownNameError.among("kind of submission", kind, KINDS)
    typer.echo(example(kind, visibility="public" if is_local else "private"), nl=False)


def _print_checked(
    place: Local | Client, form: dict[str, Any], path: Path | None, *, as_json: bool
) -> None:
    measured: Callable[[], bool] | None = None
    if isinstance(place, Local):
        found = place.examine(form, path)
        checked = checked_answer(place.store, place.account, found)
        measured = partial(print_measured_plan, found, place.account, place.store)
    else:
        with uploading(path) as progress:
            if path is not None:
                form["sha256"] = place.upload(path, kind=form["kind"], progress=progress).sha256
        checked = place.create_submission(form, dry_run=True)
    if as_json:
        print_json(checked.model_dump(mode="json"))
        return
    print_note(f"no fault was found in {checked.model}; nothing was submitted")
    if measured is not None and measured():
        print_wait(checked.plan)
    else:
        print_plan(checked.model, checked.plan)


def _print(submission: Submission, *, as_json: bool) -> None:
    if as_json:
        print_json(submission.model_dump(mode="json"))
    else:
        print_submission(submission)
