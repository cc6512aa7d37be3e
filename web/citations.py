"""What to cite for a leaderboard: each of its datasets, scorers and models, once."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from isocortex.store import Leaderboard


def bibliography(board: Leaderboard, models: Iterable[str]) -> str:
    """BibTeX of the datasets and scorers of a board and of these of its models, each key once."""
    wanted = frozenset(models)
    cards: list[Mapping[str, Any]] = [one.dataset_card for one in board.benchmarks]
    cards += [one.scorer_card for one in board.benchmarks]
    cards += [row.card for row in board.rows if row.candidate in wanted]
    found: dict[str, str] = {}
    for card in cards:
        for key, entry in entries(str(card.get("bibtex", ""))):
            found.setdefault(key, entry)
    return "\n\n".join(found.values()) + "\n" if found else ""


def entries(bibtex: str) -> Iterator[tuple[str, str]]:
    """Key and text of each entry of a BibTeX string.

    >>> [key for key, _ in entries("@article{a,\\n title={x}\\n}\\n@book{b,\\n}")]
    ['a', 'b']
    """
    for entry in re.split(r"\n(?=@)", bibtex.strip()):
        if head := re.match(r"@\w+\{([^,\s]+),", entry):
            yield head[1], entry.strip()
