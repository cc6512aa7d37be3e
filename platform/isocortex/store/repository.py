"""The store: scores are recorded and read through this one class.

with open_store() as store:
    if store.find_score(candidate.fingerprint, benchmark.fingerprint) is None:
        with store.record(candidate, benchmark, seed=0) as run:
            run.keep(score)
    board = store.leaderboard(objective="supervised")
"""

import hashlib
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import lru_cache
from itertools import combinations
from types import TracebackType
from typing import Final, Self, Unpack

import xarray as xr
from sqlalchemy import Engine

from .. import settings
from ..errors import StoreError, UnknownNameError
from . import reading
from .accounts import Accounts
from .artifacts import Artifacts
from .browsing import Browsing
from .criteria import Criteria
from .differences import paired_differences
from .facts import BenchmarkFacts, CandidateFacts
from .frozen import freeze, read_frozen
from .leaderboards import Selection
from .listing import ScoreQuery, ScoreRows, ScoreTable, score_table
from .opening import check_schema, open_engine, upgrade_schema
from .opening import reading as transaction
from .queue import Queue
from .records import (
    Components,
    FrozenBoard,
    Leaderboard,
    PairedDifference,
    ScorePage,
    ScoreSlice,
    StoredBenchmark,
    StoredCandidate,
    StoredModel,
    StoredRun,
    StoredScore,
)
from .remembered import RememberedAnswers
from .running import OpenRun, open_run
from .sight import Sight
from .submissions import Submissions
from .webhooks import Webhooks
from .writing import commit

_KEPT_DETAILS: Final = 64


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
        self.accounts = Accounts(engine)
        self.submissions = Submissions(engine)
        self.queue = Queue(engine, artifacts)
        self.remembered = RememberedAnswers(engine)
        self.webhooks = Webhooks(engine)
        self.browsing = Browsing(engine, artifacts)

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
        self.browsing.watch.close()
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
        """A string that changes with every committed score and every change of who may see it.

        It differs between databases.
        """
        return self.browsing.data_version()

    def secret(self, purpose: str) -> bytes:
        """Bytes that only servers of this database know: 32 for each purpose."""
        with transaction(self.engine) as connection:
            identity = reading.identity(connection)
        return hashlib.sha256(f"{purpose}\0{identity}".encode()).digest()

    def leaderboard(
        self,
        selection: Selection | None = None,
        *,
        simulated: bool = False,
        benchmarks: Sequence[str] | None = None,
        viewer: int | None = None,
        **components: Unpack[Components],
    ) -> Leaderboard:
        """Candidates × benchmarks with standings, on recorded or else on simulated data.

        Of this `selection`; without one, only these `benchmarks` (all by default), and candidates
        with these components (or terms below them in the ontology). Kept in memory until the next
        score is committed. It holds public candidates, and those of the account `viewer`.
        """
        if selection is None:
            chosen = None if benchmarks is None else tuple(sorted(set(benchmarks)))
            criteria = Criteria(**components)
            selection = Selection(simulated=simulated, benchmarks=chosen, criteria=criteria)
        return self.browsing.leaderboard(selection, viewer=viewer)

    def models(self, *, viewer: int | None = None) -> tuple[StoredCandidate, ...]:
        """Each candidate with scores in the version that was scored last, by name."""
        return tuple(self.browsing.view(Sight(viewer)).candidates.values())

    def model(self, name: str, *, viewer: int | None = None) -> StoredModel:
        """A candidate with its versions, and the scores and slices of the last of them.

        An unlisted one is found by its name; one that is somebody else's and private is not.
        """
        view = self.browsing.view(Sight(viewer, (name,)))
        versions = view.versions(name)
        if not versions:
            known = [one.name for one in self.models(viewer=viewer)]
            raise UnknownNameError.among("scored candidate", name, known)
        scores = view.scores(view.rows[view.of_candidates([name])])
        ordered = tuple(sorted(scores, key=lambda score: score.benchmark))
        with transaction(self.engine) as connection:
            slices = reading.read_slices(connection, [score.id for score in ordered])
        return StoredModel(name=name, versions=versions, scores=ordered, slices=slices)

    def benchmarks(
        self, *, viewer: int | None = None, model: str | None = None
    ) -> tuple[StoredBenchmark, ...]:
        """Each benchmark with scores in the version that was used last, by name.

        Those of this `model` are among them if it is unlisted.
        """
        sight = Sight(viewer, () if model is None else (model,))
        return tuple(self.browsing.view(sight).benchmarks.values())

    def benchmark(self, name: str, *, viewer: int | None = None) -> StoredBenchmark:
        """The benchmark of that name in the version that was used last."""
        found = self.browsing.view(Sight(viewer)).benchmarks
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
        viewer: int | None = None,
    ) -> ScorePage:
        """Up to `limit` of the scores that count, newest first, from below the id `after`."""
        query = ScoreQuery(candidate=candidate, benchmark=benchmark)
        found = self.browsing.scores(query, viewer=viewer)
        first = 0 if after is None else bisect_left(found, -after + 1, key=lambda one: -one.id)
        page = tuple(found[first : first + limit])
        more = first + limit < len(found)
        return ScorePage(scores=page, next=page[-1].id if more else None)

    def score_list(self, query: ScoreQuery, *, viewer: int | None = None) -> ScoreRows:
        """All scores that count and are asked for, in the order that is asked for."""
        return self.browsing.scores(query, viewer=viewer)

    def score_table(self, benchmarks: Sequence[str], *, viewer: int | None = None) -> ScoreTable:
        """The raw scores of all candidates on these benchmarks. Raises UnknownNameError."""
        view = self.browsing.view(Sight(viewer))
        for name in benchmarks:
            if name not in view.benchmarks:
                raise UnknownNameError.among("scored benchmark", name, view.benchmarks)
        return score_table(view, benchmarks)

    def benchmark_versions(
        self, name: str, *, viewer: int | None = None
    ) -> tuple[StoredBenchmark, ...]:
        """All versions of a benchmark that have scores, that used last first."""
        found = self.browsing.view(Sight(viewer)).benchmark_versions_of(name)
        if not found:
            known = self.browsing.view(Sight(viewer)).benchmarks
            raise UnknownNameError.among("scored benchmark", name, known)
        return found

    def freeze(self, name: str, summary: str, selection: Selection) -> FrozenBoard:
        """A leaderboard of public candidates that stays as it is now. Raises InputError."""
        board = self.leaderboard(selection)
        commit(self.engine, lambda connection: freeze(connection, name, summary, board))
        return self.frozen(name)

    def frozen(self, name: str) -> FrozenBoard:
        """The frozen leaderboard of that name."""
        with transaction(self.engine) as connection:
            return read_frozen(connection, name)[0]

    def frozen_boards(self) -> tuple[FrozenBoard, ...]:
        """All frozen leaderboards, newest first."""
        with transaction(self.engine) as connection:
            return read_frozen(connection)

    def score(
        self, score_id: int, *, model: str | None = None, viewer: int | None = None
    ) -> tuple[StoredScore, tuple[ScoreSlice, ...]]:
        """A score by its id, current or not, and its parts.

        Ids can be guessed: that of an unlisted candidate's score is known only with its `model`.
        """
        sight = Sight(viewer, () if model is None else (model,))
        conditions = [*reading.of_id(score_id), sight.of_scores()]
        with transaction(self.engine) as connection:
            found = reading.read_scores(connection, conditions)
            slices = reading.read_slices(connection, [score_id])
        if not found or model not in (None, found[0].candidate):
            raise UnknownNameError(f"there is no score with the id {score_id}")
        return found[0], slices.get(score_id, ())

    def last_score(self, until: datetime) -> int:
        """The id of the newest score that was made until then; 0 if there is none."""
        with transaction(self.engine) as connection:
            return reading.last_score(connection, until=until)

    def runs(self, *, limit: int = 100, viewer: int | None = None) -> tuple[StoredRun, ...]:
        """The last runs, newest first, whatever became of them."""
        with transaction(self.engine) as connection:
            return reading.read_runs(connection, Sight(viewer), limit=limit)

    def paired_difference(
        self, a: str, b: str, benchmark: str, *, viewer: int | None = None
    ) -> PairedDifference:
        """How much better candidate `a` is than `b`, with an interval by paired resamples."""
        return self.paired_differences(a, b, [benchmark], viewer=viewer)[0]

    def paired_differences(
        self, a: str, b: str, benchmarks: Sequence[str], *, viewer: int | None = None
    ) -> tuple[PairedDifference, ...]:
        """How much better candidate `a` is than `b` on each benchmark, and on all at once."""
        return self.comparison([a, b], benchmarks, viewer=viewer)

    def comparison(
        self, candidates: Sequence[str], benchmarks: Sequence[str], *, viewer: int | None = None
    ) -> tuple[PairedDifference, ...]:
        """How much better each candidate is than those after it, on each benchmark.

        The joint intervals hold for all pairs and benchmarks at once.
        """
        view = self.browsing.view(Sight(viewer, tuple(candidates)))
        asked = view.of_candidates(candidates) & view.of_benchmarks(benchmarks)
        scores = list(view.scores(view.rows[asked]))
        found = {(score.benchmark, score.candidate): score for score in scores}
        for benchmark in benchmarks:
            for name in candidates:
                if (benchmark, name) not in found:
                    known = [candidate for place, candidate in found if place == benchmark]
                    kind = f"candidate with a score on {benchmark}"
                    raise UnknownNameError.among(kind, name, known)
        pairs = [
            (found[benchmark, a], found[benchmark, b])
            for a, b in combinations(candidates, 2)
            for benchmark in benchmarks
        ]
        load = lru_cache(_KEPT_DETAILS)(self.artifacts.load_detail)
        return paired_differences(pairs, lambda score: load(score.detail))
