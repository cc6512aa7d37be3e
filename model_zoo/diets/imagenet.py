"""ImageNet: 1.3 million photographs of a thousand kinds of things."""

from typing import Final

from isocortex.errors import InputError
from isocortex.registry import diet
from isocortex.training import Diet, by_folder, open_files, photograph_diet

from ._own import own_images

_HALVES: Final = {"train", "val"}


@diet(
    variants={
        "imagenet": {
            "summary": "1.3 million photographs of a thousand kinds, 64 × 64, from your own copy",
            "options": {"side": 64},
        },
        "imagenet-32": {
            "summary": "imagenet, scaled to 32 × 32 pixels",
            "options": {"side": 32},
        },
        "imagenet-128": {
            "summary": "imagenet, scaled to 128 × 128 pixels",
            "options": {"side": 128},
        },
    },
    term="imagenet-1k",
    offers=("labels",),
    source="Russakovsky et al. 2015, Int J Comput Vis 115:211",
    bibtex="""@article{russakovsky2015imagenet,
  author = {Russakovsky, Olga and Deng, Jia and Su, Hao and Krause, Jonathan and Satheesh, Sanjeev
    and Ma, Sean and Huang, Zhiheng and Karpathy, Andrej and Khosla, Aditya and Bernstein, Michael
    and Berg, Alexander C. and Fei-Fei, Li},
  title = {{ImageNet} large scale visual recognition challenge},
  journal = {International Journal of Computer Vision},
  volume = {115},
  pages = {211--252},
  year = {2015},
  doi = {10.1007/s11263-015-0816-y}
}""",
    licence="research only, see image-net.org",
)
def imagenet(*, side: int) -> Diet:
    """The images that the setting ISOCORTEX_IMAGENET points to, as torchvision lays them out.

    They are in folders train/<category> and val/<category>, of which the latter are to test on;
    categories are WordNet's numbers in their order, as torchvision counts them. The middle square
    is scaled to `side`, once: 16 GB are kept in the home folder at 64 pixels, a quarter of it at
    32 and four times as much at 128. Raises InputError where a half is not there.
    """
    get = "sort its archives into root by torchvision.datasets.ImageNet(root)"
    path = own_images("imagenet", "ImageNet", get)
    with open_files(path) as files:
        names = [name for name in files.images() if _half(name) in _HALVES]
        if {_half(name) for name in names} != _HALVES:
            raise InputError(
                f"{path} lacks images in train/<category> or in val/<category>; let "
                "torchvision.datasets.ImageNet(root) and (root, split='val') sort its archives"
            )
        return photograph_diet(files, by_folder(names), side=side)


def _half(name: str) -> str:
    """What the folder of an image's category is in; empty where it is in none."""
    return "".join(name.split("/")[-3:-2])
