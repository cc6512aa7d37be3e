"""What a network must be shown to be scored by its activations: lists of stimuli, and their files.

A list is made once, by a process of its own, for somebody who is signed in: it may have to fetch
the dataset. Then it is everybody's.
"""

from mimetypes import guess_type
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse

from isocortex.client.submission_schemas import Stimulus, StimulusList
from isocortex.errors import AccessError, UnknownNameError
from isocortex.submissions import stimulus_sheets
from isocortex.submissions.stimulus_sheets import ListedStimulus, StimulusSheet

from .access import Visitor
from .cursors import next_link
from .problems import RESPONSES

router = APIRouter(prefix="/api/v1", responses=RESPONSES, tags=["benchmarks"])

Dataset = Annotated[str, Path(description="The dataset's name.", max_length=255)]

_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The file as it was published, a drawn picture as PNG.",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/datasets/{name}/stimuli", operation_id="listStimuli")
def list_stimuli(
    request: Request,
    response: Response,
    name: Dataset,
    visitor: Visitor,
    limit: Annotated[int, Query(ge=1, le=5000, description="How many at most.")] = 1000,
    cursor: Annotated[int, Query(ge=0, le=2**31, description="`next` of the page before.")] = 0,
) -> StimulusList:
    """The stimuli of a dataset in their order: ids, sizes, and where each is had.

    Rows of submitted activations are named by these ids. Images are handed out where their own
    licence is an open one; elsewhere `obtained_from` says where they come from.
    """
    if not stimulus_sheets.is_prepared(name) and visitor is None:
        raise AccessError(f"the list of {name} was never made here; sign in to have it made")
    sheet, _ = stimulus_sheets.prepared_sheet(name)
    items = sheet.stimuli[cursor : cursor + limit]
    end = cursor + len(items)
    following = end if end < len(sheet.stimuli) else None
    response.headers.update(next_link(request, None if following is None else str(following)))
    return StimulusList(
        **{key: getattr(sheet, key) for key in _OF_SHEET},
        obtained_from=list(sheet.obtained_from),
        total=len(sheet.stimuli),
        items=[_answer(sheet, one) for one in items],
        next=following,
    )


@router.get(
    "/datasets/{name}/stimuli/{position}",
    operation_id="getStimulusFile",
    response_class=FileResponse,
    responses=_FILE,
)
def get_stimulus_file(
    name: Dataset,
    position: Annotated[int, Path(ge=0, le=2**31, description="Its place in the list.")],
) -> FileResponse:
    """The file of one stimulus, where it may be handed out."""
    if not stimulus_sheets.is_prepared(name):
        raise UnknownNameError(f"ask for the list first: /api/v1/datasets/{name}/stimuli")
    sheet, folder = stimulus_sheets.prepared_sheet(name)
    if not sheet.handed_out or position >= len(sheet.stimuli):
        raise UnknownNameError(
            f"there is no stimulus {position} of {name} to be had here; the list has "
            f"{len(sheet.stimuli)}, and says where they come from"
        )
    path = folder / sheet.stimuli[position].file
    kind = guess_type(path.name)[0] or "application/octet-stream"
    return FileResponse(path, media_type=kind, headers={"Cache-Control": "public, max-age=86400"})


_OF_SHEET: Final = (
    "dataset",
    "version",
    "modality",
    "degrees",
    "content_hash",
    "licence",
    "handed_out",
)


def _answer(sheet: StimulusSheet, one: ListedStimulus) -> Stimulus:
    address = f"/api/v1/datasets/{sheet.dataset}/stimuli/{one.position}"
    facts = vars(one) if sheet.handed_out else vars(one) | {"sha256": None}
    return Stimulus.model_validate(facts | {"address": address if sheet.handed_out else None})
