"""Blobs: uploaded files by their SHA-256, whole or not at all, and resumable.

    home/blobs/ab/cdef…       a file whose SHA-256 was verified; it is never written again
    home/blobs/partial/KEY    an upload that is under way; the database says how much of it counts

A chunk is written and flushed to the disk first, and counted in the database then: whatever kills
the process, what is counted is there. What is not counted is written again.
"""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from .. import settings
from ..errors import InputError, RejectedError, StoreError
from ..store.submissions import Submissions
from ..store.submitted import StoredUpload, SubmissionKind
from .admission import head_faults, size_faults

SPARE_BYTES: Final = 200 * 10**6
"""What is left free on the disk, for the database and its log."""

STALE_DAYS: Final = 7
"""How long an upload that is not finished is kept after it was begun."""

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BLOCK: Final = 1 << 20


class Blobs:
    """The folder of uploaded files, and the uploads that are on their way into it."""

    def __init__(self, submissions: Submissions, folder: Path | None = None) -> None:
        self.submissions = submissions
        self.folder = folder or settings.home() / "blobs"

    def begin(
        self, account_id: int, kind: SubmissionKind, *, sha256: str, size: int
    ) -> StoredUpload:
        """The upload to send bytes to, from its `received` on; one that was begun goes on.

        It may be finished already. Raises RejectedError for a size that the kind can't have or the
        disk has no room for, QuotaError.
        """
        faults = size_faults(size, kind)
        if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
            faults.append(f"sha256: {sha256[:70]!r} is no SHA-256 (64 digits of 0-9a-f)")
        if faults:
            raise RejectedError(faults)
        self._require_room(size)
        upload = self.submissions.begin_upload(account_id, sha256, size)
        if upload.finished_at is not None and not self.path(sha256).exists():
            self.submissions.drop_upload(upload.key)  # the folder was emptied by hand
            upload = self.submissions.begin_upload(account_id, sha256, size)
        return upload

    def append(
        self, key: str, chunks: Iterable[bytes], *, account_id: int, offset: int
    ) -> StoredUpload:
        """The upload, with these bytes written from `offset` on, which must be its `received`.

        Chunks that came before an error count. Raises InputError for another offset, for bytes
        past the end, and while another request writes; StoreError where the disk is full.
        """
        upload = self.submissions.upload(key, account_id=account_id)
        if upload.finished_at is not None:
            raise InputError("the upload is finished; nothing can be added to it")
        with self._opened(key) as file:
            upload = self.submissions.upload(key)  # as it stands now that nobody else writes
            if offset != upload.received:
                raise InputError(
                    f"the upload goes on at byte {upload.received:,}, not at {offset:,}; send from "
                    "there"
                )
            return self._written(upload, file, chunks)

    def finish(self, key: str, kind: SubmissionKind, *, account_id: int) -> Path:
        """The path of the blob, verified and in its place; finishing twice is no error.

        Raises InputError while bytes are missing, RejectedError if the file is not what was
        announced or can't be of that `kind`: then nothing of it is kept.
        """
        upload = self.submissions.upload(key, account_id=account_id)
        target = self.path(upload.sha256)
        if upload.finished_at is not None and target.exists():
            return target
        if target.exists() and not self._partial(key).exists() and upload.received == upload.bytes:
            self.submissions.finish_upload(key)  # the process that moved it was killed right then
            return target
        if upload.received != upload.bytes:
            missing = upload.bytes - upload.received
            raise InputError(f"{missing:,} of {upload.bytes:,} bytes of the upload are missing")
        with self._opened(key) as file:
            faults = _content_faults(file, upload, kind)
            if faults:
                self._partial(key).unlink()
                self.submissions.drop_upload(key)
                raise RejectedError(faults)
            with self._locked():
                self._keep(key, target)
                self.submissions.finish_upload(key)
        return target

    def add(self, account_id: int, kind: SubmissionKind, path: Path) -> str:
        """The SHA-256 of a file of this computer, which is now a blob of the account's."""
        with path.open("rb") as file:
            sha256 = _file_sha256(file)
            upload = self.begin(account_id, kind, sha256=sha256, size=path.stat().st_size)
            if upload.finished_at is None:
                file.seek(upload.received)
                chunks = iter(lambda: file.read(_BLOCK), b"")
                self.append(upload.key, chunks, account_id=account_id, offset=upload.received)
                self.finish(upload.key, kind, account_id=account_id)
        return sha256

    def cancel(self, key: str, *, account_id: int) -> None:
        """Give an unfinished upload up. Raises InputError if it is finished."""
        upload = self.submissions.upload(key, account_id=account_id)
        if upload.finished_at is not None:
            raise InputError("the upload is finished; withdraw the submissions that use it")
        with self._opened(key):
            self._partial(key).unlink()
            self.submissions.drop_upload(key)

    def path(self, sha256: str) -> Path:
        """Where the blob lies, if it is there."""
        return self.folder / sha256[:2] / sha256[2:]

    def let_go(self, sha256: str) -> bool:
        """Whether the blob was removed: it stays as long as an upload or a job needs it.

        Uploads that are under way count: whoever sends the same content now keeps what he sends.
        """
        with self._locked():
            unused = self.submissions.forget_unused_blobs(sha256)
            for each in unused:
                self.path(each).unlink(missing_ok=True)
        return bool(unused)

    def prune(self) -> int:
        """The number of files removed: blobs that nobody holds, and uploads given up for days."""
        stale = self.submissions.forget_stale_uploads(days=STALE_DAYS)
        for key in stale:
            self._partial(key).unlink(missing_ok=True)
        with self._locked():
            unused = self.submissions.forget_unused_blobs()
            for sha256 in unused:
                self.path(sha256).unlink(missing_ok=True)
        return len(stale) + len(unused)

    def _written(
        self, upload: StoredUpload, file: BinaryIO, chunks: Iterable[bytes]
    ) -> StoredUpload:
        position = upload.received
        try:
            file.truncate(position)  # what was written and never counted
            file.seek(position)
            for chunk in chunks:
                if position + len(chunk) > upload.bytes:
                    raise InputError(
                        f"more than the {upload.bytes:,} bytes that were announced came"
                    )
                _write_all(file, chunk)
                position += len(chunk)
        except OSError as error:
            position = upload.received
            with suppress(OSError):
                file.truncate(position)
            raise _explained(error) from None
        finally:
            if position > upload.received:
                upload = self._counted(upload, file, position)
        return upload

    def _counted(self, upload: StoredUpload, file: BinaryIO, position: int) -> StoredUpload:
        try:
            os.fsync(file.fileno())
        except OSError as error:
            raise _explained(error) from None
        return self.submissions.received(upload.key, before=upload.received, after=position)

    def _keep(self, key: str, target: Path) -> None:
        """Move the partial file to its place, so that it is there after a power cut as well."""
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = self._partial(key)
        partial.chmod(0o444)
        os.replace(partial, target)  # noqa: PTH105 - atomic on one file system
        for folder in (target.parent, partial.parent):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    @contextmanager
    def _opened(self, key: str) -> Iterator[BinaryIO]:
        """The partial file, which nobody else has opened meanwhile."""
        path = self._partial(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError("another request writes to this upload now; wait for it") from None
            yield file

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _partial(self, key: str) -> Path:
        return self.folder / "partial" / key

    def _require_room(self, size: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        if size + SPARE_BYTES > free:
            raise StoreError(
                f"the disk has no room for a file of {size:,} bytes: {free:,} are free, and "
                f"{SPARE_BYTES:,} of them are kept so. Nothing was written; try again later"
            )


def _content_faults(file: BinaryIO, upload: StoredUpload, kind: SubmissionKind) -> list[str]:
    file.seek(0)
    head = file.read(512)
    faults = head_faults(head, upload.bytes, kind)
    actual = _file_sha256(file)
    if actual != upload.sha256:
        faults.append(
            f"sha256: the bytes that came have SHA-256 {actual}, but {upload.sha256} was "
            "announced; send them again"
        )
    return faults


def _file_sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _write_all(file: BinaryIO, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        left = left[file.write(left) :]


def _explained(error: OSError) -> StoreError:
    if error.errno in _FULL:
        return StoreError(
            "the disk is full: nothing of these bytes was kept; try again when there is room"
        )
    return StoreError(f"the upload could not be written: {error.strerror or error}")
