"""Diets from photographs on disk: a folder, or a zip archive, with one subfolder per category."""

import zipfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path, PurePath, PurePosixPath
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import InputError
from .diets import Diet, Images, Pixels

_SUFFIXES: Final = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_SPLITS: Final = ("train", "test")
_EVERY: Final = 5
"""Without folders `train` and `test`, every fifth image of a category is to test on."""


def image_folder(path: Path, *, side: int) -> Diet:
    """The images of `path`, cut square at their middle and scaled to `side` pixels.

    An image's folder is its category. Where the folders of categories stand in folders `train` and
    `test`, these say what is trained on; otherwise every fifth image of a category, by name, is to
    test on. Test images that look exactly like one to train on are left out. All are held in
    memory: 3 · side² bytes each. Raises InputError for a path without images, an image that can't
    be read, and a category that one of the two lacks.
    """
    found = [(name, _square(name, content, side)) for name, content in _image_files(path)]
    if not found:
        raise InputError(f"{path} holds no images; expected a folder or zip of <category>/<image>")
    splits = _splits([name for name, _ in found])
    categories = sorted({name.parent.name for name, _ in found})
    train, test = (
        [
            (pixels, name.parent.name)
            for (name, pixels), s in zip(found, splits, strict=True)
            if s == split
        ]
        for split in _SPLITS
    )
    seen = {pixels.tobytes() for pixels, _ in train}
    test = [(pixels, category) for pixels, category in test if pixels.tobytes() not in seen]
    for split, images in zip(_SPLITS, (train, test), strict=True):
        missing = sorted(set(categories) - {category for _, category in images})
        if missing:
            raise InputError(f"{path} has no images to {split} on of {', '.join(missing)}")
    return Diet(_labelled(train, categories), _labelled(test, categories), tuple(categories))


def _labelled(images: Sequence[tuple[Pixels, str]], categories: Sequence[str]) -> Images:
    numbers = {category: number for number, category in enumerate(categories)}
    labels = np.array([numbers[category] for _, category in images], np.intp)
    return Images(np.stack([pixels for pixels, _ in images]), labels)


def _splits(names: Sequence[PurePath]) -> list[str]:
    """For each image, whether it is to train or to test on."""
    given = [name.parts[-3] if len(name.parts) > 2 else "" for name in names]
    if set(given) == set(_SPLITS):
        return given
    places: dict[str, int] = {}
    splits = []
    for name in names:
        category = name.parent.name
        places[category] = places.get(category, 0) + 1
        splits.append("test" if places[category] % _EVERY == 0 else "train")
    return splits


def _square(name: PurePath, content: bytes, side: int) -> Pixels:
    """The middle of an image, (side, side, 3)."""
    try:
        with Image.open(BytesIO(content)) as opened:
            image = opened.convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"{name} can't be read as an image: {error}") from None
    length = min(image.size)
    left, top = ((whole - length) // 2 for whole in image.size)
    image = image.crop((left, top, left + length, top + length))
    if length != side:
        image = image.resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8)


def _image_files(path: Path) -> Iterator[tuple[PurePath, bytes]]:
    """Name and content of all images in folders, in the order of their names."""
    if path.is_dir():
        for each in sorted(path.rglob("*")):
            if each.is_file() and _is_image(each.relative_to(path)):
                yield each.relative_to(path), each.read_bytes()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if _is_image(PurePosixPath(name)):
                    yield PurePosixPath(name), archive.read(name)
    else:
        raise InputError(f"{path} is no folder and no zip archive")


def _is_image(name: PurePath) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in name.parts)
    return len(name.parts) > 1 and not hidden and name.suffix.lower() in _SUFFIXES
