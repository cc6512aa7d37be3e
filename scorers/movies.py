"""Representations in time: dissimilarities bin by bin, and when a model is like the brain.

No entry stands here: a benchmark scores one bin of time by name, as in `dataset/V4@0.1/rsa`.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import xarray as xr

from isocortex.errors import InputError, MismatchError, UnknownNameError
from isocortex.geometry import Array, Brain, Dissimilarities, Side, geometry_of
from isocortex.responses import Trials

from ._compared import compared, of_brain, of_models
from ._rdm import DISSIMILARITIES, pearson_dissimilarities, rank_geometry
from ._trials import TRIAL_DISSIMILARITIES


def rdm_movie(
    responses: xr.DataArray, *, dissimilarity: str = "pearson", noise: str = "shrinkage_diag"
) -> xr.DataArray:
    """The dissimilarities of all pairs in each bin of time: (time, stimulus, other_stimulus).

    `responses` have the dims stimulus, neuroid, time and, where trials were repeated, repeat, with
    NaN where one is missing. `dissimilarity` is "pearson", "spearman", "cosine", "euclidean" or
    "squared-euclidean" of the means over repeats; or, of single trials, "crossnobis", "mahalanobis"
    or "decoding", whose `noise` is estimated anew in each bin ("none", "diag", "shrinkage_diag",
    "shrinkage_eye" or "full"). Cost: that of one bin, for each. Raises UnknownNameError for an
    option, InputError for other dims, infinite responses or too few trials.

    >>> bins = {"time": [0.1, 0.2], "stimulus": ["a", "b", "c"]}
    >>> x = xr.DataArray(np.eye(3)[..., None] * [1, 2], bins, ("stimulus", "neuroid", "time"))
    >>> rdm_movie(x, dissimilarity="squared-euclidean").sel(stimulus="a", other_stimulus="b").values
    array([0.66666667, 2.66666667])
    """
    known = (*DISSIMILARITIES, "spearman", *TRIAL_DISSIMILARITIES)
    if dissimilarity not in known:
        raise UnknownNameError.among("dissimilarity", dissimilarity, known)
    matrices = [_measure(each, dissimilarity, noise) for each in _bins_of_trials(responses)]
    ids = [str(name) for name in responses.stimulus.values]
    return xr.DataArray(
        np.array(matrices),
        dims=("time", "stimulus", "other_stimulus"),
        coords={"time": responses.time.values, "stimulus": ids, "other_stimulus": ids},
        attrs={"units": dissimilarity},
    )


def rsa_movie(
    model: Side,
    movie: xr.DataArray,
    *,
    dissimilarity: str = "pearson",
    comparison: str = "spearman",
) -> xr.DataArray:
    """How alike the dissimilarities of a model and those of each bin are: (time, subject).

    `movie` has the dims time, stimulus, other_stimulus and, of several subjects, subject, in any
    order, and the stimuli of the model in theirs. The model's `dissimilarity` and the `comparison`
    are those of `rsa`, whose errors are raised. One call compares all bins.
    """
    movie = _with_subjects(movie)
    similarity = _similarity([model], _brain(movie), dissimilarity, comparison=comparison)
    return xr.DataArray(
        similarity.reshape(movie.shape[:2]),
        dims=("time", "subject"),
        coords={"time": movie.time.values, "subject": movie.subject.values},
    )


def time_generalisation(
    movie: xr.DataArray, other: xr.DataArray | None = None, *, comparison: str = "spearman"
) -> xr.DataArray:
    """How alike the dissimilarities of two times are, for all pairs: (time, other_time).

    High values off the diagonal mean a geometry that lasts or comes back. Of one and the same
    `movie` the noise of a bin is on both sides, and the diagonal is 1; an `other` movie of other
    trials or another subject is free of that. Of several subjects, each is compared with itself:
    (subject, time, other_time). Raises MismatchError for other stimuli, and what `rsa` raises.
    """
    first, second = (_with_subjects(each) for each in (movie, movie if other is None else other))
    if list(first.subject.values) != list(second.subject.values):
        raise MismatchError("the two movies are of other subjects, or in another order")
    similarity = [
        _similarity(_brain(first[:, [own]]).sides, _brain(second[:, [own]]), comparison=comparison)
        for own in range(first.sizes["subject"])
    ]
    generalised = xr.DataArray(
        np.array(similarity),
        dims=("subject", "time", "other_time"),
        coords={
            "subject": first.subject.values,
            "time": first.time.values,
            "other_time": second.time.values,
        },
    )
    return generalised if "subject" in movie.dims else generalised.isel(subject=0, drop=True)


def _similarity(
    models: Sequence[Side], brain: Brain, dissimilarity: str = "pearson", *, comparison: str
) -> Array:
    modelled, recorded = of_models(models, brain, dissimilarity), of_brain(brain, dissimilarity)
    return compared(modelled, recorded, comparison)


def _with_subjects(movie: xr.DataArray) -> xr.DataArray:
    """The movie in one order of dims, its only subject named "all" where it names none."""
    missing = set(_MOVIE_DIMS) - set(movie.dims) - {"subject"}
    if missing or movie.ndim > len(_MOVIE_DIMS):
        raise InputError(f"a movie has dims {movie.dims}, expected {_MOVIE_DIMS} or no subject")
    if list(movie.stimulus.values) != list(movie.other_stimulus.values):
        raise MismatchError(
            "the stimuli of a movie differ from its other_stimuli; select and order both dims alike"
        )
    named = movie if "subject" in movie.dims else movie.expand_dims(subject=["all"])
    return named.transpose(*_MOVIE_DIMS)


_MOVIE_DIMS: Final = ("time", "subject", "stimulus", "other_stimulus")


def _brain(movie: xr.DataArray) -> Brain:
    """Each bin of each subject, in that order, as a subject of its own."""
    ids = tuple(str(name) for name in movie.stimulus.values)
    names = [
        f"{subject} at {time:g} seconds"
        for time in movie.time.values
        for subject in movie.subject.values
    ]
    matrices = movie.values.reshape(-1, len(ids), len(ids))
    return Brain(tuple(names), tuple(Dissimilarities(ids, matrix) for matrix in matrices))


def _bins_of_trials(responses: xr.DataArray) -> Iterator[Trials]:
    """The trials in each bin of time; of responses without repeats, the only one."""
    missing = {"stimulus", "neuroid", "time"} - set(responses.dims)
    if missing or set(responses.dims) - set(_RESPONSE_DIMS):
        raise InputError(
            f"responses have dims {responses.dims}, expected {_RESPONSE_DIMS} or no repeat"
        )
    if np.isinf(responses.values).any():
        raise InputError("infinite responses; NaN marks a missing trial")
    ids = tuple(str(name) for name in responses.stimulus.values)
    trials = responses if "repeat" in responses.dims else responses.expand_dims("repeat")
    for values in trials.transpose("time", "stimulus", "repeat", "neuroid").values:
        yield Trials(ids, values.astype(np.float64))


_RESPONSE_DIMS: Final = ("stimulus", "repeat", "neuroid", "time")


def _measure(trials: Trials, dissimilarity: str, noise: str) -> Array:
    if dissimilarity in TRIAL_DISSIMILARITIES:
        return TRIAL_DISSIMILARITIES[dissimilarity](trials, noise)
    mean = trials.mean()
    if dissimilarity == "spearman":
        return pearson_dissimilarities(rank_geometry(mean))
    return DISSIMILARITIES[dissimilarity](geometry_of(mean))
