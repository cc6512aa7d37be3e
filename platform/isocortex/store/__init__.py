"""Where scores are kept: a database for numbers and cards, a folder for arrays."""

from .facts import BenchmarkFacts, CandidateFacts, DatasetFacts, ScorerFacts
from .records import (
    Leaderboard,
    LeaderboardRow,
    PairedDifference,
    ScorePage,
    ScoreSlice,
    Standing,
    StoredBenchmark,
    StoredCandidate,
    StoredModel,
    StoredRun,
    StoredScore,
)
from .repository import Store, open_store
from .running import OpenRun

__all__ = [
    "BenchmarkFacts",
    "CandidateFacts",
    "DatasetFacts",
    "Leaderboard",
    "LeaderboardRow",
    "OpenRun",
    "PairedDifference",
    "ScorePage",
    "ScoreSlice",
    "ScorerFacts",
    "Standing",
    "Store",
    "StoredBenchmark",
    "StoredCandidate",
    "StoredModel",
    "StoredRun",
    "StoredScore",
    "open_store",
]
