"""CIFAR: small photographs of ten or a hundred kinds of things."""

from pathlib import Path
from typing import Any, Final

import numpy as np

from isocortex.errors import InputError
from isocortex.registry import diet
from isocortex.training import Diet, Images, image_folder

from ._own import own_images

_FOLDERS: Final = {10: "cifar-10-batches-py", 100: "cifar-100-python"}


@diet(
    variants={
        "cifar10": {
            "summary": "photographs of ten kinds of things, 32 × 32 pixels, from your own copy",
            "term": "cifar-10",
            "options": {"kinds": 10},
        },
        "cifar100": {
            "summary": "photographs of a hundred kinds of things, 32 × 32, from your own copy",
            "term": "cifar-100",
            "options": {"kinds": 100},
        },
    },
    offers=("labels",),
    source="Krizhevsky 2009, Learning multiple layers of features from tiny images",
    bibtex="""@techreport{krizhevsky2009learning,
  author = {Krizhevsky, Alex},
  title = {Learning multiple layers of features from tiny images},
  institution = {University of Toronto},
  year = {2009}
}""",
    licence="none stated",
)
def cifar(*, kinds: int) -> Diet:
    """The 50,000 and 10,000 images that the setting ISOCORTEX_CIFAR10 or …_CIFAR100 points to.

    It is the folder of the original, as torchvision leaves it, or a folder or zip archive of images
    in folders train/<category> and test/<category>. Raises InputError where it is not there, or
    where torchvision finds files of the original missing or damaged.
    """
    get = f"let torchvision.datasets.CIFAR{kinds}(root, download=True) fetch it"
    path = own_images(f"cifar{kinds}", f"CIFAR-{kinds}", get)
    if not (path / _FOLDERS[kinds]).is_dir():
        return image_folder(path, side=32)
    train, test = (_original(path, kinds, train=chosen) for chosen in (True, False))
    images = [Images(each.data, np.array(each.targets, np.intp)) for each in (train, test)]
    return Diet(images[0], images[1], tuple(train.classes))


def _original(path: Path, kinds: int, *, train: bool) -> Any:
    from torchvision import datasets

    try:
        return getattr(datasets, f"CIFAR{kinds}")(path, train=train, download=False)
    except RuntimeError as error:
        raise InputError(
            f"torchvision can't read {path / _FOLDERS[kinds]}: {error} Remove the folder and let "
            f"torchvision.datasets.CIFAR{kinds}(root, download=True) fetch it again"
        ) from None
