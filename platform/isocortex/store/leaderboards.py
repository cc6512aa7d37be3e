"""Leaderboards: the scores that count, put into rows and given standings."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from ..errors import UnknownNameError
from . import reading
from .ranking import ReadDraws, has_value, standings
from .records import (
    Components,
    Leaderboard,
    LeaderboardRow,
    Standing,
    StoredBenchmark,
    StoredCandidate,
    StoredScore,
)

Scores = Mapping[str, Mapping[str, StoredScore]]
"""Scores by candidate and benchmark."""


@dataclass(frozen=True)
class Selection:
    """What a leaderboard is made of; `components` are pairs of an axis and a term."""

    simulated: bool
    benchmarks: tuple[str, ...] | None
    components: tuple[tuple[str, str], ...]


def build_leaderboard(
    connection: Connection, selection: Selection, read_draws: ReadDraws
) -> Leaderboard:
    """The leaderboard of this selection, as the database stands. Raises UnknownNameError."""
    benchmarks = _selected_benchmarks(connection, selection)
    names = [benchmark.name for benchmark in benchmarks]
    components = Components(**dict(selection.components))  # type: ignore[typeddict-item]
    conditions = (
        *reading.current(benchmarks=names),
        *reading.with_components(components),
    )
    scores = _by_candidate(reading.read_scores(connection, conditions))
    counted = [benchmark for benchmark in benchmarks if _has_ceiling(benchmark, scores)]
    found = standings(scores, counted, read_draws)
    cards = {version.fingerprint: version for version in reading.read_candidates(connection)}
    rows = [_row(cards, counted, row, found.get(name)) for name, row in scores.items()]
    return Leaderboard(
        simulated=selection.simulated,
        benchmarks=benchmarks,
        counted=tuple(benchmark.name for benchmark in counted),
        rows=tuple(sorted(rows, key=_order)),
        data_version=reading.data_version(connection),
    )


def _selected_benchmarks(
    connection: Connection, selection: Selection
) -> tuple[StoredBenchmark, ...]:
    found = reading.read_benchmarks(connection, simulated=selection.simulated)
    known = {benchmark.name: benchmark for benchmark in found}
    for name in selection.benchmarks or ():
        if name not in known:
            raise UnknownNameError.among("scored benchmark", name, known)
    return tuple(
        benchmark
        for name, benchmark in known.items()
        if selection.benchmarks is None or name in selection.benchmarks
    )


def _by_candidate(scores: tuple[StoredScore, ...]) -> Scores:
    rows: dict[str, dict[str, StoredScore]] = defaultdict(dict)
    for score in scores:
        rows[score.candidate][score.benchmark] = score
    return rows


def _has_ceiling(benchmark: StoredBenchmark, scores: Scores) -> bool:
    return any(has_value(row.get(benchmark.name)) for row in scores.values())


def _row(
    cards: Mapping[str, StoredCandidate],
    counted: list[StoredBenchmark],
    scores: Mapping[str, StoredScore],
    standing: Standing | None,
) -> LeaderboardRow:
    version = cards[next(iter(scores.values())).candidate_fingerprint]
    return LeaderboardRow(
        candidate=version.name,
        fingerprint=version.fingerprint,
        card=version.card,
        scores=scores,
        covered=sum(has_value(scores.get(benchmark.name)) for benchmark in counted),
        standing=standing,
    )


def _order(row: LeaderboardRow) -> tuple[float, int, str]:
    """By rank; rows without one come last, those with more benchmarks first."""
    rank = float("inf") if row.standing is None else row.standing.rank
    return rank, -row.covered, row.candidate
