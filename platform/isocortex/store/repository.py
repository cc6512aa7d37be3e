"""The store: scores are recorded and read through this one class.

with open_store() as store:
    if store.find_score(candidate.fingerprint, benchmark.fingerprint) is None:
        with store.record(candidate, benchmark, seed=0) as run:
            run.keep(score)
    board = store.leaderboard(objective="supervised")
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from types import TracebackType
from typing import Final, Self, Unpack

import xarray as xr
from sqlalchemy import Engine

from .. import settings
from ..errors import StoreError, UnknownNameError
from . import reading
from .artifacts import Artifacts
from .differences import paired_differences
from .facts import BenchmarkFacts, CandidateFacts
from .leaderboards import Selection, build_leaderboard
from .opening import check_schema, open_engine, upgrade_schema
from .opening import reading as transaction
from .ranking import Draws
from .records import (
    Components,
    Leaderboard,
    PairedDifference,
    ScorePage,
    StoredBenchmark,
    StoredCandidate,
    StoredModel,
    StoredRun,
    StoredScore,
)
from .running import OpenRun, open_run

_KEPT_DRAWS: Final = 20_000
_KEPT_LEADERBOARDS: Final = 16


def open_store(url: str | None = None, *, upgrade: bool = True) -> "Store":
    """The store at `url`, by default `settings.database_url()`; artifacts lie in the home folder.

    An older schema is brought up to date, unless `upgrade` is False. Raises StoreError, which says
    what to do, if the database is newer than this isocortex, locked, missing or unreachable.
    """
    engine = open_engine(url or settings.database_url())
    try:
        (upgrade_schema if upgrade else check_schema)(engine)
    except StoreError:
        engine.dispose()
        raise
    return Store(engine, Artifacts(settings.home() / "artifacts"))


class Store:
    """An open store, made by `open_store`; close it, or use it in a `with` statement.

    It may be shared by threads. What it returns are frozen records of one moment. Names that are
    not in it raise UnknownNameError, trouble with the database raises StoreError.
    """

    def __init__(self, engine: Engine, artifacts: Artifacts) -> None:
        self.engine = engine
        self.artifacts = artifacts
        self._draws = lru_cache(_KEPT_DRAWS)(self._read_draws)
        self._leaderboard = lru_cache(_KEPT_LEADERBOARDS)(self._build_leaderboard)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    def record(
        self, candidate: CandidateFacts, benchmark: BenchmarkFacts, *, seed: int | None = None
    ) -> AbstractContextManager[OpenRun]:
        """A run to score inside of; `run.keep(score)` ends it.

        The run is committed as `running` on entry. An exception marks it as failed and passes, and
        so does leaving without a score. Scoring again makes another run and another score, which
        replaces the former as the current one. A process that is killed leaves a run that says
        `running`, and no score.
        """
        return open_run(self.engine, self.artifacts, candidate, benchmark, seed=seed)

    def find_score(
        self, candidate_fingerprint: str, benchmark_fingerprint: str
    ) -> StoredScore | None:
        """The current score of these two versions, or None if they were never scored."""
        conditions = reading.of_versions(candidate_fingerprint, benchmark_fingerprint)
        with transaction(self.engine) as connection:
            found = reading.read_scores(connection, conditions)
        return found[0] if found else None

    def load_detail(self, score: StoredScore) -> xr.Dataset:
        """All arrays of a score, as `Score.detail` describes them."""
        return self.artifacts.load_detail(score.detail)

    def data_version(self) -> str:
        """A string that changes with every committed score, and differs between databases."""
        with transaction(self.engine) as connection:
            return reading.data_version(connection)

    def leaderboard(
        self,
        *,
        simulated: bool = False,
        benchmarks: Sequence[str] | None = None,
        **components: Unpack[Components],
    ) -> Leaderboard:
        """Candidates × benchmarks with standings, on recorded or else on simulated data.

        Only these `benchmarks` (all by default), and candidates with these components (or terms
        below them in the ontology). Kept in memory until the next score is committed.
        """
        chosen = None if benchmarks is None else tuple(sorted(set(benchmarks)))
        terms = tuple(sorted((axis, str(term)) for axis, term in components.items()))
        return self._leaderboard(Selection(simulated, chosen, terms), self.data_version())

    def models(self) -> tuple[StoredCandidate, ...]:
        """Each candidate with scores in the version that was scored last, by name."""
        with transaction(self.engine) as connection:
            versions = reading.read_candidates(connection)
        latest = {version.name: version for version in reversed(versions)}
        return tuple(latest[name] for name in sorted(latest))

    def model(self, name: str) -> StoredModel:
        """A candidate with its versions, and the scores and slices of the last of them."""
        with transaction(self.engine) as connection:
            versions = reading.read_candidates(connection, name=name)
            if not versions:
                known = reading.candidate_names(connection)
                raise UnknownNameError.among("scored candidate", name, known)
            scores = reading.read_scores(connection, reading.current(candidates=[name]))
            slices = reading.read_slices(connection, [score.id for score in scores])
        ordered = tuple(sorted(scores, key=lambda score: score.benchmark))
        return StoredModel(name=name, versions=versions, scores=ordered, slices=slices)

    def benchmarks(self) -> tuple[StoredBenchmark, ...]:
        """Each benchmark with scores in the version that was used last, by name."""
        with transaction(self.engine) as connection:
            return reading.read_benchmarks(connection)

    def benchmark(self, name: str) -> StoredBenchmark:
        """The benchmark of that name in the version that was used last."""
        found = {benchmark.name: benchmark for benchmark in self.benchmarks()}
        if name not in found:
            raise UnknownNameError.among("scored benchmark", name, found)
        return found[name]

    def scores(
        self,
        *,
        candidate: str | None = None,
        benchmark: str | None = None,
        after: int | None = None,
        limit: int = 100,
    ) -> ScorePage:
        """Up to `limit` of the scores that count, newest first, from below the id `after`."""
        conditions = reading.current(
            candidates=None if candidate is None else [candidate],
            benchmarks=None if benchmark is None else [benchmark],
            after=after,
        )
        with transaction(self.engine) as connection:
            found = reading.read_scores(connection, conditions, limit=limit + 1)
        more = len(found) > limit
        return ScorePage(scores=found[:limit], next=found[limit - 1].id if more else None)

    def runs(self, *, limit: int = 100) -> tuple[StoredRun, ...]:
        """The last runs, newest first, whatever became of them."""
        with transaction(self.engine) as connection:
            return reading.read_runs(connection, limit=limit)

    def paired_difference(self, a: str, b: str, benchmark: str) -> PairedDifference:
        """How much better candidate `a` is than `b`, with an interval by paired resamples."""
        return self.paired_differences(a, b, [benchmark])[0]

    def paired_differences(
        self, a: str, b: str, benchmarks: Sequence[str]
    ) -> tuple[PairedDifference, ...]:
        """How much better candidate `a` is than `b` on each benchmark, and on all at once."""
        conditions = reading.current(candidates=[a, b], benchmarks=list(benchmarks))
        with transaction(self.engine) as connection:
            scores = reading.read_scores(connection, conditions)
        found = {(score.benchmark, score.candidate): score for score in scores}
        for benchmark in benchmarks:
            for name in (a, b):
                if (benchmark, name) not in found:
                    known = [candidate for place, candidate in found if place == benchmark]
                    kind = f"candidate with a score on {benchmark}"
                    raise UnknownNameError.among(kind, name, known)
        pairs = [(found[benchmark, a], found[benchmark, b]) for benchmark in benchmarks]
        return paired_differences(pairs, self.load_detail)

    def _build_leaderboard(self, selection: Selection, _data_version: str) -> Leaderboard:
        with transaction(self.engine) as connection:
            return build_leaderboard(connection, selection, lambda score: self._draws(score.detail))

    def _read_draws(self, detail: str) -> Draws | None:
        return self.artifacts.load_array(detail, "resampled_raw")
