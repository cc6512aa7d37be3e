"""Admission: what is refused by size, by the first bytes and by the hash, without parsing."""

import io
import lzma
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from isocortex.errors import RejectedError
from isocortex.submissions.admission import MOST_BYTES, admit, size_faults

from .made import written

SAFETENSORS = struct.pack("<Q", 2) + b"{}"


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", b"0" * 100)
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model.safetensors"))
    return buffer.getvalue()


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


ARCHIVES = {
    "zip": zipped(),
    "empty zip": b"PK\x05\x06" + bytes(18),
    "tar": tarred(),
    "gzip": b"\x1f\x8b\x08" + bytes(20),
    "bzip2": b"BZh9" + bytes(20),
    "xz": lzma.compress(b"0" * 100),
    "7z": b"7z\xbc\xaf\x27\x1c" + bytes(20),
    "zstd": b"\x28\xb5\x2f\xfd" + bytes(20),
    "lz4": b"\x04\x22\x4d\x18" + bytes(20),
    "rar": b"Rar!\x1a\x07" + bytes(20),
    "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(20),
    "netcdf": b"CDF\x01" + bytes(20),
    "npy": npy(),
    "pickle": pickle.dumps({"a": 1}),
    "elf": b"\x7fELF" + bytes(20),
    "script": b"#!/bin/sh\n" + bytes(20),
    "gguf": b"GGUF" + bytes(20),
}


@pytest.mark.parametrize("kind", ["activations", "weights", "onnx"])
@pytest.mark.parametrize("name", ARCHIVES)
def test_archives_and_other_formats_are_told_by_their_first_bytes(tmp_path, kind, name):
    with pytest.raises(RejectedError, match=r"file: it is .*expected"):
        admit(written(tmp_path, ARCHIVES[name]), kind)


def test_a_file_that_begins_right_is_admitted(tmp_path):
    admit(written(tmp_path, SAFETENSORS), "weights")
    admit(written(tmp_path, b"\x08\x09\x12\x00"), "onnx")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 3) + b"{}",
        struct.pack("<Q", 0) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        b"<!doctype html><html>",
    ],
)
def test_a_header_that_can_t_be_is_refused(tmp_path, content):
    with pytest.raises(RejectedError, match="file: "):
        admit(written(tmp_path, content), "activations")


@pytest.mark.parametrize("content", [b"\x08", b"\x08\x00", b"\x12\x08", b"onnx" * 4])
def test_what_does_not_begin_as_onnx_is_refused(tmp_path, content):
    with pytest.raises(RejectedError, match="ONNX"):
        admit(written(tmp_path, content), "onnx")


def test_a_file_is_read_no_further_when_its_size_is_too_large(tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES["onnx"] + 1)  # takes no room on the disk
    with pytest.raises(RejectedError, match="2,147,483,648 bytes"):
        admit(path, "onnx", sha256="0" * 64)


def test_another_hash_is_refused(tmp_path: Path):
    with pytest.raises(RejectedError, match=r"sha256: the file has SHA-256"):
        admit(written(tmp_path, SAFETENSORS), "weights", sha256="0" * 64)


def test_sizes_are_known_before_the_first_byte():
    assert size_faults(0, "onnx") == ["file: it is empty"]
    assert size_faults(10**12, "activations")
    assert not size_faults(10**9, "activations")
