"""STL-10: few photographs with labels and many without, from ImageNet."""

from pathlib import Path
from typing import Final, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from isocortex.errors import InputError
from isocortex.fingerprints import fingerprint
from isocortex.registry import diet
from isocortex.training import Diet, Images, as_square, decoded
from isocortex.training.diets import Pixels

from ._own import own_images

_SIDE: Final = 96
_FOLDER: Final = "stl10_binary"
_GET: Final = "let torchvision.datasets.STL10(root, download=True) fetch it"


@diet(
    variants={
        "stl10": {
            "summary": "5,000 photographs of ten kinds of things, 96 × 96, from your own copy",
            "offers": ("labels",),
            "options": {"side": 96, "labelled": True},
        },
        "stl10-64": {
            "summary": "stl10, scaled to 64 × 64 pixels",
            "offers": ("labels",),
            "options": {"side": 64, "labelled": True},
        },
        "stl10-32": {
            "summary": "stl10, scaled to 32 × 32 pixels",
            "offers": ("labels",),
            "options": {"side": 32, "labelled": True},
        },
        "stl10-unlabelled": {
            "summary": "100,000 photographs of such and other things, 96 × 96, without labels",
            "options": {"side": 96, "labelled": False},
        },
        "stl10-unlabelled-64": {
            "summary": "stl10-unlabelled, scaled to 64 × 64 pixels",
            "options": {"side": 64, "labelled": False},
        },
        "stl10-unlabelled-32": {
            "summary": "stl10-unlabelled, scaled to 32 × 32 pixels",
            "options": {"side": 32, "labelled": False},
        },
    },
    term="stl-10",
    source="Coates, Lee & Ng 2011, AISTATS",
    bibtex="""@inproceedings{coates2011analysis,
  author = {Coates, Adam and Lee, Honglak and Ng, Andrew Y.},
  title = {An analysis of single-layer networks in unsupervised feature learning},
  booktitle = {International Conference on Artificial Intelligence and Statistics},
  pages = {215--223},
  year = {2011}
}""",
    licence="none stated",
)
def stl10(*, side: int, labelled: bool) -> Diet:
    """The images that the setting ISOCORTEX_STL10 points to, as torchvision leaves them.

    The 8,000 to test on are the same with and without labels. At 96 pixels they are mapped from the
    original files, at others from scaled copies: neither is held in memory. Raises InputError where
    a file is missing or ends within an image.
    """
    folder = own_images("stl10", "STL-10", _GET) / _FOLDER
    test = Images(_pixels(folder / "test_X.bin", side), _labels(folder / "test_y.bin"))
    if not labelled:
        return Diet(Images(_pixels(folder / "unlabeled_X.bin", side)), Images(test.pixels))
    train = Images(_pixels(folder / "train_X.bin", side), _labels(folder / "train_y.bin"))
    names = _found(folder / "class_names.txt").read_text().split()
    return Diet(train, test, tuple(names))


def _pixels(path: Path, side: int) -> Pixels:
    facts = _found(path).stat()
    count, rest = divmod(facts.st_size, 3 * _SIDE**2)
    if rest or not count:
        raise InputError(f"{path} is cut short: {facts.st_size} bytes. Remove it and {_GET}")
    # colours first, and columns before rows
    stored = np.memmap(path, np.uint8, "r", shape=(count, 3, _SIDE, _SIDE))
    images = cast(Pixels, stored.transpose(0, 3, 2, 1))
    if side == _SIDE:
        return images
    stamp = [path.name, facts.st_size, facts.st_mtime_ns, side]
    return decoded(
        lambda position: as_square(Image.fromarray(images[position]), side),
        (count, side, side, 3),
        key=fingerprint({"stl10": stamp})[:32],
    )


def _labels(path: Path) -> npt.NDArray[np.intp]:
    return np.fromfile(_found(path), np.uint8).astype(np.intp) - 1  # they count from 1


def _found(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path} is missing; {_GET}, and set ISOCORTEX_STL10 to root")
    return path
