"""Which candidates are asked for: by components, size, name and words of their cards."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .. import ontology
from .records import Evidence

Test = Callable[[Mapping[str, Any], int | None, Evidence], bool]
"""Whether a candidate is asked for that has this card, so many parameters (None: not known), and
scores of this evidence.
"""

_AXES: Final = tuple(ontology.AXES)


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """What candidates must have; a term stands for itself and all terms below it.

    `search` is any text of name or summary, `names` are the only ones that are asked for. A
    candidate that never was scored has no known size and meets no bound on it. `evidence` is that
    of the version that was scored last.
    """

    architecture: str | None = None
    objective: str | None = None
    learning_rule: str | None = None
    diet: str | None = None
    min_parameters: int | None = None
    max_parameters: int | None = None
    search: str = ""
    names: frozenset[str] | None = None
    evidence: Evidence | None = None

    def test(self) -> Test:
        """The criteria as a function. Raises UnknownNameError for a term that is not there."""
        below = {
            axis: _below(axis, name)
            for axis in _AXES
            if (name := getattr(self, axis, None)) is not None
        }
        tests: list[Test] = []
        if below:
            tests.append(lambda card, *_: all(card[axis] in below[axis] for axis in below))
        if (names := self.names) is not None:
            tests.append(lambda card, *_: card["name"] in names)
        least, most, text = self.min_parameters, self.max_parameters, self.search.lower()
        if least is not None:
            tests.append(lambda _, size, __: size is not None and size >= least)
        if most is not None:
            tests.append(lambda _, size, __: size is not None and size <= most)
        if text:
            tests.append(lambda card, *_: text in f"{card['name']} {card['summary']}".lower())
        if (evidence := self.evidence) is not None:
            tests.append(lambda _, __, found: found == evidence)
        return lambda card, size, found: all(test(card, size, found) for test in tests)


def _below(axis: ontology.Axis, name: str) -> set[str]:
    """The term and all below it; the ontology lists parents before their children."""
    below = {ontology.find_term(axis, name).name}
    for term in ontology.terms(axis):
        if term.parent in below:
            below.add(term.name)
    return below
