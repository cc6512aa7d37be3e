"""Photographs decoded once: their pixels are kept on disk and read from there by memory map."""

import logging
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from filelock import FileLock
from PIL import Image

from .. import machine, settings
from ..errors import InputError
from .diets import Pixels

log = logging.getLogger(__name__)

Decode = Callable[[int], Pixels]
Shape = tuple[int, int, int, int]

_CHUNK: Final = 1024
"""How many images are on their way to the disk at one time."""


def decoded(decode: Decode, shape: Shape, *, key: str) -> Pixels:
    """The pixels (image, height, width, 3) that `decode` gives of each position, read-only.

    The first time they are decoded by several threads and written to `decoded/<key>.npy` in the
    home folder; from then on only what is asked for is read. A decoding that is killed goes on
    from where it was; the file has its name only once it is whole, and one that is not is made
    anew. `key` names what is decoded, and how. Raises InputError where the disk is too small, and
    what `decode` raises.
    """
    path = settings.home() / "decoded" / f"{key}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    found = _whole(path, shape)
    if found is None:
        with FileLock(f"{path}.lock"):  # several trainings may begin on one diet at once
            if _whole(path, shape) is None:
                _write(path, decode, shape)
        found = _whole(path, shape)
    if found is None:
        raise InputError(f"{path} can't be read back after it was written; is the disk sound?")
    return found


def as_square(image: Image.Image, side: int) -> Pixels:
    """The middle of an image, scaled to (side, side, 3)."""
    image = image.convert("RGB")
    length = min(image.size)
    left, top = ((whole - length) // 2 for whole in image.size)
    image = image.crop((left, top, left + length, top + length))
    if length != side:
        image = image.resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8)


def _whole(path: Path, shape: Shape) -> Pixels | None:
    """The pixels of a file, or None where there is none or it is damaged."""
    try:
        pixels: Pixels = np.load(path, mmap_mode="r")
    except (FileNotFoundError, ValueError, EOFError):
        return None
    return pixels if pixels.shape == shape and pixels.dtype == np.uint8 else None


def _write(path: Path, decode: Decode, shape: Shape) -> None:
    begun = path.with_suffix(".part")
    header, row = _header(shape), math.prod(shape[1:])
    done = _done(begun, header, row)
    _require_disk(path.parent, (shape[0] - done) * row)
    log.info("decoding %d of %d images to %s", shape[0] - done, shape[0], path)
    with begun.open("r+b" if done else "wb") as file, ThreadPoolExecutor() as threads:
        file.write(header)
        file.truncate(len(header) + done * row)
        file.seek(0, os.SEEK_END)
        for start in range(done, shape[0], _CHUNK):
            chunk = range(start, min(start + _CHUNK, shape[0]))
            file.writelines(each.tobytes() for each in threads.map(decode, chunk))
            file.flush()
            os.fsync(file.fileno())
    os.replace(begun, path)  # noqa: PTH105 - atomic on one file system


def _done(begun: Path, header: bytes, row: int) -> int:
    """How many images of a file that was begun are surely on disk.

    Each chunk was synchronised before the next one was begun, so all but the last are.
    """
    if not begun.exists():
        return 0
    with begun.open("rb") as file:
        if file.read(len(header)) != header:
            return 0
    chunks = -(-(begun.stat().st_size - len(header)) // (row * _CHUNK))
    return max(chunks - 1, 0) * _CHUNK


def _header(shape: Shape) -> bytes:
    """What a .npy file of that many pixels begins with."""
    buffer = BytesIO()
    facts = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, facts)
    return buffer.getvalue()


def _require_disk(folder: Path, needed: int) -> None:
    free = machine.free_disk(folder)
    if needed > free:
        raise InputError(
            f"the decoded images need {needed / 1e9:.1f} GB in {folder}, which has "
            f"{free / 1e9:.1f} GB to spare; make room, or set ISOCORTEX_HOME to a larger disk"
        )
