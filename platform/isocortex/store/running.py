"""A run from its first row to its last: begun at once, then done or failed, never half-written."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, Engine

from ..errors import InputError, StoreError
from ..scores import Score
from . import writing
from .artifacts import Artifacts
from .environments import environment_facts
from .facts import BenchmarkFacts, CandidateFacts

log = logging.getLogger(__name__)

_NOTHING_KEPT: Final = "the run ended without a score: call keep(score) inside the `with` block"


@dataclass
class OpenRun:
    """A run that has begun; `keep` ends it with a score."""

    engine: Engine = field(repr=False)
    artifacts: Artifacts = field(repr=False)
    candidate: CandidateFacts
    benchmark: BenchmarkFacts
    run_id: int
    score_id: int | None = None

    def keep(self, score: Score) -> int:
        """The id of the score, committed with its slices and the run's end in one transaction.

        It becomes the current score of its versions in place of an earlier one. Raises InputError
        or MismatchError for a score that is not finite or not of this run.
        """
        writing.check_score(score, self.candidate, self.benchmark)
        detail = self.artifacts.save_detail(score.detail)

        def finish(connection: Connection) -> int:
            return writing.finish_run(connection, self.run_id, score, detail=detail)

        self.score_id = writing.commit(self.engine, finish)
        return self.score_id


@contextmanager
def open_run(
    engine: Engine,
    artifacts: Artifacts,
    candidate: CandidateFacts,
    benchmark: BenchmarkFacts,
    *,
    seed: int | None,
) -> Iterator[OpenRun]:
    """A run that is committed as `running` first; whatever is raised inside marks it as failed."""
    environment = environment_facts()

    def begin(connection: Connection) -> int:
        pair = {
            "candidate_version_id": writing.ensure_candidate(connection, candidate),
            "benchmark_version_id": writing.ensure_benchmark(connection, benchmark),
            "environment_id": writing.ensure_environment(connection, environment),
        }
        return writing.begin_run(connection, pair, seed=seed)

    run = OpenRun(engine, artifacts, candidate, benchmark, writing.commit(engine, begin))
    try:
        yield run
        if run.score_id is None:
            raise InputError(_NOTHING_KEPT)
    except BaseException as error:  # an interrupted run has failed as well
        _mark_failed(engine, run.run_id, error)
        raise


def _mark_failed(engine: Engine, run_id: int, error: BaseException) -> None:
    text = f"{type(error).__name__}: {error}"
    try:
        writing.commit(engine, lambda connection: writing.fail_run(connection, run_id, text))
    except StoreError:  # what went wrong first is what the caller must hear
        log.exception("run %s failed, and could not be marked as failed", run_id)
