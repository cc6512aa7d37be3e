"""Runs: from the names of a candidate and a benchmark to a score, cached and stored.

The forward pass is the expensive step: its geometries are cached by content, so all benchmarks that
share stimuli share it, also across runs.
"""

from dataclasses import dataclass, replace

import torch
from torch import nn

from . import registry
from .benchmarks import Benchmark, load_benchmark
from .caching import geometry_key, load_geometry, prune_cache, store_geometry
from .candidates import Candidate, Preprocessing, PreprocessingFunction, as_candidate
from .cards import card_facts
from .errors import InputError, UnknownNameError
from .evaluation import evaluate
from .extraction import EXTRACTION_VERSION, Progress, extract_geometries
from .geometry import Geometry
from .scores import Score
from .stimuli import StimulusSet
from .store import BenchmarkFacts, CandidateFacts, DatasetFacts, ScorerFacts, Store, StoredScore


@dataclass(frozen=True)
class Engine:
    """Where and how a network runs: a torch device, and how many stimuli at once."""

    device: str = "cpu"
    batch_size: int = 32

    def __post_init__(self) -> None:
        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            raise InputError(
                f"the device {self.device!r} can't be used: {str(error).splitlines()[0]}. "
                "Use cpu, cuda or mps, as far as this computer has them"
            ) from None

    @property
    def name(self) -> str:
        """What decides the last digits of a response: torch, kind of device and our own version."""
        kind = torch.device(self.device).type
        return f"torch {torch.__version__} on {kind}, extraction {EXTRACTION_VERSION}"


def load_candidate(name: str, *, layers: tuple[str, ...] | None = None) -> Candidate:
    """The candidate of that name with its weights, which are fetched on first use.

    `family/member` loads a member of an open family, such as `torchvision/resnet18`. With `layers`
    it is read out there instead, and its name says so. Raises UnknownNameError, FetchError,
    ChecksumError.
    """
    family, _, member = name.partition("/")
    families = {entry.name: entry for entry in registry.entries("candidate_family")}
    if family in families and member:
        candidate: Candidate = families[family].load()(member)
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
    if store is None:
        return _computed(candidate, benchmark, engine, progress)
    stored = store.find_score(candidate.fingerprint, benchmark.fingerprint)
    if stored is not None and not force:
        return _as_score(stored, store)
    with store.record(
        candidate_facts(candidate), benchmark_facts(benchmark), seed=benchmark.seed
    ) as run:
        result = _computed(candidate, benchmark, engine, progress)
        run.keep(result)
    return result


def geometries(
    candidate: Candidate,
    stimuli: StimulusSet,
    *,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> dict[str, Geometry]:
    """The geometry of each of the candidate's layers on the stimuli, from the cache if it is there.

    Layers that are missing there are extracted in one forward pass.
    """
    engine = engine or Engine()
    keys = {
        layer: geometry_key(
            network_hash=candidate.network_hash,
            layer=layer,
            stimuli=stimuli,
            engine=engine.name,
        )
        for layer in candidate.layers
    }
    found = {layer: load_geometry(key) for layer, key in keys.items()}
    missing = [layer for layer, geometry in found.items() if geometry is None]
    if missing:
        extracted = extract_geometries(
            replace(candidate, layers=tuple(missing)),
            stimuli,
            batch_size=engine.batch_size,
            device=engine.device,
            progress=progress,
        )
        for layer, geometry in extracted.items():
            store_geometry(keys[layer], geometry)
        prune_cache()
        found |= extracted
    return {layer: geometry for layer, geometry in found.items() if geometry is not None}


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


def _computed(
    candidate: Candidate,
    benchmark: Benchmark,
    engine: Engine | None,
    progress: Progress | None,
) -> Score:
    layers = geometries(candidate, benchmark.recording.stimuli, engine=engine, progress=progress)
    return evaluate(benchmark, layers, candidate=candidate.card.name)


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
