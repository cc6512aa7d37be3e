"""The plan of a sweep: what models × benchmarks will take, before anything is scored.

Each model is loaded once, and sees each stimulus set once, for all benchmarks that share it. What
is stored or in the cache already costs nothing.
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..benchmarks import Benchmark
from ..errors import IsocortexError
from ..store import Store
from ..store.costs import ScoringCosts, scoring_costs
from ..store.submitted import StoredSubmission

if TYPE_CHECKING:
    from ..answers import Engine
    from ..candidates import Candidate
    from ..planning import Plan

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One model on one stimulus set: what is left to be scored, and what was scored before.

    `extraction` is None where no pass is needed: every layer is in the cache, or every score is
    stored. `scoring` has the seconds of each benchmark that was ever timed, `untimed` the others.
    """

    model: str
    stimuli: str
    benchmarks: tuple[str, ...]
    stored: tuple[str, ...]
    extraction: "Plan | None"
    scoring: Mapping[str, float]

    @property
    def untimed(self) -> tuple[str, ...]:
        """The benchmarks of which nothing is known: none like them was scored here before."""
        return tuple(name for name in self.benchmarks if name not in self.scoring)

    @property
    def passes(self) -> int:
        """How often the network runs over the stimuli."""
        return 0 if self.extraction is None else len(self.extraction.passes)

    @property
    def seconds(self) -> float:
        """Passes, folding and scoring on one worker, without what is `untimed`."""
        extracting = 0.0 if self.extraction is None else self.extraction.seconds
        return extracting + sum(self.scoring.values())


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """All steps, the seconds that loading each model took now, and what can't be scored."""

    steps: tuple[Step, ...]
    loading: Mapping[str, float]
    errors: Mapping[str, IsocortexError] = field(default_factory=dict)

    @property
    def passes(self) -> int:
        """How often networks run over stimuli, in all."""
        return sum(step.passes for step in self.steps)

    @property
    def memory_bytes(self) -> int:
        """The most that one worker adds to the memory in use."""
        return max((each.memory_bytes for each in self._extractions()), default=0)

    @property
    def disk_bytes(self) -> int:
        """The most that one worker has on disk at a time, besides the cache."""
        return max((each.disk_bytes for each in self._extractions()), default=0)

    @property
    def seconds(self) -> float:
        """All of it on one worker, without what is `untimed`; only models with work are loaded."""
        return sum(self._of_models().values())

    def lasts(self, workers: int) -> float:
        """Seconds from start to end with so many workers; a model is one worker's at a time."""
        models = self._of_models().values()
        return max([sum(models) / max(1, workers), *models])

    def _extractions(self) -> "list[Plan]":
        return [step.extraction for step in self.steps if step.extraction is not None]

    def _of_models(self) -> dict[str, float]:
        needed = {step.model for step in self.steps if step.benchmarks}
        return {
            model: self.loading[model] + sum(s.seconds for s in self.steps if s.model == model)
            for model in needed
        }


def plan_sweep(
    models: Iterable[str],
    benchmarks: Sequence[Benchmark],
    *,
    store: Store,
    engine: "Engine | None" = None,
    layers: tuple[str, ...] | None = None,
) -> Sweep:
    """The plan for scoring these models; each is loaded, and sees one stimulus of each set.

    A model that can't be loaded or planned is among the `errors` and stops no other.
    """
    from ..runs import load_candidate

    costs = scoring_costs(store.engine)
    steps: list[Step] = []
    loading: dict[str, float] = {}
    errors: dict[str, IsocortexError] = {}
    for name in dict.fromkeys(models):
        start = time.perf_counter()
        try:
            candidate = load_candidate(name, layers=layers)
            loading[candidate.card.name] = time.perf_counter() - start
            steps += plan_candidate(candidate, benchmarks, store=store, engine=engine, costs=costs)
        except IsocortexError as error:
            errors[name] = error
    found = Sweep(steps=tuple(steps), loading=loading, errors=errors)
    log.info("planned %s passes of %s models", found.passes, len(loading))
    return found


def plan_submission(
    submission: StoredSubmission, benchmarks: Sequence[Benchmark], *, store: Store
) -> Sweep:
    """The plan for a submission whose file is among the blobs; one of activations needs no pass.

    It is loaded as a worker does, in the jail, so whatever the check could not see is raised here.
    """
    from ..submissions.blobs import Blobs
    from ..submissions.given import GivenActivations
    from ..submissions.loading import loaded

    path = None if submission.blob is None else Blobs(store.submissions).path(submission.blob)
    start = time.perf_counter()
    with loaded(submission, path) as candidate:
        took = time.perf_counter() - start
        if isinstance(candidate, GivenActivations):
            return Sweep(steps=(), loading={})
        steps = plan_candidate(candidate, benchmarks, store=store)
        return Sweep(steps=tuple(steps), loading={candidate.card.name: took})


def plan_candidate(
    candidate: "Candidate",
    benchmarks: Sequence[Benchmark],
    *,
    store: Store,
    engine: "Engine | None" = None,
    costs: ScoringCosts | None = None,
) -> list[Step]:
    """The steps of one model that is loaded; `costs` are read from the store if not given."""
    from ..runs import answers_for

    costs = scoring_costs(store.engine) if costs is None else costs
    model, layers = candidate.card.name, len(candidate.layers)
    steps = []
    for answers, group in answers_for(candidate, benchmarks, engine=engine):
        stored = {each.name for each in group if _is_stored(candidate, each, store, answers.engine)}
        wanted = [each for each in group if each.name not in stored]
        names = tuple(each.name for each in wanted)
        known = {name: costs.seconds(name, layers=layers) for name in names}
        # Units are read only for those who are still to be scored.
        needed = [each for each, _ in answers_for(candidate, wanted, engine=engine)]
        steps.append(
            Step(
                model=model,
                stimuli=answers.stimuli.name,
                benchmarks=names,
                stored=tuple(each.name for each in group if each.name in stored),
                extraction=needed[0].plan() if needed else None,
                scoring={name: seconds for name, seconds in known.items() if seconds is not None},
            )
        )
    return steps


def _is_stored(
    candidate: "Candidate", benchmark: Benchmark, store: Store, engine: "Engine"
) -> bool:
    """Whether `score_all` would give back what the store holds."""
    if engine.reduce is not None:
        return False
    return store.find_score(candidate.fingerprint, benchmark.fingerprint) is not None
