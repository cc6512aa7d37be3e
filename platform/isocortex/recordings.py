"""Recordings: what one dataset measured, region by region, on one stimulus set."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr

from .cards import DatasetCard, Recorded
from .errors import InputError, MismatchError, UnknownNameError
from .fingerprints import array_sha256, fingerprint
from .stimuli import StimulusSet

RESPONSE_DIMS = ("stimulus", "repeat", "neuroid")
DISSIMILARITY_DIMS = ("subject", "stimulus", "other_stimulus")


@dataclass(frozen=True)
class Recording:
    """A dataset in memory: its stimuli and, for each region, what was measured.

    A region is either responses, dims (stimulus, repeat, neuroid) with a `subject` for each
    neuroid and NaN exactly where a trial is missing, or dissimilarities, dims (subject, stimulus,
    other_stimulus), symmetric with a zero diagonal. Attributes hold `units` and provenance.
    Anything else raises InputError or MismatchError here, not later.
    """

    card: DatasetCard
    stimuli: StimulusSet
    regions: Mapping[str, xr.DataArray]

    def __post_init__(self) -> None:
        if set(self.regions) != set(self.card.regions):
            raise MismatchError(
                f"dataset {self.card.name!r}: the card names the regions {self.card.regions}, "
                f"the recording holds {tuple(self.regions)}"
            )
        for name, region in self.regions.items():
            place = f"dataset {self.card.name!r}, region {name!r}"
            _check_stimuli(region, self.stimuli, place)
            if self.card.recorded == "responses":
                _check_responses(region, place)
            else:
                _check_dissimilarities(region, place)

    @property
    def recorded(self) -> Recorded:
        """Whether the regions are responses or dissimilarities."""
        return self.card.recorded

    def region(self, name: str) -> xr.DataArray:
        """The responses or dissimilarities of one region. Raises UnknownNameError."""
        if name not in self.regions:
            raise UnknownNameError.among(f"region of {self.card.name}", name, self.regions)
        return self.regions[name]

    @cached_property
    def content_hash(self) -> str:
        """The SHA-256 of stimuli and measurements: equal if and only if the data are equal."""
        facts = {
            name: [
                array_sha256([region.values]),
                {str(key): region.coords[key].values.tolist() for key in sorted(region.coords)},
            ]
            for name, region in self.regions.items()
        }
        return fingerprint({"stimuli": self.stimuli.content_hash, "regions": facts})


def _check_stimuli(region: xr.DataArray, stimuli: StimulusSet, place: str) -> None:
    for dim in ("stimulus", "other_stimulus"):
        if dim in region.dims and tuple(region.coords[dim].values) != stimuli.ids:
            raise MismatchError(
                f"{place}: the {dim} coordinate differs from the ids of stimulus set "
                f"{stimuli.name!r} (in number, name or order)"
            )


def _check_responses(region: xr.DataArray, place: str) -> None:
    _check_dims(region, RESPONSE_DIMS, place)
    if "subject" not in region.coords or region.coords["subject"].dims != ("neuroid",):
        raise InputError(f"{place}: each neuroid needs a `subject` coordinate")
    if region.indexes["neuroid"].has_duplicates:
        raise InputError(f"{place}: the neuroid ids are not unique")
    if np.isinf(region.values).any():
        raise InputError(f"{place}: infinite responses; NaN marks a missing trial")
    missing = np.isnan(region.values)
    empty = missing.all(axis=1)
    if empty.any():
        stimulus, neuroid = np.argwhere(empty)[0]
        raise InputError(
            f"{place}: neuroid {region.neuroid.values[neuroid]!r} has no trial of stimulus "
            f"{region.stimulus.values[stimulus]!r}; drop that stimulus or that neuroid"
        )


def _check_dissimilarities(region: xr.DataArray, place: str) -> None:
    _check_dims(region, DISSIMILARITY_DIMS, place)
    values = region.values
    if not np.isfinite(values).all():
        raise InputError(f"{place}: dissimilarities must be finite numbers")
    scale = np.abs(values).max()
    if not np.allclose(values, values.transpose(0, 2, 1), rtol=0, atol=1e-6 * scale):
        raise InputError(f"{place}: a dissimilarity matrix is not symmetric")
    if not np.allclose(np.diagonal(values, axis1=1, axis2=2), 0, rtol=0, atol=1e-6 * scale):
        raise InputError(f"{place}: the diagonal of a dissimilarity matrix is not zero")


def _check_dims(region: xr.DataArray, dims: tuple[str, ...], place: str) -> None:
    if region.dims != dims:
        raise InputError(f"{place}: dims are {region.dims}, expected {dims}")
    if region.dtype != np.float64 and region.dtype != np.float32:
        raise InputError(f"{place}: dtype is {region.dtype}, expected float64 or float32")
    if "units" not in region.attrs:
        raise InputError(f"{place}: attrs['units'] is missing, such as 'spikes/second'")
