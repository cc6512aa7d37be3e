"""Badges: a model's place as a small picture for its own page elsewhere."""

from typing import Final

from isocortex.store import LeaderboardRow

from .rendering import number

_LETTER: Final = 6.6
"""How wide a letter is at 11 px, as good as always."""


def badge_text(row: LeaderboardRow | None, of: int) -> str:
    """What a badge says of a model: its mean and rank among `of`, or that it has none."""
    if row is None:
        return "not scored"
    place = row.standing
    if place is None:
        return f"{len(row.scores)} scores"
    ties = (
        "" if place.rank_low in (None, place.rank_high) else f", {place.rank_low}–{place.rank_high}"
    )
    return f"{number(place.mean)} · rank {place.rank}{ties} of {of}"


def badge_widths(text: str) -> tuple[float, float]:
    """How wide the two halves of a badge are: its label and this text."""
    return round(len("isocortex") * _LETTER + 14, 1), round(len(text) * _LETTER + 14, 1)
