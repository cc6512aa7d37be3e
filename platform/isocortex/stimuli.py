"""Stimulus sets: what was shown, in order, with string ids, size in degrees and a content hash."""

import hashlib
import io
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .errors import InputError, MismatchError

Modality = Literal["image", "array"]
Image = npt.NDArray[np.uint8]
"""An image as uint8, (height, width, 3), sRGB."""


@dataclass(frozen=True)
class ZippedImage:
    """An image file inside a zip archive; it is read in place."""

    archive: Path
    member: str


StimulusSource = Path | ZippedImage | npt.NDArray[Any]
"""Where a stimulus comes from: an image file, a member of an archive, or the array itself."""


@dataclass(frozen=True)
class StimulusSet:
    """Ordered stimuli with unique string ids.

    `sources` are image files (read when needed) or arrays: uint8 (height, width, 3) for the
    modality "image", numbers of one shape for "array". `degrees` is the width of the stimuli in
    degrees of visual angle as the subjects saw them. `metadata` holds one value per stimulus.
    """

    name: str
    ids: tuple[str, ...]
    sources: Sequence[StimulusSource] = field(repr=False)
    modality: Modality = "image"
    degrees: float | None = None
    metadata: Mapping[str, Sequence[Any]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.sources):
            raise MismatchError(
                f"stimulus set {self.name!r}: {len(self.ids)} ids for {len(self.sources)} stimuli"
            )
        if len(set(self.ids)) != len(self.ids):
            twice = next(name for name in self.ids if self.ids.count(name) > 1)
            raise InputError(f"stimulus set {self.name!r}: id {twice!r} occurs more than once")
        for key, values in self.metadata.items():
            if len(values) != len(self.ids):
                raise MismatchError(
                    f"stimulus set {self.name!r}: {len(values)} values of {key!r} "
                    f"for {len(self.ids)} stimuli"
                )

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, position: int) -> npt.NDArray[Any]:
        """The stimulus at `position`: an image (height, width, 3) as uint8, or its array."""
        source = self.sources[position]
        if self.modality == "array":
            return np.asarray(source)
        return _read_image(source, name=self.ids[position])

    @cached_property
    def content_hash(self) -> str:
        """The SHA-256 of ids, modality and contents, in order; names and metadata do not count."""
        digest = hashlib.sha256(self.modality.encode())
        for name, source in zip(self.ids, self.sources, strict=True):
            digest.update(f"\0{name}\0".encode())
            digest.update(_source_digest(source))
        return digest.hexdigest()


def _read_image(source: StimulusSource, *, name: str) -> Image:
    from PIL import Image as PillowImage

    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3:
            raise InputError(
                f"stimulus {name!r} is {source.dtype} of shape {source.shape}; "
                "an image is uint8 of shape (height, width, 3)"
            )
        return source
    content = _source_bytes(source)
    try:
        with PillowImage.open(io.BytesIO(content)) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError) as error:  # Pillow's own, the second for broken PNG files
        raise InputError(f"stimulus {name!r} ({source}) can't be read: {error}") from None


def _source_bytes(source: Path | ZippedImage) -> bytes:
    path = source.archive if isinstance(source, ZippedImage) else source
    if not path.exists():
        raise InputError(f"the stimulus file {path} does not exist")
    if not isinstance(source, ZippedImage):
        return source.read_bytes()
    try:
        return _opened(path, path.stat().st_mtime_ns, os.getpid()).read(source.member)
    except (KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{source.member} can't be read from {path}: {error}") from None


@lru_cache(maxsize=8)
def _opened(archive: Path, modified: int, process: int) -> zipfile.ZipFile:
    """The archive, kept open as long as it is `modified` then and read by this `process`.

    Opening it reads its whole directory, which for each of n images would cost O(n²). A forked
    process opens its own, since two would move one another's position in a shared file.
    """
    return zipfile.ZipFile(archive)


def _source_digest(source: StimulusSource) -> bytes:
    if isinstance(source, np.ndarray):
        digest = hashlib.sha256(f"{source.dtype.str}{source.shape}".encode())
        digest.update(np.ascontiguousarray(source).data)
        return digest.digest()
    return hashlib.sha256(_source_bytes(source)).digest()
