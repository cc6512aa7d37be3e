"""Hostile safetensors: headers that lie, values that poison, other formats in disguise."""

import gzip
import io
import json
import pickle
import struct
import zipfile
from typing import Any

import numpy as np

from . import Hostile

IDS = ["a", "b", "c"]


def tensors(header: Any, values: bytes = b"", *, length: int | None = None) -> bytes:
    """A file of that header, which may be text, and that may lie about its length."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + values


def described(**changes: Any) -> dict[str, Any]:
    """A header of one layer of three stimuli and two units, float32."""
    layer = {"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 24], **changes}
    return {"__metadata__": {"stimuli": json.dumps(IDS)}, "layer": layer}


def named(name: str) -> bytes:
    header = described()
    header[name] = header.pop("layer")
    return tensors(header, VALUES)


def about(stimuli: Any) -> bytes:
    header = described()
    header["__metadata__"]["stimuli"] = stimuli if isinstance(stimuli, str) else json.dumps(stimuli)
    return tensors(header, VALUES)


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("layer.npy", bytes(10**7))
    return buffer.getvalue()


VALUES = np.arange(6, dtype="<f4").tobytes()
NOT_A_NUMBER = np.array([0, 1, np.nan, 3, 4, 5], "<f4").tobytes()
INFINITE = np.array([0, 1, 2, 3, -np.inf, 5], "<f4").tobytes()
TWO = {"dtype": "F32", "shape": [3, 2], "data_offsets": [12, 36]}


class Exploit:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return print, ("a pickle ran",)


def _refused(says: str, content: bytes) -> Hostile:
    return Hostile("activations", says, content)


FILES = {
    "empty": _refused("empty", b""),
    "a few bytes": _refused("too few", b"\x08\0\0"),
    "truncated header": _refused("claims", tensors(described(), VALUES)[:30]),
    "truncated values": _refused("its tensors end", tensors(described(), VALUES)[:-3]),
    "values left over": _refused("its tensors end", tensors(described(), VALUES + b"hidden")),
    "header of 2⁶³ bytes": _refused("claims", tensors(described(), length=2**63)),
    "header longer than the file": _refused("claims", tensors(described(), length=10**7)),
    "no JSON": _refused("no JSON", tensors(b"{" + b"\xff" * 20)),
    "JSON 100,000 deep": _refused("no JSON", tensors(b'{"a":' + b"[" * 10**5)),
    "a list for a header": _refused("begin as safetensors", tensors([1, 2])),
    "numbers of 10,000 digits": _refused("JSON", tensors(b'{"a":' + b"9" * 10**4 + b"}")),
    "negative size": _refused("shape", tensors(described(shape=[3, -2]), VALUES)),
    "shape that overflows": _refused("takes", tensors(described(shape=[2**40, 2**40]), VALUES)),
    "shape of 100 GB": _refused("takes", tensors(described(shape=[3, 10**10]), VALUES)),
    "shape of truths": _refused("shape", tensors(described(shape=[True, True]), VALUES)),
    "shape of fractions": _refused("shape", tensors(described(shape=[3.0, 2.0]), VALUES)),
    "offsets backwards": _refused("offsets", tensors(described(data_offsets=[24, 0]), VALUES)),
    "offsets past the end": _refused("end", tensors(described(data_offsets=[96, 120]), VALUES)),
    "offsets that overflow": _refused(
        "offsets", tensors(described(data_offsets=[2**63, 2**63 + 24]), VALUES)
    ),
    "offsets that overlap": _refused(
        "overlaps", tensors({**described(), "other": TWO}, VALUES + bytes(12))
    ),
    "a gap to hide in": _refused(
        "gap", tensors(described(data_offsets=[100, 124]), bytes(100) + VALUES)
    ),
    "a layer twice": _refused(
        "twice", tensors(json.dumps(described()).encode()[:-1] + b',"layer":{}}', VALUES)
    ),
    "unknown dtype": _refused("dtype", tensors(described(dtype="F8_E4M3"), bytes(6))),
    "whole numbers": _refused("F16, F32 or F64", tensors(described(dtype="I32"), VALUES)),
    "more fields": _refused("not described", tensors(described(path="/etc/passwd"), VALUES)),
    "NaN": _refused("NaN or infinity", tensors(described(), NOT_A_NUMBER)),
    "infinity": _refused("NaN or infinity", tensors(described(), INFINITE)),
    "no stimuli": _refused("ids of the stimuli", tensors({"layer": described()["layer"]}, VALUES)),
    "stimuli that are no list": _refused("no JSON list", about("__import__('os')")),
    "stimuli twice": _refused("twice", about(["a", "a", "b"])),
    "fewer stimuli than rows": _refused("2 stimuli", about(["a", "b"])),
    "a million stimuli": _refused("1,000,000 stimuli", about(list(map(str, range(10**6))))),
    "stimuli with escapes": _refused("not printable", about(["a", "b", "c\x1b[2J"])),
    "a layer named as a path": _refused("path", named("../../etc/passwd")),
    "a layer named by escapes": _refused("control", named("\x1b]0;owned\x07")),
    "a layer named as a formula": _refused("formula", named('=HYPERLINK("http://x")')),
    "a layer named in markup": _refused("markup", named("<img src=x onerror=alert(1)>")),
    "a layer named backwards": _refused("direction", named("layer\u202etxt.exe")),
    "a zip bomb": _refused("zip archive", zipped()),
    "gzip": _refused("gzip archive", gzip.compress(bytes(10**6))),
    "a pickle": _refused("pickle", pickle.dumps(Exploit())),
    "HDF5 with external storage": _refused("HDF5", b"\x89HDF\r\n\x1a\n" + bytes(100)),
    "a pickle called weights": Hostile("weights", "pickle", pickle.dumps(Exploit())),
    "weights of nothing": Hostile("weights", "is missing", tensors({})),
    "weights that lie": Hostile("weights", "takes", tensors(described(shape=[9, 9]), VALUES)),
}
