"""Tiny ImageNet: 64 × 64 pixels of 200 of ImageNet's kinds."""

from collections.abc import Iterator
from typing import Final

from isocortex.errors import InputError
from isocortex.registry import diet
from isocortex.training import Diet, Photograph, open_files, photograph_diet
from isocortex.training.folders import Files

from ._own import own_images

_ANNOTATIONS: Final = "val/val_annotations.txt"
_GET: Final = "fetch http://cs231n.stanford.edu/tiny-imagenet-200.zip as root"


@diet(
    variants={
        "tiny-imagenet": {
            "summary": "photographs of 200 kinds of things, 64 × 64, from your own copy",
            "options": {"side": 64},
        },
        "tiny-imagenet-32": {
            "summary": "tiny-imagenet, scaled to 32 × 32 pixels",
            "options": {"side": 32},
        },
    },
    term="tiny-imagenet",
    offers=("labels",),
    source="Le & Yang 2015, Tiny ImageNet visual recognition challenge (Stanford CS 231N)",
    bibtex="""@techreport{le2015tiny,
  author = {Le, Ya and Yang, Xuan},
  title = {Tiny {ImageNet} visual recognition challenge},
  institution = {Stanford University},
  type = {CS 231N},
  year = {2015}
}""",
    licence="none stated; ImageNet's are for research only",
)
def tiny_imagenet(*, side: int) -> Diet:
    """The 100,000 and 10,000 images that the setting ISOCORTEX_TINY_IMAGENET points to.

    It is the archive or the folder in it: train/<category>/images/… are to train on, val/images/…
    to test on, of the categories that val/val_annotations.txt says. Those of its folder `test` have
    no labels and are not used. Raises InputError where something is missing.
    """
    path = own_images("tiny-imagenet", "Tiny ImageNet", _GET)
    with open_files(path) as files:
        photographs = list(_photographs(files))
        return photograph_diet(files, photographs, side=side)


def _photographs(files: Files) -> Iterator[Photograph]:
    kinds = _annotations(files)
    for name in files.images():
        *above, folder, last = name.split("/")
        if folder != "images" or not above:
            continue
        if above[-1] == "val":
            if last not in kinds:
                raise InputError(f"{files.path}: {_ANNOTATIONS} does not say what {last} is")
            yield Photograph(name, kinds[last], trained=False)
        elif above[-2:-1] == ["train"]:
            yield Photograph(name, above[-1], trained=True)


def _annotations(files: Files) -> dict[str, str]:
    """The category of each image to test on."""
    found = [name for name in files.stamps if f"/{name}".endswith(f"/{_ANNOTATIONS}")]
    if not found:
        raise InputError(
            f"{files.path} has no {_ANNOTATIONS}, so it is not Tiny ImageNet as it was published; "
            f"{_GET}, and set ISOCORTEX_TINY_IMAGENET to root"
        )
    rows = [line.split("\t") for line in files.read(found[0]).decode().splitlines() if line]
    if short := [row for row in rows if len(row) < 2]:
        raise InputError(
            f"{files.path / found[0]} has a line {short[0][0]!r}; expected the name of an image, a "
            "tab and its category: unpack it again"
        )
    return {file: category for file, category, *_ in rows}
