"""Recipes: a cell of the zoo by name, and whether its parts fit each other.

The id of a trained network is its recipe: `conv4/contrast/feedback@shapes32#0` is the architecture
conv4 trained for the objective contrast by the rule feedback on the diet shapes32 with seed 0.
Constraints follow the architecture, `conv4+dale/…`; a budget other than "pocket" follows the diet,
`…@shapes32:smoke#0`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final, Self, cast

from . import registry
from .budgets import find_budget
from .cards import PartCard, PartKind
from .errors import IncompatibleError, InputError

_FORM: Final = re.compile(
    r"(?P<architecture>[^/+@#:]+)(?P<constraints>(\+[^/+@#:]+)*)/(?P<objective>[^/+@#:]+)/"
    r"(?P<rule>[^/+@#:]+)@(?P<diet>[^/+@#:]+)(:(?P<budget>[^/+@#:]+))?#(?P<seed>\d+)"
)


@dataclass(frozen=True)
class Recipe:
    """The parts of a trained network by name."""

    architecture: str
    objective: str
    rule: str
    diet: str
    seed: int = 0
    constraints: tuple[str, ...] = ()
    budget: str = "pocket"

    @classmethod
    def parse(cls, name: str) -> Self:
        """The recipe of that name. Raises InputError for another form.

        >>> Recipe.parse("conv4/contrast/feedback@shapes32#0").rule
        'feedback'
        """
        found = _FORM.fullmatch(name)
        if found is None:
            raise InputError(
                f"{name!r} is no recipe; expected architecture/objective/rule@diet#seed, such as "
                "conv4/contrast/feedback@shapes32#0"
            )
        return cls(
            found["architecture"],
            found["objective"],
            found["rule"],
            found["diet"],
            int(found["seed"]),
            tuple(filter(None, found["constraints"].split("+"))),
            found["budget"] or "pocket",
        )

    @property
    def name(self) -> str:
        """The id: `parse` gives the recipe back."""
        budget = "" if self.budget == "pocket" else f":{self.budget}"
        parts = f"{self.constrained}/{self.objective}/{self.rule}@{self.diet}"
        return f"{parts}{budget}#{self.seed}"

    @property
    def constrained(self) -> str:
        """The architecture with its constraints, `dann3+dale`."""
        return "+".join((self.architecture, *self.constraints))

    @property
    def cell(self) -> "Recipe":
        """The recipe of seed 0, which all seeds of a cell share."""
        return replace(self, seed=0)

    @property
    def parts(self) -> tuple[tuple[PartKind, str], ...]:
        """Kind and name of all parts."""
        return (
            ("architecture", self.architecture),
            ("objective", self.objective),
            ("learning_rule", self.rule),
            ("diet", self.diet),
            *(("constraint", each) for each in self.constraints),
        )

    def cards(self) -> tuple[PartCard, ...]:
        """The cards of all parts. Raises UnknownNameError."""
        return tuple(part_card(kind, name) for kind, name in self.parts)

    def gaps(self) -> dict[str, tuple[str, ...]]:
        """What each part needs and no part offers, by the part's name; empty if all fit."""
        cards = self.cards()
        offered = {each for card in cards for each in card.offers}
        if "chain" in offered:
            offered.add("separable")  # blocks one after the other can be trained apart
        if not any(card.mechanism == "cut" for card in cards):
            offered.add("uncut")  # one loss teaches the whole network
        gaps = {card.name: tuple(n for n in card.needs if n not in offered) for card in cards}
        return {name: missing for name, missing in gaps.items() if missing}


def part_card(kind: PartKind, name: str) -> PartCard:
    """The card of a part. Raises UnknownNameError."""
    return cast(PartCard, registry.find_entry(kind, name).card)


def require_fitting(recipe: Recipe) -> None:
    """Raise IncompatibleError with every gap and the nearest cells that have none."""
    find_budget(recipe.budget)
    gaps = recipe.gaps()
    if not gaps:
        return
    faults = [f"{name} needs {' and '.join(missing)}" for name, missing in gaps.items()]
    nearest = [each.name for each in nearest_fitting(recipe)]
    raise IncompatibleError(
        f"{recipe.name} makes no sense: {'; '.join(faults)}, which no other part offers. "
        + (f"Nearest that do: {', '.join(nearest)}" if nearest else "No other one part mends it")
    )


def nearest_fitting(recipe: Recipe, *, most: int = 3) -> list[Recipe]:
    """Recipes that fit and differ in one part."""
    found: list[Recipe] = []
    for field, kind in _FIELDS.items():
        for entry in registry.entries(kind):
            if entry.name.endswith("*"):  # stands for others
                continue
            other: Recipe = replace(recipe, **cast(dict[str, Any], {field: entry.name}))
            if not other.gaps():
                found.append(other)
                break
    return found[:most]


_FIELDS: Final[dict[str, PartKind]] = {
    "rule": "learning_rule",
    "objective": "objective",
    "diet": "diet",
    "architecture": "architecture",
}


@dataclass(frozen=True)
class Grid:
    """All crossings of some parts: the `cells` that fit, and the `refused` with their gaps."""

    cells: tuple[Recipe, ...]
    refused: dict[str, dict[str, tuple[str, ...]]]

    def __iter__(self) -> Iterator[Recipe]:
        return iter(self.cells)

    def __len__(self) -> int:
        return len(self.cells)


def grid(
    *,
    architectures: Sequence[str],
    objectives: Sequence[str],
    rules: Sequence[str],
    diets: Sequence[str],
    seeds: Sequence[int] = (0,),
    budget: str = "pocket",
) -> Grid:
    """Every crossing of the named parts. Raises UnknownNameError for a part that is not there."""
    find_budget(budget)
    crossed = [
        Recipe(architecture, objective, rule, diet, seed, (), budget)
        for architecture, objective, rule, diet, seed in product(
            architectures, objectives, rules, diets, seeds
        )
    ]
    gaps = {each: each.gaps() for each in crossed}
    return Grid(
        tuple(each for each in crossed if not gaps[each]),
        {each.name: missing for each, missing in gaps.items() if missing},
    )
