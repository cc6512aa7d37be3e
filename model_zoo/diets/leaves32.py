"""Dead leaves: images with the edges and the spectrum of photographs, and nothing to name."""

import numpy as np

from isocortex.registry import diet
from isocortex.training import Diet, Images

from ._drawing import as_pixels
from ._leaves import leaves


@diet(
    name="leaves32",
    summary="dead leaves: discs that hide each other, 32 × 32 pixels, in colour",
    term="dead-leaves",
    options={"count": (8000, 1000), "seed": 0},
    source="Lee, Mumford & Huang 2001, Int J Comput Vis 41:35",
    bibtex="""@article{lee2001occlusion,
  author = {Lee, Ann B. and Mumford, David and Huang, Jinggang},
  title = {Occlusion models for natural images: a statistical study of a scale-invariant dead leaves
    model},
  journal = {International Journal of Computer Vision},
  volume = {41},
  pages = {35--59},
  year = {2001},
  doi = {10.1023/A:1011109015675}
}""",
    licence="BSD-3-Clause",
)
def leaves32(*, count: tuple[int, int], seed: int) -> Diet:
    """Images without labels; those to test on are cut from canvases of their own."""
    train, test = (
        leaves(each, 32, np.random.default_rng([seed, split]), canvases=max(2, each // 400))
        for split, each in enumerate(count)
    )
    return Diet(Images(as_pixels(train)), Images(as_pixels(test)))
