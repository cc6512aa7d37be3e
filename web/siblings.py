"""Controlled siblings: models that are the same but for one component."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isocortex import ontology
from isocortex.errors import InputError
from isocortex.recipes import Recipe
from isocortex.store import Leaderboard, LeaderboardRow, StoredScore

from .columns import AXIS_LABELS

_PART_LABELS = {
    "architecture": "Architecture",
    "constraints": "Constraints",
    "objective": "Objective",
    "rule": "Learning rule",
    "diet": "Training data",
    "budget": "Budget",
    "seed": "Seed",
}


@dataclass(frozen=True)
class Sibling:
    """A model that differs in one `part`, where it has `theirs` for `own`.

    `difference` is how much better this model is than it, mean over the values on `shared`
    benchmarks.
    """

    name: str
    part: str
    own: str
    theirs: str
    difference: float | None
    shared: int


def siblings(
    board: Leaderboard, card: Mapping[str, Any], scores: Sequence[StoredScore]
) -> tuple[Sibling, ...]:
    """The models of a board that differ from this one in one component, by that and by name."""
    name = str(card["name"])
    own = {score.benchmark: score for score in scores}
    found = []
    for row in board.rows:
        change = None if row.candidate == name else difference(name, card, row)
        if change is not None:
            found.append(_sibling(row, change, own))
    order = [*_PART_LABELS.values(), *AXIS_LABELS.values()]
    return tuple(sorted(found, key=lambda one: (order.index(one.part), one.name)))


def difference(
    name: str, card: Mapping[str, Any], row: LeaderboardRow
) -> tuple[str, str, str] | None:
    """The one part in which a row differs, with both models' terms; None if not exactly one does.

    Two recipes differ by their parts. Of others, those of one family do, by the terms of their
    cards: a network that never learned also has no objective and no training data, which is one
    difference.
    """
    one, other = _recipe(name), _recipe(row.candidate)
    if one is not None and other is not None:
        parts, theirs = _parts(one), _parts(other)
        changed = [part for part in parts if parts[part] != theirs[part]]
        return _only(changed, parts, theirs, _PART_LABELS)
    if (one is None) != (other is None) or name.split("/")[0] != row.candidate.split("/")[0]:
        return None
    terms: dict[str, str] = {axis: str(card[axis]) for axis in ontology.AXES}
    others: dict[str, str] = {axis: str(row.card[axis]) for axis in ontology.AXES}
    changed = [axis for axis in ontology.AXES if terms[axis] != others[axis]]
    if "untrained" in (terms["learning_rule"], others["learning_rule"]):
        changed = [axis for axis in changed if axis not in ("objective", "diet")]
    return _only(changed, terms, others, AXIS_LABELS)


def _only(
    changed: Sequence[str],
    own: Mapping[str, str],
    theirs: Mapping[str, str],
    labels: Mapping[Any, str],
) -> tuple[str, str, str] | None:
    if len(changed) != 1:
        return None
    return labels[changed[0]], own[changed[0]], theirs[changed[0]]


def _sibling(
    row: LeaderboardRow, change: tuple[str, str, str], own: Mapping[str, StoredScore]
) -> Sibling:
    pairs = [
        (own[benchmark].value, score.value)
        for benchmark, score in row.scores.items()
        if benchmark in own
    ]
    differences = [one - other for one, other in pairs if one is not None and other is not None]
    mean = sum(differences) / len(differences) if differences else None
    return Sibling(row.candidate, *change, mean, len(differences))


def _recipe(name: str) -> Recipe | None:
    try:
        return Recipe.parse(name)
    except InputError:
        return None


def _parts(recipe: Recipe) -> dict[str, str]:
    return {
        part: "+".join(value) or "none" if isinstance(value, tuple) else str(value)
        for part, value in vars(recipe).items()
    }
