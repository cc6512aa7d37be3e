"""Uploads that survive broken connections: what the server has is never sent again."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from ..errors import InputError, MismatchError, ServerError, StoreError
from ..fingerprints import file_sha256
from .connecting import Call, Connection
from .submission_schemas import Kind, Upload, UploadRequest

Progress = Callable[[int, int], None]
"""What is told how many bytes of how many are there, again and again."""

_CHUNK: Final = 1 << 20


class Uploads(Connection):
    """The operations on uploads."""

    def begin_upload(self, upload: UploadRequest) -> Upload:
        """The upload of a file; the same one if it was begun, or finished, before."""
        # By its content it is one and the same, however often it is begun.
        return self._ask(Upload, Call(method="POST", path="/uploads", body=upload, once=True))

    def get_upload(self, key: str) -> Upload:
        """An upload, and how many bytes of it are there."""
        return self._ask(Upload, Call(method="GET", path=f"/uploads/{key}"))

    def append_to_upload(
        self, key: str, offset: int, chunk: bytes | Iterator[bytes], *, kind: Kind | None = None
    ) -> Upload:
        """The upload, after these bytes were added at `offset`, which is all that was there.

        Raises MismatchError if it was not: go on from where it is. With the last byte the file is
        checked, and RejectedError says what is wrong with it.
        """
        call = Call(
            method="PATCH",
            path=f"/uploads/{key}",
            query={"kind": kind},
            body=chunk,
            headers={"Upload-Offset": str(offset), "Content-Type": "application/octet-stream"},
        )
        return self._ask(Upload, call)

    def upload(self, path: Path | str, *, kind: Kind, progress: Progress | None = None) -> Upload:
        """The upload of a file, whole; it goes on where a former try ended.

        `progress` is called with the bytes that are there and the bytes in all. Raises ServerError
        after several tries in a row without a byte.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError(f"{path} is no file")
        size = path.stat().st_size
        request = UploadRequest(kind=kind, sha256=file_sha256(path), bytes=size)
        upload, failures = self.begin_upload(request), 0
        while upload.finished_at is None:
            before = upload.received
            try:
                upload = self._send_rest(path, upload, kind, progress)
            except (ServerError, StoreError, MismatchError) as error:
                upload = self.get_upload(upload.key)
                failures = 0 if upload.received > before else failures + 1
                if failures >= self.tries:
                    raise error
                self._pause(failures, None)
        if progress is not None:
            progress(upload.received, upload.bytes)
        return upload

    def _send_rest(
        self, path: Path, upload: Upload, kind: Kind, progress: Progress | None
    ) -> Upload:
        rest = _read(path, upload, progress)
        return self.append_to_upload(upload.key, upload.received, rest, kind=kind)


def _read(path: Path, upload: Upload, progress: Progress | None) -> Iterator[bytes]:
    """The bytes that are not there yet."""
    with path.open("rb") as file:
        file.seek(upload.received)
        while chunk := file.read(_CHUNK):
            yield chunk
            if progress is not None:
                progress(file.tell(), upload.bytes)
