"""What scoring took in the past: seconds for each layer, and the memory of workers."""

import statistics
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, select

from .opening import reading
from .schema import Benchmark, BenchmarkVersion, CandidateVersion, Run
from .service import Job, Submission

_RECENT: Final = 5_000


@dataclass(frozen=True)
class ScoringCosts:
    """Median seconds for one layer: of the same benchmark, or of the same scorer elsewhere.

    `usual_layers` is the median number of layers, for a model whose layers are not chosen yet.
    """

    by_benchmark: Mapping[str, float]
    by_scorer: Mapping[str, float]
    usual_layers: int = 1

    def seconds(self, benchmark: str, *, layers: int) -> float | None:
        """What scoring a model with so many layers will take; None if nothing like it was timed."""
        each = self.by_benchmark.get(benchmark, self.by_scorer.get(benchmark.rpartition("/")[2]))
        return None if each is None else each * layers


def scoring_costs(engine: Engine) -> ScoringCosts:
    """What the last runs took that ended with a score.

    A run that began a pass of the network counts the pass as well, so these are upper estimates.
    """
    benchmarks: dict[str, list[float]] = defaultdict(list)
    scorers: dict[str, list[float]] = defaultdict(list)
    counts: list[int] = []
    query = (
        select(Benchmark.name, Run.seconds, CandidateVersion.layers)
        .join(BenchmarkVersion, Run.benchmark_version_id == BenchmarkVersion.id)
        .join(Benchmark, BenchmarkVersion.benchmark_id == Benchmark.id)
        .join(CandidateVersion, Run.candidate_version_id == CandidateVersion.id)
        .where(Run.state == "done", Run.seconds.is_not(None))
        .order_by(Run.id.desc())
        .limit(_RECENT)
    )
    with reading(engine) as connection:
        for name, seconds, layers in connection.execute(query):
            counts.append(max(1, len(layers)))
            each = (seconds or 0.0) / counts[-1]
            benchmarks[name].append(each)
            scorers[name.rpartition("/")[2]].append(each)
    return ScoringCosts(
        {name: statistics.median(found) for name, found in benchmarks.items()},
        {name: statistics.median(found) for name, found in scorers.items()},
        statistics.median_low(counts) if counts else 1,
    )


@dataclass(frozen=True)
class MemoryCosts:
    """The median of the most bytes that a worker held: by benchmark, or else by dataset."""

    by_benchmark: Mapping[str, int]
    by_dataset: Mapping[str, int]

    def peak_bytes(self, benchmark: str) -> int | None:
        """What a job on this benchmark will hold; None if none on its dataset was measured."""
        dataset = benchmark.partition("/")[0]
        return self.by_benchmark.get(benchmark, self.by_dataset.get(dataset))


def memory_costs(engine: Engine, kind: str) -> MemoryCosts:
    """What the last jobs held that ended with a score, of submissions of that kind alone.

    The networks differ in size, so of a larger one than usual this says too little.
    """
    benchmarks: dict[str, list[int]] = defaultdict(list)
    datasets: dict[str, list[int]] = defaultdict(list)
    query = (
        select(Job.benchmark, Job.peak_bytes)
        .join(Submission, Job.submission_id == Submission.id)
        .where(Submission.kind == kind, Job.state == "done", Job.peak_bytes.is_not(None))
        .order_by(Job.id.desc())
        .limit(_RECENT)
    )
    with reading(engine) as connection:
        for name, held in connection.execute(query):
            benchmarks[name].append(held or 0)
            datasets[name.partition("/")[0]].append(held or 0)
    return MemoryCosts(
        {name: round(statistics.median(found)) for name, found in benchmarks.items()},
        {name: round(statistics.median(found)) for name, found in datasets.items()},
    )
