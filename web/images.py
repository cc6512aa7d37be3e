"""Pictures of many numbers as PNG files: one pixel a number."""

import struct
import zlib
from typing import Final

import numpy as np
import numpy.typing as npt

from .colours import heat

_STEPS: Final = 32
"""So many colours make a file a third as large as one of all colours."""

_UNDEFINED: Final = "#ffffff"


def heat_png(values: npt.ArrayLike) -> bytes:
    """A matrix as a picture in cividis, from its lowest number (dark) to its highest (yellow).

    What is not a number is white.
    """
    numbers = np.asarray(values, dtype=np.float64)
    low, high = np.nanmin(numbers), np.nanmax(numbers)
    shares = (numbers - low) / ((high - low) or 1.0)
    steps = np.where(np.isnan(shares), _STEPS, np.rint(np.nan_to_num(shares) * (_STEPS - 1)))
    lines = b"".join(b"\0" + line.tobytes() for line in steps.astype(np.uint8))
    colours = [*(heat(step / (_STEPS - 1)) for step in range(_STEPS)), _UNDEFINED]
    palette = b"".join(bytes.fromhex(colour[1:]) for colour in colours)
    size = struct.pack(">IIBBBBB", numbers.shape[1], numbers.shape[0], 8, 3, 0, 0, 0)
    parts = {b"IHDR": size, b"PLTE": palette, b"IDAT": zlib.compress(lines, 9), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in parts.items())


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
