"""What speaks for a network as an account of a brain, by the terms of its card."""

from collections.abc import Mapping
from typing import Any, Final

from isocortex import ontology
from isocortex.errors import UnknownNameError

STATEMENTS: Final[Mapping[str, str]] = {
    "no_weight_transport": "no weight transport",
    "local": "local learning",
    "one_phase": "one phase",
    "no_separate_backward_pass": "no separate backward pass",
    "online": "learns online",
    "no_labels": "no labels",
    "no_weight_sharing": "no weight sharing",
    "recurrent": "recurrent",
    "spiking": "spiking",
}
"""All statements with their labels. A learning rule says the first five of itself."""


def find_term(axis: ontology.Axis, name: str) -> ontology.Term:
    """The term of that name; one that has left the ontology since is its bare name."""
    try:
        return ontology.find_term(axis, name)
    except UnknownNameError:
        return ontology.Term(axis, name, None, name)


def statements(card: Mapping[str, Any]) -> dict[str, bool]:
    """Whether each of `STATEMENTS` holds of a candidate with this card.

    Labels are needed if objective or rule need them, weights are shared if the architecture says
    so; what no term says does not hold. A network that never learned has nothing against it.
    """
    rule = find_term("learning_rule", card["learning_rule"]).properties
    objective = find_term("objective", card["objective"]).properties
    architecture = find_term("architecture", card["architecture"]).properties
    said = {name: rule.get(name, False) for name in tuple(STATEMENTS)[:5]}
    learns = card["learning_rule"] not in ("untrained", "hand-set")
    needs_labels = learns and objective.get("needs_labels", True)
    return said | {
        "no_labels": not needs_labels,
        "no_weight_sharing": not architecture.get("weight_sharing", False),
        "recurrent": architecture.get("recurrent", False),
        "spiking": architecture.get("spiking", False),
    }


def plausibility(card: Mapping[str, Any]) -> int:
    """How many of `STATEMENTS` hold, from 0 to all: a count, not a verdict."""
    return sum(statements(card).values())
