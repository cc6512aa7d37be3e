"""Diets from photographs on disk: a folder, or a zip archive, with one subfolder per category."""

import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from PIL import Image

from ..errors import InputError
from .decoding import as_square, decoded
from .diets import Diet, Images, Pixels

_SUFFIXES: Final = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_HALVES: Final = ({"train", "test"}, {"train", "val"}, {"train", "test", "val"})
_EVERY: Final = 5
"""Without folders `train` and `test`, every fifth image of a category is to test on."""

_DRAFTED: Final = 2
"""JPEGs are decoded at the least size that is still this many times as large as needed."""

_UNREADABLE: Final = (
    OSError,
    SyntaxError,  # of broken PNGs
    ValueError,
    RuntimeError,  # of encrypted archives
    zipfile.BadZipFile,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow and zipfile raise for files that are damaged, locked or far too large."""


class Photograph(NamedTuple):
    """An image file: its name within the folder, its category, and whether it is to train on."""

    name: str
    category: str
    trained: bool


@dataclass(frozen=True)
class Files:
    """The files of a folder or zip archive: by name, with `/`, a stamp that tells a change."""

    path: Path
    stamps: Mapping[str, str]
    read: Callable[[str], bytes]

    def images(self) -> list[str]:
        """The names of all images in folders, in order."""
        return sorted(filter(_is_image, self.stamps))


@contextmanager
def open_files(path: Path) -> Iterator[Files]:
    """The files of a folder or zip archive. Raises InputError for anything else."""
    if path.is_dir():
        yield Files(path, dict(_walk(str(path))), lambda name: (path / name).read_bytes())
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            stamps = {each.filename: f"{each.file_size} {each.CRC}" for each in archive.infolist()}
            yield Files(path, stamps, archive.read)
    else:
        raise InputError(f"{path} is no folder and no zip archive")


def image_folder(path: Path, *, side: int) -> Diet:
    """The images of `path`, cut square at their middle and scaled to `side` pixels.

    An image's folder is its category. Where all folders of categories stand in folders `train` and
    `test`, `val` or both, only `train` is trained on; otherwise every fifth image of a category, by
    name, is to test on. Test images that look exactly like one to train on are left out. See
    `photograph_diet` for where the pixels are, and what is raised.
    """
    with open_files(path) as files:
        diet = photograph_diet(files, by_folder(files.images()), side=side)
    return _without_repeats(path, diet)


def photograph_diet(files: Files, photographs: Sequence[Photograph], *, side: int) -> Diet:
    """Photographs as a diet, cut square at their middle and scaled to `side` pixels.

    They are decoded the first time, and then read from the home folder batch by batch: 3 · side²
    bytes of disk for each, whatever their number in memory. Raises InputError for no photographs,
    one that can't be read, and a category that is missing in one of the halves.
    """
    if not photographs:
        raise InputError(
            f"{files.path} holds no images; expected a folder or zip of <category>/<image>"
        )
    ordered = [each for half in (True, False) for each in photographs if each.trained == half]
    categories = sorted({each.category for each in ordered})
    _require_all(files.path, ordered, categories)
    pixels = decoded(
        lambda position: _square(ordered[position].name, files, side),
        (len(ordered), side, side, 3),
        key=_key(files, ordered, side),
    )
    numbers = {category: number for number, category in enumerate(categories)}
    labels = np.array([numbers[each.category] for each in ordered], np.intp)
    count = sum(each.trained for each in ordered)
    train, test = (Images(pixels[h], labels[h]) for h in (slice(count), slice(count, None)))
    return Diet(train, test, tuple(categories))


def by_folder(names: Sequence[str]) -> list[Photograph]:
    """Photographs whose folder is their category, in two halves as `image_folder` says."""
    parts = [name.split("/") for name in names]
    given = [each[-3] if len(each) > 2 else "" for each in parts]
    halved = set(given) in _HALVES
    places: dict[str, int] = {}
    found = []
    for name, (*_, category, _), half in zip(names, parts, given, strict=True):
        places[category] = places.get(category, 0) + 1
        trained = half == "train" if halved else places[category] % _EVERY != 0
        found.append(Photograph(name, category, trained))
    return found


def _require_all(path: Path, photographs: Sequence[Photograph], categories: Sequence[str]) -> None:
    for trained, use in ((True, "train"), (False, "test")):
        found = {each.category for each in photographs if each.trained == trained}
        missing = [each for each in categories if each not in found]
        if missing:
            raise InputError(f"{path} has no images to {use} on of {', '.join(missing)}")


def _without_repeats(path: Path, diet: Diet) -> Diet:
    """The diet without test images that are among those to train on. Cost: it reads all once."""
    seen = {_digest(each) for each in diet.train.pixels}
    kept = np.array([_digest(each) not in seen for each in diet.test.pixels])
    if kept.all():
        return diet  # still on disk, where a choice of images would be in memory
    labels = diet.test.labels
    assert labels is not None  # photographs have categories
    lost = sorted(set(range(len(diet.categories))) - set(labels[kept].tolist()))
    if lost:
        names = ", ".join(diet.categories[each] for each in lost)
        raise InputError(f"{path} has no images to test on of {names} that it does not train on")
    return Diet(diet.train, Images(diet.test.pixels[kept], labels[kept]), diet.categories)


def _digest(pixels: Pixels) -> bytes:
    return hashlib.sha256(pixels.tobytes()).digest()[:16]


def _key(files: Files, photographs: Sequence[Photograph], side: int) -> str:
    """A name for these photographs in this order at this size."""
    digest = hashlib.sha256(f"middle square, {side} pixels, drafted {_DRAFTED}\n".encode())
    for each in photographs:
        digest.update(f"{each.name}\n{files.stamps[each.name]}\n".encode())
    return digest.hexdigest()[:32]


def _square(name: str, files: Files, side: int) -> Pixels:
    """The middle of an image, (side, side, 3)."""
    try:
        with Image.open(BytesIO(files.read(name))) as image:
            image.draft("RGB", (_DRAFTED * side, _DRAFTED * side))
            return as_square(image, side)
    except _UNREADABLE as error:
        raise InputError(
            f"{files.path / name} can't be read as an image: {error}. Remove or mend it"
        ) from None


def _walk(folder: str, inside: str = "") -> Iterator[tuple[str, str]]:
    """The files of a folder, and how long and when each was written."""
    with os.scandir(folder) as entries:  # several times as fast as Path on a million files
        for each in entries:
            if each.is_dir():
                yield from _walk(each.path, f"{inside}{each.name}/")
            elif each.is_file():
                facts = each.stat()
                yield f"{inside}{each.name}", f"{facts.st_size} {facts.st_mtime_ns}"


def _is_image(name: str) -> bool:
    *folders, last = name.split("/")
    hidden = any(part.startswith((".", "__MACOSX")) for part in (*folders, last))
    return bool(folders) and not hidden and last.lower().endswith(_SUFFIXES)
