"""Dissimilarity matrices of recordings and of layers, for whoever shows them without either.

    home/matrices/NAME-VERSION/REGION.json     a `Matrix` of a recording, made once
    layer_rdm in the detail of a score         that of the layer which speaks for the network

What was recorded as dissimilarities is averaged over subjects; of responses, 1 − r between the
patterns of all neuroids is taken, each averaged over its repeats. Both are averaged over time. Of a
layer it is 1 − r between the patterns of all units, on the same stimuli in the same order.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from . import registry, settings
from .errors import InputError
from .geometry import Geometry, Positions, Side, geometry_of
from .responses import Responses

if TYPE_CHECKING:
    from .recordings import Recording

MOST_STIMULI: Final = 120
"""Of more stimuli, so many are taken at equal steps."""


@dataclass(frozen=True)
class Matrix:
    """Dissimilarities between `stimuli`, which are some `of` all; `made` says what they are.

    NaN is the dissimilarity of a stimulus to which all units of a layer answer alike.
    """

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


def shown_positions(count: int) -> Positions:
    """Which of `count` stimuli a matrix shows: all, or `MOST_STIMULI` at equal steps."""
    shown = np.linspace(0, count - 1, min(count, MOST_STIMULI)).astype(np.intp)
    return np.asarray(np.unique(shown))


def matrix_of(dataset: str, region: str, measured: xr.DataArray) -> Matrix:
    """The matrix of one region of a recording. Raises InputError for choices."""
    if "choice" in measured.dims:
        raise InputError(f"{dataset}/{region} holds choices; expected responses or dissimilarities")
    if "time" in measured.dims:
        measured = measured.mean("time")
    if "other_stimulus" in measured.dims:
        values = measured.mean("subject").values
        subjects = measured.sizes["subject"]
        over = f"mean over {subjects} subjects of the " if subjects > 1 else ""
        made = f"{over}recorded dissimilarities"
    else:
        values = 1 - np.corrcoef(measured.mean("repeat", skipna=True).values)
        made = f"1 − r between the responses of {measured.sizes['neuroid']} neuroids"
    ids = [str(name) for name in measured.stimulus.values]
    chosen = shown_positions(len(ids))
    shown = values[np.ix_(chosen, chosen)]
    return Matrix(
        dataset=dataset,
        region=region,
        stimuli=tuple(ids[place] for place in chosen),
        of=len(ids),
        made=made,
        values=tuple(tuple(round(float(each), 4) for each in row) for row in shown),
    )


def layer_rdm(side: Side, ids: Sequence[str]) -> dict[str, xr.Variable]:
    """What a score's detail keeps of a layer, of whose stimuli `ids` is the recording's order.

    `layer_rdm` (pair) in float32: 1 − r between the answers of all units to each pair i < j of the
    stimuli that `matrix_of` shows, row by row; NaN where all units answer alike to one of them.
    `rdm_stimulus` (rdm_stimulus): their ids. Empty for a side that is neither geometry nor
    responses.
    """
    if not isinstance(side, (Geometry, Responses)):
        return {}
    where = {name: position for position, name in enumerate(side.ids)}
    shown = [ids[place] for place in shown_positions(len(ids))]
    chosen = side.select(np.array([where[name] for name in shown], dtype=np.intp))
    geometry = geometry_of(chosen) if isinstance(chosen, Responses) else chosen
    return {
        "layer_rdm": xr.Variable("pair", _pattern_dissimilarities(geometry), {"units": _ONE_MINUS}),
        "rdm_stimulus": xr.Variable("rdm_stimulus", shown),
    }


_ONE_MINUS: Final = "1 - Pearson r"


def _pattern_dissimilarities(geometry: Geometry) -> npt.NDArray[np.float32]:
    """1 − r of the pairs of stimuli i < j, row by row."""
    norms = np.sqrt(np.diagonal(geometry.gram))
    flat = norms <= 1e-12 * np.abs(geometry.means) * geometry.units**0.5  # rounding of the means
    norms = np.where(flat, np.nan, norms)
    first, second = np.triu_indices(len(norms), k=1)
    correlations = geometry.gram[first, second] / (norms[first] * norms[second])
    return np.asarray(1 - correlations, dtype=np.float32)


def layer_matrix(detail: xr.Dataset, layer: str, *, benchmark: str, of: int) -> Matrix | None:
    """The matrix of the `layer` that a score reports, or None if its detail keeps none.

    The score is of this `benchmark`, which has so many stimuli (`of`). What a worker elsewhere sent
    that fits no stimuli is none.
    """
    rdm, stimuli = (
        detail[name].values if name in detail else np.empty(0)
        for name in ("layer_rdm", "rdm_stimulus")
    )
    count = len(stimuli)
    if not 2 <= count <= MOST_STIMULI or rdm.shape != (count * (count - 1) // 2,):
        return None
    dataset, region, _ = benchmark.split("/")
    values = np.zeros((count, count))
    values[np.triu_indices(count, k=1)] = rdm
    values += values.T
    return Matrix(
        dataset=dataset,
        region=region,
        stimuli=tuple(map(str, stimuli)),
        of=of,
        made=f"1 − r between the answers of {_units_of(detail, layer)} in {layer}",
        values=tuple(map(tuple, values.tolist())),
    )


def _units_of(detail: xr.Dataset, layer: str) -> str:
    """How many units were read of a layer, and whether all of them were, in words."""
    names = [str(name) for name in detail["layer"].values] if "layer" in detail.coords else []
    facts = {
        name: int(detail[f"layer_{name}"].values[names.index(layer)])
        for name in ("units", "units_read", "projected_to")
        if layer in names and f"layer_{name}" in detail
    }
    units, read = facts.get("units", 0), facts.get("units_read", 0)
    if 0 < read < units:
        return f"{read:,} of {units:,} units, a random sample,"
    told = f"{units:,} units" if units else "all units"
    if projected := facts.get("projected_to", 0):
        return f"{told}, estimated from a random projection to {projected:,} dimensions,"
    return told


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
