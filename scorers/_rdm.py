"""Representational dissimilarities as vectors of pairs: the upper triangle, row by row."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from scipy.stats import rankdata

from isocortex.errors import IncompatibleError, InputError, UnknownNameError
from isocortex.geometry import Array, Dissimilarities, Geometry, Side, gather_geometry
from isocortex.responses import Responses
from isocortex.statistics import upper_triangle


def dissimilarity_vector(side: Side, dissimilarity: str = "pearson") -> Array:
    """The dissimilarity of each pair of stimuli, (n(n−1)/2,): as recorded, or of the geometry.

    Raises UnknownNameError for a dissimilarity that is not in `DISSIMILARITIES`.
    """
    if dissimilarity not in DISSIMILARITIES:
        raise UnknownNameError.among("dissimilarity", dissimilarity, DISSIMILARITIES)
    if isinstance(side, Geometry):
        return upper_triangle(DISSIMILARITIES[dissimilarity](side))
    if isinstance(side, Dissimilarities):
        return upper_triangle(side.matrix)
    raise IncompatibleError(
        f"a {dissimilarity} dissimilarity needs a geometry; got {type(side).__name__}"
    )


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


def cosine_dissimilarities(geometry: Geometry) -> Array:
    """1 − the cosine of the responses to each pair of stimuli, (n, n), from 0 to 2.

    Raises InputError where no unit answers to a stimulus: it has no direction.
    """
    products = geometry.uncentred_gram()
    norms = np.sqrt(np.diagonal(products))
    if (norms == 0).any():
        raise InputError(
            f"no unit answers to stimulus {geometry.ids[int(np.flatnonzero(norms == 0)[0])]!r}: a "
            "cosine dissimilarity does not exist; leave out that stimulus or that layer"
        )
    dissimilarities: Array = 1 - products / np.outer(norms, norms)
    return dissimilarities


def squared_euclidean_dissimilarities(geometry: Geometry) -> Array:
    """The mean over units of the squared difference of each pair of stimuli, (n, n).

    It is the squared Euclidean distance divided by the number of units, as in rsatoolbox. What
    rounding leaves of two equal responses is set to 0.
    """
    squares = np.diagonal(geometry.gram)
    sums = squares[:, None] + squares
    distances = sums - 2 * geometry.gram
    distances[distances <= 1e-14 * sums] = 0
    between_means = np.subtract.outer(geometry.means, geometry.means) ** 2
    return np.asarray(distances / geometry.units + between_means)


def euclidean_dissimilarities(geometry: Geometry) -> Array:
    """The root of `squared_euclidean_dissimilarities`, (n, n): the root mean square difference."""
    return np.sqrt(squared_euclidean_dissimilarities(geometry))


DISSIMILARITIES: Final[Mapping[str, Callable[[Geometry], Array]]] = {
    "pearson": pearson_dissimilarities,
    "cosine": cosine_dissimilarities,
    "euclidean": euclidean_dissimilarities,
    "squared-euclidean": squared_euclidean_dissimilarities,
}
"""What follows from a geometry. Spearman's ρ over units follows from that of their ranks."""


def rank_geometry(responses: Responses) -> Geometry:
    """The geometry of the ranks of the units for each stimulus: its Pearson's r is Spearman's ρ.

    Equal responses share their mean rank. Cost: the sorting of n rows of p units, and n²p.
    """
    ranks = np.array([rankdata(each) for each in responses.values])
    return gather_geometry(responses.ids, ranks, name="ranks of units")


def square_matrices(vectors: Array) -> Array:
    """Symmetric matrices (side, n, n) with a zero diagonal, of vectors of pairs (side, pair)."""
    stimuli = round((1 + (1 + 8 * vectors.shape[1]) ** 0.5) / 2)
    matrices = np.zeros((len(vectors), stimuli, stimuli))
    first, second = np.triu_indices(stimuli, k=1)
    matrices[:, first, second] = vectors
    matrices[:, second, first] = vectors
    return matrices
