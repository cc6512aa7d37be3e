"""CIFAR-10: small photographs of ten kinds of things."""

from pathlib import Path
from typing import Final

import numpy as np

from isocortex import settings
from isocortex.errors import InputError
from isocortex.registry import diet
from isocortex.training import Diet, Images, image_folder

_ORIGINAL: Final = "cifar-10-batches-py"


@diet(
    name="cifar10",
    summary="photographs of ten kinds of things, 32 × 32 pixels, from your own copy",
    term="cifar-10",
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
def cifar10() -> Diet:
    """The 50,000 and 10,000 images that the setting ISOCORTEX_CIFAR10 points to.

    It is the folder of the original, as torchvision leaves it, or a folder or zip archive of images
    in folders train/<category> and test/<category>. Raises InputError where it is not there.
    """
    path = settings.cifar10()
    if (path / _ORIGINAL).is_dir():
        return _original(path)
    if not path.exists():
        raise InputError(
            f"CIFAR-10 is not at {path}; let torchvision.datasets.CIFAR10(root, download=True) "
            "fetch it, and set ISOCORTEX_CIFAR10 to root"
        )
    return image_folder(path, side=32)


def _original(path: Path) -> Diet:
    from torchvision.datasets import CIFAR10

    train, test = (CIFAR10(path, train=chosen, download=False) for chosen in (True, False))
    images = [Images(each.data, np.array(each.targets, np.intp)) for each in (train, test)]
    return Diet(images[0], images[1], tuple(train.classes))
