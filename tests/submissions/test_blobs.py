"""Uploads: resumable, by content, whole or not at all; nothing is left over of what fails."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from isocortex.errors import (
    InputError,
    QuotaError,
    RejectedError,
    StoreError,
    UnknownNameError,
)
from isocortex.store.submitted import Usage
from isocortex.submissions import admission, entering
from isocortex.submissions import blobs as module
from isocortex.submissions.blobs import Blobs
from isocortex.submissions.forms import read_form
from tests.submissions.made import form_of

HEADER = b'{"a":{"dtype":"U8","shape":[100],"data_offsets":[0,100]}}'
CONTENT = len(HEADER).to_bytes(8, "little") + HEADER + bytes(range(100))
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def blobs(small_store) -> Blobs:
    return Blobs(small_store.submissions)


@pytest.fixture
def upload(blobs, ada):
    return blobs.begin(ada.id, "weights", sha256=SHA256, size=len(CONTENT))


def send(blobs, upload, ada, start: int, stop: int):
    chunks = [CONTENT[start:stop]]
    return blobs.append(upload.key, chunks, account_id=ada.id, offset=start)


def left_over(blobs: Blobs) -> list[Path]:
    return [path for path in blobs.folder.rglob("*") if path.is_file() and path.name != ".lock"]


def test_an_upload_goes_on_where_it_stopped(blobs, upload, ada):
    send(blobs, upload, ada, 0, 60)
    again = blobs.begin(ada.id, "weights", sha256=SHA256, size=len(CONTENT))
    assert (again.key, again.received) == (upload.key, 60)
    send(blobs, upload, ada, 60, len(CONTENT))
    path = blobs.finish(upload.key, "weights", account_id=ada.id)
    assert path.read_bytes() == CONTENT
    assert left_over(blobs) == [path]
    assert blobs.submissions.may_use(ada.id, SHA256)
    assert blobs.finish(upload.key, "weights", account_id=ada.id) == path


def test_bytes_that_were_written_but_not_counted_are_written_again(blobs, upload, ada):
    send(blobs, upload, ada, 0, 60)
    with (blobs.folder / "partial" / upload.key).open("ab") as file:
        file.write(b"written by a process that was killed")
    send(blobs, upload, ada, 60, len(CONTENT))
    assert blobs.finish(upload.key, "weights", account_id=ada.id).read_bytes() == CONTENT


def test_a_file_that_was_moved_but_not_counted_is_finished(blobs, upload, ada, monkeypatch):
    send(blobs, upload, ada, 0, len(CONTENT))
    with monkeypatch.context() as patch:
        patch.setattr(blobs.submissions, "finish_upload", lambda key: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            blobs.finish(upload.key, "weights", account_id=ada.id)
    assert not blobs.submissions.may_use(ada.id, SHA256)
    assert blobs.finish(upload.key, "weights", account_id=ada.id).read_bytes() == CONTENT
    assert blobs.submissions.may_use(ada.id, SHA256)


@pytest.mark.parametrize("offset", [1, 59, 61])
def test_another_offset_is_refused_and_the_right_one_told(blobs, upload, ada, offset):
    send(blobs, upload, ada, 0, 60)
    with pytest.raises(InputError, match="goes on at byte 60"):
        send(blobs, upload, ada, offset, len(CONTENT))


def test_more_bytes_than_announced_are_refused_and_the_earlier_ones_count(blobs, upload, ada):
    chunks = [CONTENT[:10], CONTENT]
    with pytest.raises(InputError, match="more than"):
        blobs.append(upload.key, chunks, account_id=ada.id, offset=0)
    assert blobs.submissions.upload(upload.key).received == 10


def test_another_file_than_announced_is_removed(blobs, upload, ada):
    blobs.append(upload.key, [CONTENT[:-1] + b"!"], account_id=ada.id, offset=0)
    with pytest.raises(RejectedError, match="was announced; send them again"):
        blobs.finish(upload.key, "weights", account_id=ada.id)
    assert left_over(blobs) == []
    with pytest.raises(UnknownNameError):
        blobs.submissions.upload(upload.key)


def test_an_archive_is_removed_though_its_hash_is_right(blobs, ada, tmp_path):
    path = tmp_path / "model.zip"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(RejectedError, match="zip archive"):
        blobs.add(ada.id, "onnx", path)
    assert left_over(blobs) == []


def test_an_uploaded_file_is_not_hashed_again_however_often_it_is_checked(
    blobs, upload, ada, small_store, monkeypatch
):
    send(blobs, upload, ada, 0, len(CONTENT))
    blobs.finish(upload.key, "weights", account_id=ada.id)
    monkeypatch.setattr(admission, "file_sha256", lambda path: 1 / 0)
    form = read_form(form_of("plugin", sha256=SHA256))
    trusted = small_store.accounts.set_role(ada.id, "trusted")
    for _ in range(2):
        assert entering.checked(small_store, trusted, form).blob == SHA256


def test_an_unfinished_upload_is_no_blob(blobs, upload, ada):
    send(blobs, upload, ada, 0, 60)
    with pytest.raises(InputError, match="are missing"):
        blobs.finish(upload.key, "weights", account_id=ada.id)
    assert not blobs.submissions.may_use(ada.id, SHA256)


def test_two_requests_do_not_write_at_once(blobs, upload, ada):
    def chunks():
        with pytest.raises(InputError, match="another request writes"):
            send(blobs, upload, ada, 0, 60)
        yield CONTENT[:60]

    blobs.append(upload.key, chunks(), account_id=ada.id, offset=0)
    assert blobs.submissions.upload(upload.key).received == 60


class FullDisk:
    """A file on a disk that is full after so many bytes."""

    def __init__(self, file, room: int) -> None:
        self.file, self.room = file, room

    def __getattr__(self, name: str):
        return getattr(self.file, name)

    def write(self, chunk) -> int:
        if self.room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self.file.write(chunk[: self.room])  # as the kernel does: what fits, first
        self.room -= written
        return written


def test_a_full_disk_keeps_nothing_of_the_bytes_and_says_so(blobs, upload, ada, monkeypatch):
    send(blobs, upload, ada, 0, 10)
    write_all = module._write_all
    with monkeypatch.context() as patch:
        patch.setattr(
            module, "_write_all", lambda file, chunk: write_all(FullDisk(file, 20), chunk)
        )
        chunks = [CONTENT[10:20], CONTENT[20:]]
        with pytest.raises(StoreError, match="disk is full"):
            blobs.append(upload.key, chunks, account_id=ada.id, offset=10)
    assert blobs.submissions.upload(upload.key).received == 10
    assert (blobs.folder / "partial" / upload.key).stat().st_size == 10
    send(blobs, upload, ada, 10, len(CONTENT))
    assert blobs.finish(upload.key, "weights", account_id=ada.id).read_bytes() == CONTENT


def test_an_upload_without_room_is_refused_before_it_begins(blobs, ada, monkeypatch):
    monkeypatch.setattr(module, "SPARE_BYTES", 10**18)
    with pytest.raises(StoreError, match="no room"):
        blobs.begin(ada.id, "weights", sha256=SHA256, size=len(CONTENT))
    assert blobs.submissions.usage(ada.id) == Usage()


def test_nobody_sees_or_uses_another_s_upload(blobs, upload, ada, small_store):
    bob = small_store.accounts.create("bob", password="correct horse battery")
    send(blobs, upload, ada, 0, len(CONTENT))
    blobs.finish(upload.key, "weights", account_id=ada.id)
    assert not blobs.submissions.may_use(bob.id, SHA256)
    for call in (blobs.finish, blobs.cancel):
        arguments = (upload.key, "weights") if call == blobs.finish else (upload.key,)
        with pytest.raises(UnknownNameError):
            call(*arguments, account_id=bob.id)


def test_quotas_count_what_was_announced(blobs, ada):
    blobs.submissions.quotas = Usage(stored_bytes=300, unfinished_uploads=2)
    blobs.begin(ada.id, "weights", sha256="1" * 64, size=200)
    with pytest.raises(QuotaError, match="bytes of uploaded files"):
        blobs.begin(ada.id, "weights", sha256="2" * 64, size=101)
    blobs.begin(ada.id, "weights", sha256="2" * 64, size=100)
    with pytest.raises(QuotaError, match="unfinished uploads"):
        blobs.begin(ada.id, "weights", sha256="3" * 64, size=1)


def test_what_nobody_holds_is_pruned(blobs, upload, ada, monkeypatch):
    send(blobs, upload, ada, 0, len(CONTENT))
    path = blobs.finish(upload.key, "weights", account_id=ada.id)
    partial = blobs.begin(ada.id, "weights", sha256="1" * 64, size=10)
    blobs.append(partial.key, [b"12345"], account_id=ada.id, offset=0)
    assert blobs.prune() == 0
    assert path.exists()
    monkeypatch.setattr(module, "STALE_DAYS", -1)
    assert blobs.prune() == 3  # two uploads, one blob
    assert left_over(blobs) == []


@pytest.mark.parametrize("sha256", ["", "../../etc/passwd", "A" * 64, "g" * 64, "a" * 63])
def test_what_is_no_hash_never_becomes_a_path(blobs, ada, sha256):
    with pytest.raises(RejectedError, match="no SHA-256"):
        blobs.begin(ada.id, "weights", sha256=sha256, size=10)
