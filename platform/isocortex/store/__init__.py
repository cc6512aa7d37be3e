"""Where scores are kept: a database for numbers and cards, a folder for arrays."""

from .criteria import Criteria
from .facts import BenchmarkFacts, CandidateFacts, DatasetFacts, ScorerFacts
from .leaderboards import Selection
from .listing import ScoreQuery
from .records import (
    FrozenBoard,
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
    "Criteria",
    "DatasetFacts",
    "FrozenBoard",
    "Leaderboard",
    "LeaderboardRow",
    "OpenRun",
    "PairedDifference",
    "ScorePage",
    "ScoreQuery",
    "ScoreSlice",
    "ScorerFacts",
    "Selection",
    "Standing",
    "Store",
    "StoredBenchmark",
    "StoredCandidate",
    "StoredModel",
    "StoredRun",
    "StoredScore",
    "open_store",
]
