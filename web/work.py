"""Work for pull workers, below `/api/v1/work`: what the queue does for local ones, over HTTPS.

Each request names its worker, and each job its fencing token, so a lease is as safe here as within
one machine. It is no part of the public API: both sides must be of the same version.
"""

from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from isocortex import __version__
from isocortex.errors import MismatchError, UnknownNameError
from isocortex.jobs import wire
from isocortex.store import Store
from isocortex.store.account_records import StoredAccount
from isocortex.store.handing import held_by
from isocortex.store.queue import Lease
from isocortex.store.transitions import lease_lost
from isocortex.submissions.blobs import Blobs

from .access import require
from .viewing import Opened

router = APIRouter(prefix="/api/v1/work", include_in_schema=False)

Working = Annotated[StoredAccount, Depends(require("work"))]

_EXECUTOR: Final = "pull"


@router.post("/workers", status_code=204)
def enlist(told: wire.Introduction, store: Opened, account: Working) -> None:
    """A worker begins. 422 unless it is of our version."""
    if told.version != __version__:
        raise MismatchError(
            f"the worker has isocortex {told.version}, the server {__version__}: install the same"
        )
    store.queue.enlist(_own(account, told.worker), _EXECUTOR, told.facts)


@router.delete("/workers/{worker}", status_code=204)
def dismiss(worker: wire.Worker, store: Opened, account: Working) -> None:
    """A worker stops of its own will."""
    store.queue.dismiss(_own(account, worker))


@router.post("/claims")
def claim(told: wire.Asking, store: Opened, account: Working) -> wire.GivenClaim | None:
    """What is to be done next, null if it is nothing."""
    found = store.queue.claim(_own(account, told.worker))
    return None if found is None else wire.given_claim(found)


@router.post("/beats")
def beat(told: wire.Beating, store: Opened, account: Working) -> list[int]:
    """The ids of the jobs that the worker still holds."""
    worker = _own(account, told.worker)
    asked = {each.job_id: each.attempt for each in told.held}
    own = held_by(store.engine, worker, asked)
    leases = [Lease(job_id, asked[job_id], "") for job_id in own]
    progress = {job_id: facts for job_id, facts in told.progress.items() if job_id in own}
    return sorted(store.queue.beat(worker, leases, progress=progress))


@router.get("/scores/{candidate}/{benchmark}")
def find_score(
    candidate: wire.Hash, benchmark: wire.Hash, store: Opened, account: Working
) -> int | None:
    """The id of the current score of these versions, null if they were never scored."""
    return store.queue.stored_score(candidate, benchmark)


@router.get("/jobs/{job_id}/blob")
def get_blob(
    job_id: int, attempt: int, worker: wire.Worker, store: Opened, account: Working
) -> FileResponse:
    """The file of the submission that a held job is of; ranges are answered."""
    blob = store.submissions.find(_require_held(store, account, worker, job_id, attempt)).blob
    path = None if blob is None else Blobs(store.submissions).path(blob)
    if path is None or not path.is_file():
        raise UnknownNameError(f"job {job_id} has no file here")
    headers = {"Cache-Control": "no-store", "Content-Encoding": "identity"}
    return FileResponse(Path(path), media_type="application/octet-stream", headers=headers)


@router.post("/jobs/{job_id}", status_code=204)
def end(job_id: int, told: wire.Ending, store: Opened, account: Working) -> None:
    """A job ends without a new score, goes back, or gets a line of log."""
    _require_held(store, account, told.worker, job_id, told.attempt)
    lease, queue = Lease(job_id, told.attempt, ""), store.queue
    if told.what == "fail":
        queue.fail(lease, told.reason, peak_bytes=told.peak_bytes)
    elif told.what == "retry":
        queue.retry(lease, told.reason)
    elif told.what == "release":
        queue.release(lease, told.reason)
    elif told.what == "log":
        queue.log(lease, "log", told.reason)
    else:
        queue.finish_with_stored(lease, told.score_id or 0)


@router.put("/jobs/{job_id}/score")
async def finish(job_id: int, request: Request, account: Working) -> int:
    """The id of the score that the body holds, committed with the job's end."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > wire.MOST_BYTES:
            raise HTTPException(413, f"a score may take {wire.MOST_BYTES:,} bytes at most")
    return await run_in_threadpool(
        _finish, request.app.state.store, account, job_id, bytes(content)
    )


def _finish(store: Store, account: StoredAccount, job_id: int, content: bytes) -> int:
    told, outcome = wire.decode_outcome(content)
    _require_held(store, account, told.worker, job_id, told.attempt)
    return store.queue.finish(Lease(job_id, told.attempt, outcome.benchmark.name), outcome)


def _require_held(
    store: Store, account: StoredAccount, worker: str, job_id: int, attempt: int
) -> str:
    """The key of the job's submission. Raises LeaseLostError unless this worker holds the job."""
    held = held_by(store.engine, _own(account, worker), {job_id: attempt})
    if job_id not in held:
        raise lease_lost(job_id)
    return held[job_id]


def _own(account: StoredAccount, worker: str) -> str:
    """The worker's name in the queue, which no worker of another account can bear."""
    return f"{account.name}:{worker}"
