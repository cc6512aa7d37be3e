"""Files of submissions, fetched from the server by their SHA-256; a broken download goes on."""

import fcntl
import hashlib
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import httpx2

from .. import settings
from ..errors import StoreError
from ..store.queue import Lease

if TYPE_CHECKING:
    from .pulling import RemoteCounter

_TRIES: Final = 5


def fetch_blob(
    counter: "RemoteCounter", lease: Lease, sha256: str, *, folder: Path | None = None
) -> Path:
    """Where the file lies now, in `folder` or the home folder's `blobs`; its content was checked.

    What two processes want at once is fetched once. Raises StoreError, LeaseLostError.
    """
    folder = settings.home() / "blobs" if folder is None else folder
    target, partial = folder / sha256[:2] / sha256[2:], folder / "partial" / f"pull-{sha256}"
    for path in (target, partial):
        path.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        return target
    with partial.open("ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not target.exists():
            _fill(counter, lease, file)
            _require_content(partial, sha256)
            partial.chmod(0o444)
            os.replace(partial, target)  # noqa: PTH105 - atomic on one file system
    return target


def _fill(counter: "RemoteCounter", lease: Lease, file: IO[bytes]) -> None:
    """Append what is missing, also after broken connections."""
    for tries_left in reversed(range(_TRIES)):
        try:
            file.seek(0, os.SEEK_END)
            response = counter.send(counter.blob_request(lease, file.tell()), stream=True)
            try:
                if response.status_code == 416:  # nothing is missing, or it is another file
                    return
                if response.status_code != 206:
                    file.truncate(0)
                for chunk in response.iter_bytes():
                    file.write(chunk)
            finally:
                response.close()
            file.flush()
            os.fsync(file.fileno())
            return
        except (httpx2.TransportError, OSError) as error:
            if not tries_left:
                raise StoreError(f"the submission's file can't be fetched: {error}") from None


def _require_content(partial: Path, sha256: str) -> None:
    with partial.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        partial.unlink()
        raise StoreError(
            f"the file that came has the SHA-256 {found}, expected {sha256}; it is fetched again"
        )
