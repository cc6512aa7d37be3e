"""Pictures of many numbers as PNG files: one pixel a number."""

import struct
import zlib
from collections.abc import Sequence

from .colours import heat


def heat_png(values: Sequence[Sequence[float]]) -> bytes:
    """A matrix as a picture in cividis, from its lowest number (dark) to its highest (yellow)."""
    listed = [value for row in values for value in row]
    low, high = min(listed), max(listed)
    reach = (high - low) or 1.0
    rows = (
        b"\0" + b"".join(bytes.fromhex(heat((value - low) / reach)[1:]) for value in row)
        for row in values
    )
    size = struct.pack(">IIBBBBB", len(values[0]), len(values), 8, 2, 0, 0, 0)
    body = zlib.compress(b"".join(rows), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", size) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
