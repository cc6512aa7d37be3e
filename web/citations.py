"""What to cite for a leaderboard: each of its datasets, scorers and models, once."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from isocortex.store import Leaderboard


def bibliography(board: Leaderboard, models: Iterable[str]) -> str:
    """BibTeX of the datasets and scorers of a board and of these of its models, each key once.

    A key does not depend on what else is cited: those of models that were handed in end in the
    model's name, for anybody may have chosen any key.
    """
    wanted = frozenset(models)
    handed_in = {one.model for one in board.columns.owned.owners.values()}
    cited = {row.candidate: row.card for row in board.rows if row.candidate in wanted}
    cards: list[tuple[str, Mapping[str, Any]]]
    cards = [("", one.dataset_card) for one in board.benchmarks]
    cards += [("", one.scorer_card) for one in board.benchmarks]
    cards += [(name if name in handed_in else "", cited[name]) for name in sorted(cited)]
    found: dict[str, str] = {}
    for model, card in cards:
        for key, entry in entries(str(card.get("bibtex", ""))):
            own = f"{key}:{model}" if model else key
            found.setdefault(own, entry.replace(f"{{{key},", f"{{{own},", 1))
    return "\n\n".join(found.values()) + "\n" if found else ""


def entries(bibtex: str) -> Iterator[tuple[str, str]]:
    """Key and text of each entry of a BibTeX string.

    >>> [key for key, _ in entries("@article{a,\\n title={x}\\n}\\n@book{b,\\n}")]
    ['a', 'b']
    """
    for entry in re.split(r"\n(?=@)", bibtex.strip()):
        if head := re.match(r"@\w+\{([^,\s]+),", entry):
            yield head[1], entry.strip()
