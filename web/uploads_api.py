"""Uploads: files by their SHA-256, in as many pieces as it takes."""

from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Header, HTTPException, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from isocortex.client.submission_schemas import KEY, Kind, Upload, UploadRequest
from isocortex.errors import InputError
from isocortex.store import Store
from isocortex.submissions.blobs import Blobs

from .access import Signed
from .problems import RESPONSES
from .viewing import Opened

router = APIRouter(prefix="/api/v1", responses=RESPONSES, tags=["submissions"])

Key = Annotated[str, Path(description="The upload's key.", pattern=KEY)]

PIECE: Final = 8 << 20
"""How many bytes are held in memory before they are written."""


@router.post(
    "/uploads",
    operation_id="beginUpload",
    status_code=201,
    responses={200: {"model": Upload, "description": "It was begun, or finished, before."}},
)
def begin_upload(
    asked: UploadRequest, store: Opened, account: Signed, response: Response
) -> Upload:
    """Begin to upload a file, or go on with it: what was received of it stays.

    A file that you uploaded whole before is finished at once, and needs no sending.
    """
    begun = Blobs(store.submissions).begin(
        account.id, asked.kind, sha256=asked.sha256, size=asked.bytes
    )
    if begun.received or begun.finished_at:
        response.status_code = 200
    return _answer(begun, response)


@router.get("/uploads/{key}", operation_id="getUpload")
def get_upload(key: Key, store: Opened, account: Signed, response: Response) -> Upload:
    """How much of an upload is here; also in the header `Upload-Offset`."""
    return _answer(store.submissions.upload(key, account_id=account.id), response)


@router.patch(
    "/uploads/{key}",
    operation_id="appendToUpload",
    openapi_extra={
        "requestBody": {
            "description": "The bytes from there on; all of the rest, or a part.",
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def append_to_upload(
    key: Key,
    request: Request,
    account: Signed,
    response: Response,
    upload_offset: Annotated[
        int, Header(ge=0, le=2**53, description="Where they begin: all that was received before.")
    ],
    kind: Annotated[
        Kind | None, Query(description="Checks the file's beginning for what it is, at the end.")
    ] = None,
) -> Upload:
    """Add bytes to an upload; with the last ones, the file is checked against its SHA-256.

    What came of a broken request counts: ask where it stands, and go on from there. 409 tells that
    the offset is another one.
    """
    store: Store = request.app.state.store
    blobs, position = Blobs(store.submissions), upload_offset
    await run_in_threadpool(_require_offset, store, account.id, key, position)
    try:
        async for piece in _pieces(request):
            await run_in_threadpool(
                blobs.append, key, [piece], account_id=account.id, offset=position
            )
            position += len(piece)
    except ClientDisconnect:
        pass  # nobody reads the answer; what came was written
    except InputError:
        await run_in_threadpool(_require_offset, store, account.id, key, position)
        raise
    return await run_in_threadpool(_end, blobs, key, account.id, kind or "plugin", response)


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """The body in pieces that are worth a write each; the last one comes however it ends."""
    held = bytearray()
    try:
        async for chunk in request.stream():
            held += chunk
            if len(held) >= PIECE:
                yield bytes(held)
                held.clear()
    except (ClientDisconnect, HTTPException):  # the client is gone, or silent for too long
        if held:
            yield bytes(held)
        raise
    if held:
        yield bytes(held)


def _require_offset(store: Store, account_id: int, key: str, offset: int) -> None:
    upload = store.submissions.upload(key, account_id=account_id)
    if upload.received != offset and upload.finished_at is None:
        raise HTTPException(
            409,
            f"the upload goes on at byte {upload.received}, not at {offset}; send from there",
            {"Upload-Offset": str(upload.received)},
        )


def _end(blobs: Blobs, key: str, account_id: int, kind: Kind, response: Response) -> Upload:
    """The upload as it is now; whole, it is checked and kept."""
    upload = blobs.submissions.upload(key, account_id=account_id)
    if upload.received == upload.bytes and upload.finished_at is None:
        blobs.finish(key, kind, account_id=account_id)
        upload = blobs.submissions.upload(key, account_id=account_id)
    return _answer(upload, response)


def _answer(upload: object, response: Response) -> Upload:
    answer = Upload.model_validate(upload)
    response.headers["Upload-Offset"] = str(answer.received)
    response.headers["Upload-Length"] = str(answer.bytes)
    response.headers["Cache-Control"] = "no-store"
    return answer
