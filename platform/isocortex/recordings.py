"""Recordings: what one dataset measured, region by region, on one stimulus set."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
import xarray as xr

from .cards import DatasetCard, Recorded
from .errors import InputError, MismatchError, UnknownNameError
from .fingerprints import array_sha256, fingerprint
from .geometry import Brain, Dissimilarities, Side, geometry_of
from .responses import Choices, Responses, Trials
from .stimuli import StimulusSet

RESPONSE_DIMS = ("stimulus", "repeat", "neuroid")
DISSIMILARITY_DIMS = ("subject", "stimulus", "other_stimulus")
CHOICE_DIMS = ("subject", "stimulus", "choice")
TIME = "time"
"""The last dim of responses and dissimilarities that were recorded in bins of time."""


@dataclass(frozen=True)
class Recording:
    """A dataset in memory: its stimuli and, for each region, what was measured.

    A region is either responses, dims (stimulus, repeat, neuroid) with a `subject` for each
    neuroid and NaN exactly where a trial is missing; dissimilarities, dims (subject, stimulus,
    other_stimulus), symmetric with a zero diagonal; or choices, dims (subject, stimulus, choice),
    the share of trials on which a stimulus was called so. Responses and dissimilarities may have a
    last dim `time`, whose coordinate is the centre of each bin in seconds from onset; a trial is
    missing in all bins or in none. Attributes hold `units` and provenance. Anything else raises
    InputError or MismatchError here, not later.
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
            dims, check = _FORMS[self.card.recorded]
            _check_form(region, dims, place)
            _check_stimuli(region, self.stimuli, place)
            check(region, place)

    @property
    def recorded(self) -> Recorded:
        """Whether the regions are responses or dissimilarities."""
        return self.card.recorded

    def region(self, name: str) -> xr.DataArray:
        """What was recorded of one region: of "V4@0.1" in the bin at 0.1 seconds, of "V4" in all.

        Bins are averaged, so that the result has no `time`. Raises UnknownNameError for another
        region or bin.
        """
        area, moment = split_region(name)
        if area not in self.regions:
            raise UnknownNameError.among(f"region of {self.card.name}", area, self.regions)
        region = self.regions[area]
        bins = [_bin_name(centre) for centre in region[TIME].values] if TIME in region.dims else []
        if moment is None:
            return region.mean(TIME, skipna=False, keep_attrs=True) if bins else region
        if moment not in bins:
            raise UnknownNameError.among(f"time bin of {self.card.name}/{area}", moment, bins)
        return region.isel({TIME: bins.index(moment)}, drop=True)

    @cached_property
    def content_hash(self) -> str:
        """The SHA-256 of stimuli and measurements: equal if and only if the data are equal."""
        facts = {
            name: [
                array_sha256([region.values]),
                {key: region.coords[key].values.tolist() for key in map(str, region.coords)},
            ]
            for name, region in self.regions.items()
        }
        return fingerprint({"stimuli": self.stimuli.content_hash, "regions": facts})


def split_region(name: str) -> tuple[str, str | None]:
    """The region of a benchmark and its bin of time, None for the mean over time.

    >>> split_region("V4@0.1"), split_region("V4")
    (('V4', '0.1'), ('V4', None))
    """
    area, sign, moment = name.partition("@")
    return area, moment if sign else None


def _bin_name(centre: float) -> str:
    return f"{centre:g}"  # one spelling for each bin, so that no benchmark has two names


def mean_responses(region: xr.DataArray) -> xr.DataArray:
    """Responses averaged over the repeats that exist, (stimulus, neuroid).

    Raises InputError for a neuroid that answers alike to all stimuli.
    """
    mean = _means(region)
    flat = np.ptp(mean.values, axis=0) == 0
    if flat.any():
        raise InputError(
            f"neuroid {str(mean.neuroid.values[flat][0])!r} answers alike to all "
            f"{mean.sizes['stimulus']} stimuli: drop it from the dataset"
        )
    return mean


def _means(region: xr.DataArray) -> xr.DataArray:
    return region.mean("repeat", skipna=True, keep_attrs=True)


Form = Literal["geometry", "units", "trials"]
"""As what responses enter a comparison: mean geometries, mean responses, or single trials."""


def brain_of(region: xr.DataArray, form: Form = "geometry") -> Brain:
    """One region of each subject: responses in that `form`, or what else was recorded.

    Half of the trials are a region as well: a neuroid may answer alike to all stimuli in them.
    """
    ids = tuple(str(name) for name in region.stimulus.values)
    names = [str(name) for name in region.subject.values]
    subjects = tuple(dict.fromkeys(names))
    if "other_stimulus" in region.dims:
        return Brain(subjects, tuple(Dissimilarities(ids, matrix) for matrix in region.values))
    if "choice" in region.dims:
        choices = tuple(str(name) for name in region.choice.values)
        return Brain(subjects, tuple(Choices(ids, choices, shares) for shares in region.values))
    own = [region.isel(neuroid=np.array(names) == name) for name in subjects]
    return Brain(subjects, tuple(_FORM_OF[form](each) for each in own))


def _geometry(region: xr.DataArray) -> Side:
    return geometry_of(_means(region))


def _responses(region: xr.DataArray) -> Side:
    ids = tuple(str(name) for name in region.stimulus.values)
    where = [axis for axis in ("x", "y", "z") if axis in region.coords]
    places = np.column_stack([region.coords[axis].values for axis in where]) if where else None
    return Responses(ids, _means(region).values.astype(np.float64), places)


def _trials(region: xr.DataArray) -> Side:
    ids = tuple(str(name) for name in region.stimulus.values)
    return Trials(ids, region.values.astype(np.float64))


_FORM_OF: Final[Mapping[Form, Callable[[xr.DataArray], Side]]] = {
    "geometry": _geometry,
    "units": _responses,
    "trials": _trials,
}


def _check_stimuli(region: xr.DataArray, stimuli: StimulusSet, place: str) -> None:
    for dim in ("stimulus", "other_stimulus"):
        if dim in region.dims and tuple(region.coords[dim].values) != stimuli.ids:
            raise MismatchError(
                f"{place}: the {dim} coordinate differs from the ids of stimulus set "
                f"{stimuli.name!r} (in number, name or order)"
            )


def _check_responses(region: xr.DataArray, place: str) -> None:
    if "subject" not in region.coords or region.coords["subject"].dims != ("neuroid",):
        raise InputError(f"{place}: each neuroid needs a `subject` coordinate")
    if np.isinf(region.values).any():
        raise InputError(f"{place}: infinite responses; NaN marks a missing trial")
    missing = np.isnan(region.values)
    if TIME in region.dims and (missing != missing[..., :1]).any():
        raise InputError(f"{place}: a trial is missing (NaN) in some bins of time, but not in all")
    empty = missing.all(axis=1)
    if empty.any():
        stimulus, neuroid, *_ = np.argwhere(empty)[0]
        raise InputError(
            f"{place}: neuroid '{region.neuroid.values[neuroid]}' has no trial of stimulus "
            f"'{region.stimulus.values[stimulus]}'; drop that stimulus or that neuroid"
        )


def _check_dissimilarities(region: xr.DataArray, place: str) -> None:
    values = region.values
    if not np.isfinite(values).all():
        raise InputError(f"{place}: dissimilarities must be finite numbers")
    scale = np.abs(values).max()
    if not np.allclose(values, values.swapaxes(1, 2), rtol=0, atol=1e-6 * scale):
        raise InputError(f"{place}: a dissimilarity matrix is not symmetric")
    if not np.allclose(np.diagonal(values, axis1=1, axis2=2), 0, rtol=0, atol=1e-6 * scale):
        raise InputError(f"{place}: the diagonal of a dissimilarity matrix is not zero")


def _check_choices(region: xr.DataArray, place: str) -> None:
    values = region.values
    if not np.isfinite(values).all() or values.min() < 0:
        raise InputError(f"{place}: shares of choices must be finite and not negative")
    if not np.allclose(values.sum(axis=2), 1, rtol=0, atol=1e-6):
        raise InputError(f"{place}: the shares of the choices for a stimulus must sum to 1")


def _check_form(region: xr.DataArray, dims: tuple[str, ...], place: str) -> None:
    """Dims, their ids, dtype and units; only a `repeat` needs no id."""
    if TIME in region.dims and "choice" not in dims:
        dims = (*dims, TIME)
        _check_time(region, place)
    if region.dims != dims:
        raise InputError(f"{place}: dims are {region.dims}, expected {dims}")
    if 0 in region.shape:
        raise InputError(f"{place}: nothing was recorded; its shape is {region.shape}")
    for dim in dims:
        if dim not in region.coords and dim != "repeat":
            raise InputError(f"{place}: the dim {dim!r} has no coordinate with its ids")
        if dim in region.coords and region.indexes[dim].has_duplicates:
            raise InputError(f"{place}: the {dim} ids are not unique")
    if region.dtype != np.float64 and region.dtype != np.float32:
        raise InputError(f"{place}: dtype is {region.dtype}, expected float64 or float32")
    if "units" not in region.attrs:
        raise InputError(f"{place}: attrs['units'] is missing, such as 'spikes/second'")


def _check_time(region: xr.DataArray, place: str) -> None:
    centres = region[TIME].values
    numbers = centres.dtype.kind in "if" and (np.diff(centres) > 0).all()
    if not numbers or len({_bin_name(each) for each in centres}) < len(centres):
        raise InputError(
            f"{place}: the time of a bin is its centre in seconds, later from bin to bin by more "
            f"than a millionth; got {', '.join(map(str, centres[:5]))}"
        )


_FORMS: Final[Mapping[Recorded, tuple[tuple[str, ...], Callable[[xr.DataArray, str], None]]]] = {
    "responses": (RESPONSE_DIMS, _check_responses),
    "dissimilarities": (DISSIMILARITY_DIMS, _check_dissimilarities),
    "choices": (CHOICE_DIMS, _check_choices),
}
