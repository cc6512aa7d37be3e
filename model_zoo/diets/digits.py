"""Digits: small enough to test on; a random network already reads them out at 95 %."""

import numpy as np

from isocortex.registry import diet
from isocortex.training import Diet, Images


@diet(
    variants={
        "digits": {
            "summary": "1,797 handwritten digits of 8 × 8 pixels: for tests of correctness only",
        },
        "digits-blocked": {
            "summary": "digits, 0 to 4 in the first half of training and 5 to 9 in the second",
            "options": {"periods": 2},
        },
    },
    term="digits",
    offers=("labels",),
    source="Alpaydin & Kaynak 1998, UCI Machine Learning Repository, doi:10.24432/C50P49",
    bibtex="""@misc{alpaydin1998optical,
  author = {Alpaydin, E. and Kaynak, C.},
  title = {Optical Recognition of Handwritten Digits},
  year = {1998},
  howpublished = {UCI Machine Learning Repository},
  doi = {10.24432/C50P49}
}""",
    licence="CC BY 4.0",
)
def digits(*, periods: int = 0) -> Diet:
    """The digits of scikit-learn, every fourth of them to test on.

    With `periods` training sees as many groups of categories one after the other.
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    grey = np.round(found.images * (255 / 16)).astype(np.uint8)
    pixels = np.repeat(grey[..., None], 3, axis=-1)
    tested = np.arange(len(pixels)) % 4 == 3
    labels = found.target.astype(np.intp)
    groups = np.array_split(np.arange(10), periods) if periods else []
    return Diet(
        Images(pixels[~tested], labels[~tested]),
        Images(pixels[tested], labels[tested]),
        tuple(str(name) for name in found.target_names),
        tuple(np.flatnonzero(np.isin(labels[~tested], group)) for group in groups),
    )
