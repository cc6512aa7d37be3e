"""Representational dissimilarities as vectors of pairs: the upper triangle, row by row."""

import numpy as np

from isocortex.errors import InputError
from isocortex.geometry import Array, Geometry, Side
from isocortex.statistics import upper_triangle


def dissimilarity_vector(side: Side) -> Array:
    """The dissimilarity of each pair of stimuli, (n(n−1)/2,): as recorded, or 1 − Pearson's r."""
    if isinstance(side, Geometry):
        return upper_triangle(pearson_dissimilarities(side))
    return upper_triangle(side.matrix)


def pearson_dissimilarities(geometry: Geometry) -> Array:
    """1 − Pearson's r over units, for each pair of stimuli, (n, n), from 0 to 2.

    Raises InputError where a stimulus makes all units answer alike: r does not exist there.
    """
    norms = np.sqrt(np.diagonal(geometry.gram))
    flat = norms <= 1e-12 * np.abs(geometry.means) * geometry.units**0.5
    if flat.any():
        raise InputError(
            f"all {geometry.units} units answer alike to stimulus "
            f"{geometry.ids[int(np.flatnonzero(flat)[0])]!r}: a Pearson dissimilarity does not "
            "exist; leave out that stimulus or that layer"
        )
    dissimilarities: Array = 1 - geometry.gram / np.outer(norms, norms)
    return dissimilarities
