"""The run of a claim: the model is loaded once, and each stimulus set goes through it once."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial

from ..answers import Answers, Engine
from ..benchmarks import Benchmark, load_benchmark, split_name
from ..caching import prune_cache
from ..candidates import Candidate
from ..evaluation import evaluate
from ..geometry import Side
from ..recordings import Recording
from ..runs import answers_for, benchmark_facts, candidate_facts
from ..store.queue import Claim, Lease, Outcome
from ..store.submitted import StoredSubmission
from ..submissions.given import GivenActivations, GivenAnswers
from . import resources
from .desk import Desk
from .faults import end_badly

log = logging.getLogger(__name__)

Source = Candidate | GivenActivations
"""What is scored: a network, or what one answered elsewhere."""

Load = Callable[[StoredSubmission], AbstractContextManager[Source]]
"""How a submission becomes one, for as long as the block lasts."""


def run_claim(desk: Desk, claim: Claim, *, load: Load, engine: Engine | None = None) -> None:
    """Score the claim's model on its benchmarks; each is committed as soon as it is known.

    Faults of the model end its jobs as failed, all else puts them back. What is left when the desk
    is asked to stop stays held. Raises StoreError if the database can't be written.
    """
    resources.forget_peak()
    try:
        with load(claim.submission) as candidate:
            for lease in desk.held()[:1]:
                desk.log(lease, f"{candidate.card.name} is loaded; benchmarks: {len(desk.held())}")
            _score(desk, candidate, engine)
    except Exception as error:
        for lease in desk.held():
            end_badly(desk, lease, error)


def _score(desk: Desk, source: Source, engine: Engine | None) -> None:
    wanted: dict[str, list[tuple[Lease, Benchmark]]] = {}
    for lease, benchmark in _unscored(desk, source):
        stimuli = benchmark.recording.stimuli.content_hash
        wanted.setdefault(stimuli, []).append((lease, benchmark))
    for group in wanted.values():
        if desk.stopping.is_set():
            return
        _score_group(desk, source, group, engine)
    prune_cache()


def _unscored(desk: Desk, source: Source) -> Iterator[tuple[Lease, Benchmark]]:
    """All leases with their benchmarks, but for those that the very same model was scored on.

    Each recording is loaded once.
    """
    recordings: dict[str, Recording] = {}
    for lease in desk.held():
        try:
            dataset = split_name(lease.benchmark)[0]
            benchmark = load_benchmark(lease.benchmark, recording=recordings.get(dataset))
            recordings[dataset] = benchmark.recording
        except Exception as error:
            end_badly(desk, lease, error)
            continue
        versions = source.fingerprint, benchmark.fingerprint
        stored = None if lease.anew else desk.counter.stored_score(*versions)
        if stored is None:
            yield lease, benchmark
        else:
            desk.keep_stored(lease, stored)


def _score_group(
    desk: Desk, source: Source, group: list[tuple[Lease, Benchmark]], engine: Engine | None
) -> None:
    """Score benchmarks that share stimuli, and so the extraction, whose time they share alike."""
    start = time.perf_counter()
    own = desk.turn_to([lease for lease, _ in group], "extracting")
    if not own:
        return
    try:
        answers = _answers(desk, source, [benchmark for _, benchmark in group], engine)
        answers.layers()
    except Exception as error:
        for lease in own:
            end_badly(desk, lease, error)
        return
    shared = (time.perf_counter() - start) / len(own)
    for lease, benchmark in group:
        if desk.stopping.is_set():
            return
        if desk.holds(lease) and desk.turn_to([lease], "scoring"):
            layers = partial(answers.layers, benchmark.card.reads)
            _score_one(desk, source, (lease, benchmark), layers, seconds=shared)


def _answers(
    desk: Desk, source: Source, benchmarks: Sequence[Benchmark], engine: Engine | None
) -> Answers | GivenAnswers:
    """What the model answers to the stimuli that these benchmarks share."""

    def follow(done: int, total: int) -> None:
        desk.tell(done=done, total=total)

    if isinstance(source, Candidate):
        found = answers_for(source, benchmarks, engine=engine, progress=follow)
        return next(answers for answers, _ in found)
    return source.answers(benchmarks[0].recording.stimuli, progress=follow)


def _score_one(
    desk: Desk,
    source: Source,
    job: tuple[Lease, Benchmark],
    layers: Callable[[], Mapping[str, Side]],
    *,
    seconds: float,
) -> None:
    start, used = time.perf_counter(), resources.cpu_seconds()
    lease, benchmark = job
    try:
        score = evaluate(benchmark, _Followed(desk, layers()), candidate=source.card.name)
        outcome = Outcome(
            candidate=candidate_facts(source) if isinstance(source, Candidate) else source.facts,
            benchmark=benchmark_facts(benchmark),
            score=score,
            seconds=seconds + time.perf_counter() - start,
            peak_bytes=resources.peak_bytes(),
            seed=benchmark.seed,
            spent={"cpu_seconds": round(resources.cpu_seconds() - used, 3)},
        )
        desk.keep(lease, outcome)
    except Exception as error:
        end_badly(desk, lease, error)


class _Followed(Mapping[str, Side]):
    """Layers that tell the desk which of them is looked at."""

    def __init__(self, desk: Desk, layers: Mapping[str, Side]) -> None:
        self._desk = desk
        self._layers = layers
        self._seen: set[str] = set()

    def __getitem__(self, layer: str) -> Side:
        self._seen.add(layer)
        self._desk.tell(layer=layer, done=len(self._seen), total=len(self._layers))
        return self._layers[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)
