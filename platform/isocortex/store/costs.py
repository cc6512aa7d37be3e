"""What scoring took in the past: seconds for each layer, by benchmark and by scorer."""

import statistics
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, select

from .opening import reading
from .schema import Benchmark, BenchmarkVersion, CandidateVersion, Run

_RECENT: Final = 5_000


@dataclass(frozen=True)
class ScoringCosts:
    """Median seconds for one layer: of the same benchmark, or of the same scorer elsewhere."""

    by_benchmark: Mapping[str, float]
    by_scorer: Mapping[str, float]

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
            each = (seconds or 0.0) / max(1, len(layers))
            benchmarks[name].append(each)
            scorers[name.rpartition("/")[2]].append(each)
    return ScoringCosts(
        {name: statistics.median(found) for name, found in benchmarks.items()},
        {name: statistics.median(found) for name, found in scorers.items()},
    )
