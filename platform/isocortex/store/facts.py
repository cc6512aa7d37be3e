"""What a caller states when a score is recorded: candidate and benchmark as plain facts.

Cards come as `isocortex.cards.card_facts` makes them, so that the store never needs a network, a
recording or torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class CandidateFacts:
    """One version of a candidate; `fingerprint` tells it from every other version."""

    card: Mapping[str, Any]
    fingerprint: str
    weights_hash: str
    parameters: int
    layers: tuple[str, ...]

    @property
    def name(self) -> str:
        """The candidate's name, as its card has it."""
        return str(self.card["name"])


@dataclass(frozen=True, kw_only=True)
class DatasetFacts:
    """One version of a dataset: the version its card counts, and the hash of what it holds."""

    card: Mapping[str, Any]
    content_hash: str


@dataclass(frozen=True, kw_only=True)
class ScorerFacts:
    """One version of a scorer: its card, the options it ran with and the fingerprint of both."""

    card: Mapping[str, Any]
    options: Mapping[str, Any]
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class BenchmarkFacts:
    """One version of a benchmark: dataset, region, scorer and protocol.

    `protocol` holds all else that moves the number: splits, resamples, seeds. `normalisation` is
    that of `isocortex.scores.normalise`.
    """

    name: str
    fingerprint: str
    dataset: DatasetFacts
    scorer: ScorerFacts
    region: str
    protocol: Mapping[str, Any]
    normalisation: str
