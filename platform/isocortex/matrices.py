"""Dissimilarity matrices of recordings, made once for whoever shows them without any recording.

    home/matrices/NAME-VERSION/REGION.json     a `Matrix`

What was recorded as dissimilarities is averaged over subjects; of responses, 1 − r between the
patterns of all neuroids is taken, each averaged over its repeats. Both are averaged over time.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from . import registry, settings
from .errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from .recordings import Recording

MOST_STIMULI: Final = 120
"""Of more stimuli, so many are taken at equal steps."""


@dataclass(frozen=True)
class Matrix:
    """Dissimilarities between `stimuli`, which are some `of` all; `made` says what they are."""

    dataset: str
    region: str
    stimuli: tuple[str, ...]
    of: int
    made: str
    values: tuple[tuple[float, ...], ...]


def write_matrices(dataset: str, *, recording: "Recording | None" = None) -> tuple[Path, ...]:
    """The files of a dataset's matrices, one a region, which are made now.

    Loads the recordings, unless they are given. Choices have none. Raises UnknownNameError,
    FetchError.
    """
    from .benchmarks import load_dataset

    recording = recording or load_dataset(dataset)
    folder = _folder(dataset)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for region, measured in recording.regions.items():
        if "choice" not in measured.dims:
            matrix = matrix_of(dataset, region, measured)
            path = folder / f"{region}.json"
            path.write_text(json.dumps(asdict(matrix), ensure_ascii=False) + "\n")
            written.append(path)
    return tuple(written)


def matrix_of(dataset: str, region: str, measured: "xr.DataArray") -> Matrix:
    """The matrix of one region of a recording. Raises InputError for choices."""
    if "choice" in measured.dims:
        raise InputError(f"{dataset}/{region} holds choices; expected responses or dissimilarities")
    if "time" in measured.dims:
        measured = measured.mean("time")
    if "other_stimulus" in measured.dims:
        values = measured.mean("subject").values
        made = f"mean over {measured.sizes['subject']} subjects of the recorded dissimilarities"
    else:
        values = 1 - np.corrcoef(measured.mean("repeat", skipna=True).values)
        made = f"1 − r between the responses of {measured.sizes['neuroid']} neuroids"
    ids = [str(name) for name in measured.stimulus.values]
    chosen = np.unique(np.linspace(0, len(ids) - 1, min(len(ids), MOST_STIMULI)).astype(int))
    shown = values[np.ix_(chosen, chosen)]
    return Matrix(
        dataset=dataset,
        region=region,
        stimuli=tuple(ids[place] for place in chosen),
        of=len(ids),
        made=made,
        values=tuple(tuple(round(float(each), 4) for each in row) for row in shown),
    )


def read_matrix(dataset: str, region: str) -> Matrix | None:
    """The matrix of a dataset's region, or None if it was never made. Raises UnknownNameError."""
    path = _folder(dataset) / f"{region.partition('@')[0]}.json"
    if region not in _regions(dataset) or not path.is_file():
        return None
    facts: dict[str, Any] = json.loads(path.read_text())
    stimuli, values = tuple(facts.pop("stimuli")), facts.pop("values")
    return Matrix(**facts, stimuli=stimuli, values=tuple(map(tuple, values)))


def _regions(dataset: str) -> Iterator[str]:
    """The regions of a dataset's card, and those of its benchmarks with their bins of time."""
    card = registry.dataset_card(dataset)
    yield from card.regions
    yield from (region for region, _ in card.benchmarks)


def _folder(dataset: str) -> Path:
    card = registry.dataset_card(dataset)
    name = card.name.replace(":", "_").replace("/", "_")
    return settings.home() / "matrices" / f"{name}-{card.version}"
