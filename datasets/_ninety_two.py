"""The 92 object photographs of Kriegeskorte et al. (2008), which several papers have shown."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

WIDTH_DEGREES: Final = 2.9
"""Their width as the human subjects of both papers saw them; the monkeys saw about 7 degrees."""

_CATEGORIES: Final = (
    *["human bodypart"] * 12,
    *["human face"] * 12,
    *["nonhuman bodypart"] * 12,
    *["nonhuman face"] * 12,
    *["natural inanimate"] * 23,
    *["artificial inanimate"] * 21,
)

OBJECT_IDS: Final = tuple(
    f"{number:02d}-{category.replace(' ', '-')}" for number, category in enumerate(_CATEGORIES, 1)
)
"""An id for each object, such as `13-human-face`, in the order of all published matrices."""


def object_metadata() -> dict[str, list[Any]]:
    """The category of each object, and whether it is human, a face, of an animal, natural."""
    return {
        "category": list(_CATEGORIES),
        "human": [name.startswith("human") for name in _CATEGORIES],
        "face": [name.endswith("face") for name in _CATEGORIES],
        "animal": [not name.endswith("inanimate") for name in _CATEGORIES],
        "natural": [not name.startswith("artificial") for name in _CATEGORIES],
    }


def object_dissimilarities(
    matrices: npt.ArrayLike, subjects: Sequence[str], *, units: str, provenance: str
) -> xr.DataArray:
    """Dissimilarities of the objects, dims (subject, stimulus, other_stimulus), float64.

    `matrices` is (subject, 92, 92).
    """
    return xr.DataArray(
        np.asarray(matrices, dtype=np.float64),
        dims=("subject", "stimulus", "other_stimulus"),
        coords={
            "subject": list(subjects),
            "stimulus": list(OBJECT_IDS),
            "other_stimulus": list(OBJECT_IDS),
        },
        attrs={"units": units, "provenance": provenance},
    )
