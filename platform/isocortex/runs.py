"""Runs: from the names of a candidate and benchmarks to scores, cached and stored."""

from collections.abc import Iterable, Iterator, Sequence

from torch import nn

from . import registry
from .answers import Answers
from .answers import Engine as Engine
from .benchmarks import Benchmark, load_benchmark
from .candidates import Candidate, Preprocessing, PreprocessingFunction, as_candidate
from .cards import card_facts
from .errors import IsocortexError, UnknownNameError
from .evaluation import evaluate
from .extraction import Progress
from .geometry import Geometry
from .scores import Score
from .stimuli import StimulusSet
from .store import BenchmarkFacts, CandidateFacts, DatasetFacts, ScorerFacts, Store, StoredScore
from .trained import trained_candidate


def load_candidate(name: str, *, layers: tuple[str, ...] | None = None) -> Candidate:
    """The candidate of that name with its weights, which are fetched on first use.

    A recipe, such as `conv4/categorise/backprop@digits#0`, is trained if it was not before.
    `family/member` loads a member of an open family, such as `torchvision/resnet18`. With `layers`
    it is read out there instead, and its name says so. Raises UnknownNameError, FetchError,
    ChecksumError.
    """
    family, _, member = name.partition("/")
    families = {entry.name: entry for entry in registry.entries("candidate_family")}
    candidate: Candidate
    if "@" in name:
        candidate = trained_candidate(name)
    elif family in families and member:
        candidate = families[family].load()(member)
    else:
        entry = _entry_of(name, tuple(families))
        candidate = entry.load()(entry.card)
    return candidate if layers is None else candidate.with_layers(layers)


def _entry_of(name: str, families: tuple[str, ...]) -> registry.Entry:
    try:
        return registry.find_entry("candidate", name)
    except UnknownNameError as error:
        listed = ", ".join(f"{family}/…" for family in families)
        raise UnknownNameError(f"{error} (open families: {listed})") from None


def score(
    candidate: str | Candidate | nn.Module,
    benchmark: str | Benchmark,
    *,
    preprocessing: Preprocessing | PreprocessingFunction | None = None,
    store: Store | None = None,
    force: bool = False,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> Score:
    """The score of a candidate on a benchmark, both given by name or as objects.

    Any `nn.Module` will do together with its `preprocessing` (image → tensor); see `as_candidate`
    to name it and its layers. With a `store` the score is kept, and a score that the store holds
    for the same version of both is given back without work, unless `force`.
    """
    if isinstance(candidate, nn.Module):
        candidate = as_candidate(candidate, preprocessing, name=type(candidate).__name__)
    elif isinstance(candidate, str):
        candidate = load_candidate(candidate)
    if isinstance(benchmark, str):
        benchmark = load_benchmark(benchmark)
    ((_, result),) = score_all(
        candidate, [benchmark], store=store, force=force, engine=engine, progress=progress
    )
    if isinstance(result, IsocortexError):
        raise result
    return result


def score_all(
    candidate: Candidate,
    benchmarks: Sequence[Benchmark],
    *,
    store: Store | None = None,
    force: bool = False,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[Benchmark, Score | IsocortexError]]:
    """Each benchmark with the candidate's score on it, or with what went wrong.

    Benchmarks that share stimuli share the forward pass: geometries and units come of the same one.
    A stored score is given back as `score` does, unless `force`, or unless the engine reduces.
    """
    for answers, group in answers_for(candidate, benchmarks, engine=engine, progress=progress):
        with answers:
            for benchmark in group:
                try:
                    yield benchmark, _scored(answers, benchmark, store, force)
                except IsocortexError as error:
                    yield benchmark, error


def answers_for(
    candidate: Candidate,
    benchmarks: Iterable[Benchmark],
    *,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[Answers, list[Benchmark]]]:
    """What the benchmarks need of the candidate, once for each stimulus set, and who needs it."""
    groups: dict[str, list[Benchmark]] = {}
    for benchmark in benchmarks:
        groups.setdefault(benchmark.recording.stimuli.content_hash, []).append(benchmark)
    for group in groups.values():
        stimuli = group[0].recording.stimuli
        units = any(each.card.reads == "units" for each in group)
        answers = Answers(candidate, stimuli, engine=engine, units=units, progress=progress)
        yield answers, group


def geometries(
    candidate: Candidate,
    stimuli: StimulusSet,
    *,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> dict[str, Geometry]:
    """The geometry of each of the candidate's layers on the stimuli, from the cache if it is there.

    Layers that are missing there are extracted, in one forward pass if the engine's cap allows.
    """
    with Answers(candidate, stimuli, engine=engine, progress=progress) as answers:
        layers = answers.layers()
        return {layer: side for layer, side in layers.items() if isinstance(side, Geometry)}


def candidate_facts(candidate: Candidate) -> CandidateFacts:
    """What the store keeps of a candidate's version."""
    return CandidateFacts(
        card=card_facts(candidate.card),
        fingerprint=candidate.fingerprint,
        weights_hash=candidate.weights_hash,
        parameters=candidate.parameters,
        layers=candidate.layers,
    )


def benchmark_facts(benchmark: Benchmark) -> BenchmarkFacts:
    """What the store keeps of a benchmark's version."""
    recording, card = benchmark.recording, benchmark.card
    return BenchmarkFacts(
        name=benchmark.name,
        fingerprint=benchmark.fingerprint,
        dataset=DatasetFacts(card=card_facts(recording.card), content_hash=recording.content_hash),
        scorer=ScorerFacts(
            card=card_facts(card),
            options=dict(card.options),
            fingerprint=benchmark.scorer_fingerprint,
        ),
        region=benchmark.region,
        protocol=benchmark.protocol,
        normalisation=card.normalisation,
    )


def _scored(answers: Answers, benchmark: Benchmark, store: Store | None, force: bool) -> Score:
    """The score that is stored, or else the one that is computed now, and stored."""
    candidate = answers.candidate
    if store is None:
        return _computed(answers, benchmark)
    stored = store.find_score(candidate.fingerprint, benchmark.fingerprint)
    if stored is not None and not force and answers.engine.reduce is None:
        return _as_score(stored, store)
    facts = candidate_facts(candidate), benchmark_facts(benchmark)
    with store.record(*facts, seed=benchmark.seed) as run:
        result = _computed(answers, benchmark)
        run.keep(result)
    return result


def _computed(answers: Answers, benchmark: Benchmark) -> Score:
    layers = answers.layers(benchmark.card.reads)
    return evaluate(benchmark, layers, candidate=answers.candidate.card.name)


def _as_score(stored: StoredScore, store: Store) -> Score:
    return Score(
        candidate=stored.candidate,
        benchmark=stored.benchmark,
        raw=stored.raw,
        ceiling=stored.ceiling,
        value=stored.value,
        low=stored.low,
        high=stored.high,
        confidence=stored.confidence,
        resampled=stored.resampled,
        layer=stored.layer,
        counts=stored.counts,
        detail=store.load_detail(stored),
    )
