"""All scores at once, as columns: read in one go, then selected and joined in memory.

A leaderboard of 1,000 models and 300 benchmarks has 300,000 scores. As records they take seconds
and a gigabyte; as columns they are read once for each state of the data, and every list,
leaderboard and count is a selection of them.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, DateTime, Text, cast, func, select, type_coerce

from ..scores import Ceiling
from . import reading
from .records import StoredBenchmark, StoredCandidate, StoredScore
from .schema import Run, Score
from .sight import Ids, Owned, read_owned

Positions = npt.NDArray[np.intp]
Numbers = npt.NDArray[np.float64]
Column = npt.NDArray[Any]

_NUMBERS: Final = (
    *("raw", "low", "high", "confidence", "ceiling_lower", "ceiling_upper"),
    *("value", "value_low", "value_high", "seconds"),
)
_TEXTS: Final = ("layer", "resampled", "counts")
_IDS: Final = ("id", "candidate_version_id", "benchmark_version_id")
_PAIR: Final = _IDS[1:]
_ORDER: Final = (*_IDS, *_NUMBERS, *_TEXTS, "detail", "is_current", "scored_at", "seed", "attempt")
_QUERY: Final = (
    select(
        *(Score.__table__.c[name] for name in (*_IDS, *_NUMBERS[:-1], "layer", "detail")),
        cast(Score.resampled, Text).label("resampled"),  # the same few texts, decoded once
        cast(Score.counts, Text).label("counts"),
        Score.is_current,
        type_coerce(Score.created_at, DateTime(timezone=True)).label("scored_at"),
        *(Run.seed, Run.attempt, Run.seconds),
    )
    .join_from(Score, Run, Score.run_id == Run.id)
    .order_by(Score.id)
)
_AT_ONCE: Final = 20_000

Words = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class Columns:
    """The scores of one moment in the order of their ids, and the versions they are of.

    `scores` has a column for each field of a score, NaN for a null number; its columns `candidate`
    and `benchmark` are positions in `candidates` and `benchmarks`, and of a text in `words`.
    """

    data_version: str
    scores: Mapping[str, Column] = field(repr=False)
    words: Words = field(repr=False)
    candidates: tuple[StoredCandidate, ...] = field(repr=False)
    benchmarks: tuple[StoredBenchmark, ...] = field(repr=False)
    owned: Owned = field(repr=False)

    @cached_property
    def owned_places(self) -> tuple[Positions, Ids]:
        """Where the scores lie that are somebody's, and the submission of each; some lie twice."""
        _, scores, submissions = self.owned.pairs.T
        ids = self.scores["id"]
        places = np.searchsorted(ids, scores)
        here = np.flatnonzero(places < len(ids))
        here = here[ids[places[here]] == scores[here]]
        return places[here], submissions[here]

    def score(self, position: int) -> StoredScore:
        """The score at a position, as a record."""
        return StoredScore(**next(self.fields([position])))

    def fields(self, positions: Sequence[int] | Positions) -> Iterator[dict[str, Any]]:
        """The fields of the records of the scores at these positions."""
        at = np.asarray(positions, np.intp)
        found = {name: column[at].tolist() for name, column in self.scores.items()}
        for name in _NUMBERS:
            found[name] = [None if number != number else number for number in found[name]]
        for name in _TEXTS:
            words = self.words[name]
            found[name] = [_decoded(name, words[place]) for place in found[name]]
        names = tuple(found)
        for row in zip(*found.values(), strict=True):
            yield self._as_record(dict(zip(names, row, strict=True)))

    def _as_record(self, row: dict[str, Any]) -> dict[str, Any]:
        candidate = self.candidates[row["candidate"]]
        benchmark = self.benchmarks[row["benchmark"]]
        lower, upper = row.pop("ceiling_lower"), row.pop("ceiling_upper")
        del row["candidate_version_id"], row["benchmark_version_id"]
        return row | {
            "candidate": candidate.name,
            "candidate_fingerprint": candidate.fingerprint,
            "evidence": candidate.evidence,
            "benchmark": benchmark.name,
            "benchmark_fingerprint": benchmark.fingerprint,
            "ceiling": None if lower is None or upper is None else Ceiling(lower, upper),
            "detail": row["detail"].decode("ascii"),
            "scored_at": row["scored_at"].replace(tzinfo=UTC),
        }


def read_columns(
    connection: Connection, *, last: int | None = None, before: Columns | None = None
) -> Columns:
    """All current scores; or those that were current when the score with the id `last` was made.

    Costs seconds and some 60 MB for 300,000 scores; with the current scores of `before`, only what
    is new since is read.
    """
    if last is not None:
        scores, words = _read(connection, [Score.id <= last], None)
        kept = _last_of_each_pair(scores)
        scores = {name: column[kept] for name, column in scores.items()}
    else:
        scores, words = _read_current(connection, before)
    candidates, benchmarks = reading.read_versions(connection)
    scores["candidate"] = _positions(scores["candidate_version_id"], candidates)
    scores["benchmark"] = _positions(scores["benchmark_version_id"], benchmarks)
    return Columns(
        data_version=reading.data_version(connection),
        scores=scores,
        words=words,
        candidates=tuple(candidates.values()),
        benchmarks=tuple(benchmarks.values()),
        owned=read_owned(connection, None if before is None else before.owned),
    )


def _read_current(
    connection: Connection, before: Columns | None
) -> tuple[dict[str, Column], Words]:
    if before is not None and len(before.scores["id"]):
        newer = Score.id > int(before.scores["id"][-1])
        added, words = _read(connection, [Score.is_current, newer], before.words)
        kept = ~_in_pairs(before.scores, added)
        scores = {name: np.concatenate([before.scores[name][kept], added[name]]) for name in _ORDER}
        count = connection.scalar(select(func.count(Score.id)).where(Score.is_current))
        if count == len(scores["id"]):
            return scores, words
        # Two processes committed in another order than that of their ids, or a score is gone.
    return _read(connection, [Score.is_current], None)


def _read(
    connection: Connection, conditions: Sequence[Any], known: Words | None
) -> tuple[dict[str, Column], Words]:
    query = _QUERY.where(*conditions).execution_options(yield_per=_AT_ONCE)
    found = connection.execute(query)
    return _as_columns(found.columns(*_ORDER).partitions(), known)


def _as_columns(
    partitions: Iterable[Sequence[Any]], known: Words | None
) -> tuple[dict[str, Column], Words]:
    """The columns of these rows; a text becomes its position among the texts that occur."""
    words = {
        name: {text: place for place, text in enumerate(known[name] if known else ())}
        for name in _TEXTS
    }
    parts: dict[str, list[Column]] = {name: [np.empty(0, _type(name))] for name in _ORDER}
    for rows in partitions:
        for name, listed in zip(_ORDER, zip(*rows, strict=True), strict=True):
            values: Sequence[Any] = listed
            if name in words:
                places = words[name]
                values = [places.setdefault(text, len(places)) for text in listed]
            elif name == "scored_at":
                values = _naive(listed)
            parts[name].append(np.array(values, _type(name)))
    columns = {name: np.concatenate(listed) for name, listed in parts.items()}
    return columns, {name: tuple(places) for name, places in words.items()}


def _naive(moments: Sequence[datetime]) -> Sequence[datetime]:
    """The moments in UTC without a time zone; SQLite has none."""
    if moments[0].tzinfo is None:
        return moments
    return [moment.astimezone(UTC).replace(tzinfo=None) for moment in moments]


def _type(name: str) -> Any:
    if name in _NUMBERS:
        return np.float64
    others = {"detail": "S64", "is_current": bool, "scored_at": "datetime64[us]", "seed": object}
    return others.get(name, np.int64)


@lru_cache(10_000)
def _decoded(name: str, text: str) -> Any:
    if name == "layer":
        return text
    return tuple(json.loads(text)) if name == "resampled" else json.loads(text)


def _positions(ids: Column, versions: Mapping[int, object]) -> Positions:
    known = np.array(sorted(versions), np.int64)
    place = np.argsort(np.array(list(versions), np.int64))
    return np.asarray(place[np.searchsorted(known, ids)], np.intp)


def _in_pairs(scores: Mapping[str, Column], others: Mapping[str, Column]) -> npt.NDArray[np.bool_]:
    """Which scores are of a candidate version and benchmark version that is among the others."""
    pairs = set(zip(*(others[name].tolist() for name in _PAIR), strict=True))
    near = np.isin(scores[_PAIR[0]], others[_PAIR[0]])
    for place in np.flatnonzero(near):
        near[place] = tuple(int(scores[name][place]) for name in _PAIR) in pairs
    return np.asarray(near)


def _last_of_each_pair(scores: Mapping[str, Column]) -> Positions:
    """The positions of the newest score of each candidate version and benchmark version."""
    pairs = np.stack([scores[name] for name in _PAIR])[:, ::-1]
    _, first = np.unique(pairs, axis=1, return_index=True)
    return np.sort(len(scores["id"]) - 1 - first)
