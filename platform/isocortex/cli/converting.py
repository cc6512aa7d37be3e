"""Commands for those who submit activations: what to show a network, and its answers as a file."""

import csv
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ..client.remote import Client
from ..client.submission_schemas import StimulusList
from ..errors import InputError
from ..settings import server as default_server
from ..submissions import converting, stimulus_sheets
from ..submissions.stimulus_sheets import StimulusSheet
from ._app import app
from ._output import print_json, print_note
from .listing import AsJson
from .submitting import Server, Token


@app.command()
def stimuli(
    dataset: Annotated[str, typer.Argument(help="The dataset whose stimuli are wanted.")],
    folder: Annotated[
        Path | None, typer.Option(help="Write the list and the files of the stimuli here.")
    ] = None,
    server: Server = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List what a network must be shown, in order, as CSV or JSON; with a folder, write all files.

    Rows of activations are named by these ids. Without a server the dataset is fetched by this
    computer itself; a server hands out only images whose own licence is an open one.
    """
    if server or default_server():
        with Client(server, token=token) as client:
            listed = _whole_list(client, dataset)
            if folder is not None:
                _save(client, listed, folder)
        _print_list(listed.model_dump(mode="json"), as_json=as_json)
        return
    if folder is not None:
        sheet = stimulus_sheets.write_stimuli(dataset, folder)
        print_note(f"{len(sheet.stimuli)} files and {stimulus_sheets.LIST} are in {folder}")
        return
    sheet, _ = stimulus_sheets.prepared_sheet(dataset)
    _print_list(_facts(sheet), as_json=as_json)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="A .npy, .npz, .nc, .zarr or .h5 file.")],
    target: Annotated[Path, typer.Argument(help="The safetensors file to write.")],
    stimuli_of: Annotated[
        str | None,
        typer.Option("--stimuli", help="Rows are in the order of this dataset's stimuli."),
    ] = None,
    ids: Annotated[
        Path | None, typer.Option(help="Rows are in the order of these ids: a text, one a line.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Convert activations to safetensors, as they are submitted: each array is a layer.

    The first dimension is the stimuli. Their ids come from the file, or from one of the options.
    """
    if not source.exists():
        raise InputError(f"there is no file {source}")
    made = converting.convert(source, target, ids=_ids(stimuli_of, ids))
    if as_json:
        print_json({**asdict(made), "path": str(made.path)})
        return
    layers, count = len(made.layers), sum(made.stimuli.values())
    print_note(f"{target}: {layers} layers of {count} stimuli, {made.bytes:,} bytes")


def _ids(dataset: str | None, path: Path | None) -> list[str] | None:
    if dataset is not None:
        sheet, _ = stimulus_sheets.prepared_sheet(dataset)
        return [each.id for each in sheet.stimuli]
    if path is None:
        return None
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line]


def _whole_list(client: Client, dataset: str) -> StimulusList:
    """The list with all its pages."""
    listed = client.list_stimuli(dataset)
    items, following = list(listed.items), listed.next
    while following is not None:
        page = client.list_stimuli(dataset, cursor=following)
        items, following = [*items, *page.items], page.next
    return listed.model_copy(update={"items": items, "next": None})


def _save(client: Client, listed: StimulusList, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(listed.model_dump(mode="json"), indent=1, ensure_ascii=False)
    (folder / stimulus_sheets.LIST).write_text(text + "\n", encoding="utf-8")
    if not listed.handed_out:
        places = ", ".join(listed.obtained_from) or "the dataset's own page"
        print_note(f"the server may not hand out these images; they come from {places}")
        return
    for each in listed.items:
        (folder / each.file).write_bytes(client.get_stimulus_file(listed.dataset, each.position))
    print_note(f"{len(listed.items)} files and {stimulus_sheets.LIST} are in {folder}")


def _facts(sheet: StimulusSheet) -> dict[str, Any]:
    facts = asdict(sheet)
    return {**facts, "items": facts.pop("stimuli")}


def _print_list(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(facts)
        return
    columns = ("position", "id", "file", "width", "height", "degrees")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for item in facts["items"]:
        row = {**item, "degrees": facts["degrees"]}
        writer.writerow([row.get(name) for name in columns])
