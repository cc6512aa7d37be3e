"""docs/jobs.md draws the state machine that runs."""

import re
from pathlib import Path

from isocortex.store.transitions import TRANSITIONS

DOCUMENT = Path(__file__).parents[2] / "docs" / "jobs.md"


def test_the_document_names_every_transition_from_where_to_where():
    rows = re.findall(r"^\| `(\w+)` \| (.+?) → (\w+) \|", DOCUMENT.read_text(), re.MULTILINE)
    told = {name: (set(sources.split(", ")), target) for name, sources, target in rows}
    assert told == {
        name: ({source or "–" for source in each.sources}, each.target)
        for name, each in TRANSITIONS.items()
    }
