"""Admission: what can be said of a file without parsing it: its size, how it begins, its SHA-256.

Nothing here looks behind the first bytes. What passes is parsed in the jail.
"""

import struct
from pathlib import Path
from typing import Final

from ..errors import RejectedError
from ..fingerprints import file_sha256
from ..store.submitted import SubmissionKind

MOST_BYTES: Final[dict[SubmissionKind, int]] = {
    "activations": 20 * 10**9,
    "weights": 5 * 10**9,
    "onnx": 2**31 - 1,
    "hub": 5 * 10**9,
    "plugin": 5 * 10**9,
}
"""How large a file of each kind may be; Protocol Buffers, and so ONNX, end at 2 GiB."""

LONGEST_HEADER: Final = 100 * 10**6
"""The longest header that safetensors allows, in bytes."""

HEAD_BYTES: Final = 512

_BEGINNINGS: Final = (
    (b"PK\x03\x04", "a zip archive (an npz, a .pt or .pt2 file is one too)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x1f\x9d", "a compress archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"\x04\x22\x4d\x18", "an LZ4 archive"),
    (b"Rar!", "a RAR archive"),
    (b"MSCF", "a cabinet archive"),
    (b"!<arch>", "an ar archive"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 or NetCDF-4 file"),
    (b"CDF", "a NetCDF file"),
    (b"\x93NUMPY", "a NumPy file"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"#!", "a script"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GGUF", "a GGUF file"),
)
_CONVERT: Final = "convert it with isocortex.submissions.converting"
_NEWEST_IR: Final = 20
"""ONNX counts the versions of its format; it is at 13 in 2026."""


def admit(path: Path, kind: SubmissionKind, *, sha256: str | None = None) -> None:
    """Raise RejectedError, with all that is wrong, unless the file may be what it is said to be.

    The hash of the whole file is the last thing that is looked at: it costs a second for each GB.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    faults = [*size_faults(size, kind), *head_faults(head, size, kind)]
    if not faults and sha256 is not None and (actual := file_sha256(path)) != sha256:
        faults = [f"sha256: the file has SHA-256 {actual}, but {sha256} was named"]
    if faults:
        raise RejectedError(faults)


def size_faults(size: int, kind: SubmissionKind) -> list[str]:
    """What is wrong with a file's size; known before its first byte has come."""
    if size == 0:
        return ["file: it is empty"]
    most = MOST_BYTES[kind]
    if size > most:
        return [f"file: it has {size:,} bytes; a file of the kind {kind!r} has {most:,} at most"]
    return []


def head_faults(head: bytes, size: int, kind: SubmissionKind) -> list[str]:
    """What is wrong with how a file of `size` bytes begins; `head` are its first bytes."""
    if kind == "plugin" or not head:
        return []
    if (found := archive_name(head)) is not None:
        return [f"file: it is {found}; {_expected(kind)}"]
    if kind == "onnx":
        return _onnx_faults(head)
    return _safetensors_faults(head, size, kind)


def archive_name(head: bytes) -> str | None:
    """What a file is by its first bytes, if it is of a kind that is never taken."""
    for beginning, name in _BEGINNINGS:
        if head.startswith(beginning):
            return name
    if head[257:262] == b"ustar":
        return "a tar archive"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a pickle, which could run any code"
    return None


def _expected(kind: SubmissionKind) -> str:
    if kind == "onnx":
        return "a single ONNX file is expected, not in an archive"
    return f"a safetensors file is expected, not in an archive: {_CONVERT}"


def _safetensors_faults(head: bytes, size: int, kind: SubmissionKind) -> list[str]:
    if len(head) < 10:
        return [f"file: it has {size} bytes, too few for safetensors"]
    (header,) = struct.unpack("<Q", head[:8])
    if head[8:9] != b"{" or header < 2:
        return [f"file: it does not begin as safetensors does; {_expected(kind)}"]
    if header > min(LONGEST_HEADER, size - 8):
        return [
            f"file: its header claims {header:,} bytes; the file has {size:,}, and "
            f"{LONGEST_HEADER:,} are the most"
        ]
    return []


def _onnx_faults(head: bytes) -> list[str]:
    # A ModelProto begins with its first field, the version of the format: tag 0x08, then a number.
    if len(head) < 2 or head[0] != 0x08 or not 3 <= head[1] <= _NEWEST_IR:
        return [f"file: it does not begin as ONNX does (version 3 or later); {_expected('onnx')}"]
    return []
