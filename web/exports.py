"""The leaderboard as a file: one line for each model and benchmark."""

import csv
import io

from isocortex import ontology
from isocortex.store import Leaderboard, LeaderboardRow, StoredScore

_SCORE: tuple[str, ...] = (
    *("raw", "low", "high", "confidence", "value", "value_low", "value_high", "layer"),
    *("candidate_fingerprint", "benchmark_fingerprint"),
)
_STANDING = ("rank", "rank_low", "rank_high", "mean", "mean_low", "mean_high")


def leaderboard_csv(board: Leaderboard) -> str:
    """The leaderboard as CSV with a header line; what is missing is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    model, ceiling = ("model", *ontology.AXES, *_STANDING), ("ceiling_lower", "ceiling_upper")
    writer.writerow([*model, "benchmark", "simulated", *_SCORE, *ceiling])
    for row in board.rows:
        for name, score in sorted(row.scores.items()):
            writer.writerow([*_model(row), name, board.simulated, *_numbers(score)])
    return text.getvalue()


def _model(row: LeaderboardRow) -> list[object]:
    terms = [row.card[axis] for axis in ontology.AXES]
    return [
        _harmless(row.candidate),
        *terms,
        *(getattr(row.standing, key, None) for key in _STANDING),
    ]


def _numbers(score: StoredScore) -> list[object]:
    ceiling = score.ceiling
    ends = (None, None) if ceiling is None else (ceiling.lower, ceiling.upper)
    return [*(_harmless(getattr(score, key)) for key in _SCORE), *ends]


def _harmless(value: object) -> object:
    """A name that a spreadsheet would run as a formula, as text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@" else value
