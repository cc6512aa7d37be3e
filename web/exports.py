"""Leaderboards and scores as files: CSV, JSON, NDJSON, Parquet, NetCDF and BibTeX, as streams."""

import csv
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Final, Literal

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydantic_core import to_json

from isocortex import ontology
from isocortex.store import Leaderboard, LeaderboardRow, StoredScore

from .citations import bibliography

if TYPE_CHECKING:
    import xarray as xr

Suffix = Literal["csv", "json", "ndjson", "parquet", "nc", "bib"]
Line = Mapping[str, Any]

MEDIA_TYPES: Final[Mapping[Suffix, str]] = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "nc": "application/x-netcdf",
    "bib": "text/x-bibtex; charset=utf-8",
}
_AT_ONCE: Final = 2_000
_SPOOLED: Final = 16 * 2**20
_NUMBERS: Final = ("raw", "low", "high", "confidence", "value", "value_low", "value_high")
_SCORE: Final = (*_NUMBERS, "layer", "candidate_fingerprint", "benchmark_fingerprint")
_STANDING: Final = ("rank", "rank_low", "rank_high", "mean", "mean_low", "mean_high")


ROWS: Final[tuple[Suffix, ...]] = ("csv", "json", "ndjson", "parquet")
"""The formats that hold a line for each score."""


def wanted_suffix(request: Request, offered: Sequence[Suffix]) -> Suffix | None:
    """The format that `Accept` asks for before any other; None for the API's own JSON."""
    first = request.headers.get("accept", "").partition(",")[0].partition(";")[0].strip().lower()
    for suffix in offered:
        if suffix != "json" and first == MEDIA_TYPES[suffix].partition(";")[0]:
            return suffix
    return None


def file_responses(*suffixes: Suffix, with_json: bool = True) -> dict[int | str, dict[str, Any]]:
    """What a route declares that answers files in these formats."""
    content: dict[str, Any] = {
        MEDIA_TYPES[suffix].partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
        for suffix in suffixes
        if suffix != "json"
    }
    if with_json and "json" in suffixes:
        content["application/json"] = {"schema": {"type": "array", "items": {"type": "object"}}}
    return {200: {"description": "What was asked for; files come as streams.", "content": content}}


def leaderboard_file(board: Leaderboard, suffix: Suffix, *, models: Sequence[str]) -> Response:
    """The whole leaderboard in this format; `models` are those that BibTeX cites."""
    if suffix == "bib":
        content: Iterable[bytes] = [bibliography(board, models).encode()]
    elif suffix == "nc":
        content = [_netcdf(board)]
    else:
        content = _WRITERS[suffix](leaderboard_lines(board))
    return _answer(content, suffix, "isocortex-leaderboard")


def scores_file(scores: Sequence[StoredScore], suffix: Suffix) -> Response:
    """These scores in this format, one of `csv`, `json`, `ndjson` and `parquet`."""
    return _answer(_WRITERS[suffix](map(_score_line, scores)), suffix, "isocortex-scores")


def leaderboard_csv(board: Leaderboard) -> str:
    """The leaderboard as CSV with a header line; what is missing is an empty field."""
    return b"".join(_csv(leaderboard_lines(board))).decode()


def leaderboard_lines(board: Leaderboard) -> Iterator[Line]:
    """One line for each model and benchmark."""
    for row in board.rows:
        model = _model(row)
        for name, score in sorted(row.scores.items()):
            yield {
                **model,
                "benchmark": name,
                "simulated": board.simulated,
                **{key: getattr(score, key) for key in _SCORE},
                **_ceiling(score),
            }


def _answer(content: Iterable[bytes], suffix: Suffix, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.{suffix}"'}
    return StreamingResponse(content, media_type=MEDIA_TYPES[suffix], headers=headers)


def _model(row: LeaderboardRow) -> dict[str, Any]:
    return {
        "model": row.candidate,
        **{axis: row.card[axis] for axis in ontology.AXES},
        "evidence": row.evidence,
        "parameters": row.parameters,
        **{key: getattr(row.standing, key, None) for key in _STANDING},
    }


def _score_line(score: StoredScore) -> Line:
    return {
        "id": score.id,
        "model": score.candidate,
        "evidence": score.evidence,
        "benchmark": score.benchmark,
        **{key: getattr(score, key) for key in _SCORE},
        **_ceiling(score),
        "seed": score.seed,
        "scored_at": score.scored_at.isoformat(),
    }


def _ceiling(score: StoredScore) -> dict[str, float | None]:
    ceiling = score.ceiling
    return {
        "ceiling_lower": None if ceiling is None else ceiling.lower,
        "ceiling_upper": None if ceiling is None else ceiling.upper,
    }


def _batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    remaining = iter(lines)
    while batch := list(islice(remaining, _AT_ONCE)):
        yield batch


def _csv(lines: Iterable[Line]) -> Iterator[bytes]:
    writer, text = None, io.StringIO()
    for batch in _batches(lines):
        if writer is None:
            writer = csv.DictWriter(text, list(batch[0]), lineterminator="\n")
            writer.writeheader()
        writer.writerows({key: _harmless(value) for key, value in line.items()} for line in batch)
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()


def _ndjson(lines: Iterable[Line]) -> Iterator[bytes]:
    for batch in _batches(lines):
        yield b"".join(to_json(line) + b"\n" for line in batch)


def _json(lines: Iterable[Line]) -> Iterator[bytes]:
    begun = False
    for batch in _batches(lines):
        yield (b"," if begun else b"[") + to_json(batch)[1:-1]
        begun = True
    yield b"]" if begun else b"[]"


def _parquet(lines: Iterable[Line]) -> Iterator[bytes]:
    import pyarrow
    import pyarrow.parquet

    with tempfile.SpooledTemporaryFile(_SPOOLED) as file:
        writer = None
        for batch in _batches(lines):
            if writer is None:
                schema = pyarrow.schema([(key, _arrow(pyarrow, key)) for key in batch[0]])
                writer = pyarrow.parquet.ParquetWriter(file, schema, compression="zstd")
            writer.write_table(pyarrow.Table.from_pylist(list(batch), schema=writer.schema))
        if writer is None:
            pyarrow.parquet.write_table(pyarrow.table({}), file)
        else:
            writer.close()
        yield from _chunks(file)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(2**16):
        yield chunk


def _arrow(pyarrow: Any, name: str) -> Any:
    if name in (*_NUMBERS, "mean", "mean_low", "mean_high", "ceiling_lower", "ceiling_upper"):
        return pyarrow.float64()
    if name in ("id", "seed", "parameters", "rank", "rank_low", "rank_high"):
        return pyarrow.int64()
    return pyarrow.bool_() if name == "simulated" else pyarrow.string()


def _netcdf(board: Leaderboard) -> bytes:
    """Models × benchmarks, NaN where there is no score."""
    import xarray as xr

    from isocortex.store.leaderboards import values_at

    dims = ("model", "benchmark")
    columns, positions = board.columns, board.positions
    numbers: dict[str, Any] = {
        key: (dims, values_at(columns, key, positions))
        for key in (*_NUMBERS, "ceiling_lower", "ceiling_upper")
    }
    for key in _STANDING:
        listed = [_or_nan(getattr(row.standing, key, None)) for row in board.rows]
        numbers[key] = ("model", listed)
    coords: dict[str, Any] = {
        "model": [row.candidate for row in board.rows],
        "benchmark": [one.name for one in board.benchmarks],
        **{axis: ("model", [row.card[axis] for row in board.rows]) for axis in ontology.AXES},
        "evidence": ("model", [row.evidence for row in board.rows]),
    }
    return netcdf(xr.Dataset(numbers, coords, {"data_version": board.data_version}))


def netcdf(found: "xr.Dataset") -> bytes:
    """A dataset as NetCDF 3, which every program reads; truth values become 0 and 1."""
    kept = found.copy()
    for name, variable in found.variables.items():
        if variable.dtype.kind in "bu":
            kept[name] = variable.astype("int32")
    kept.attrs = {key: _attribute(value) for key, value in found.attrs.items()}
    for variable in kept.variables.values():
        variable.attrs = {key: _attribute(value) for key, value in variable.attrs.items()}
    return bytes(kept.to_netcdf(engine="scipy"))


def _attribute(value: object) -> object:
    """What NetCDF keeps of an attribute: numbers and texts as they are, all else as JSON."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return to_json(value).decode()
    return value


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _harmless(value: object) -> object:
    """A name that a spreadsheet would run as a formula, as text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


_WRITERS: Final[Mapping[str, Callable[[Iterable[Line]], Iterator[bytes]]]] = {
    "csv": _csv,
    "json": _json,
    "ndjson": _ndjson,
    "parquet": _parquet,
}
