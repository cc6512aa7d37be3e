"""The command that lists what networks are trained from."""

from typing import Annotated, Final, cast

import typer

from .. import registry
from ..cards import PartCard, PartKind, card_facts
from ..errors import UnknownNameError
from ._app import app
from ._output import print_facts, print_json, print_table
from .listing import AsJson

_TITLES: Final[dict[PartKind, str]] = {
    "architecture": "Architectures",
    "objective": "Objectives",
    "learning_rule": "Learning rules",
    "diet": "Diets",
    "constraint": "Constraints",
}


@app.command()
def parts(
    name: Annotated[
        str | None, typer.Argument(help="One part; or of one kind, such as learning_rule.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the parts that networks are trained from, or show one.

    A recipe fits if all that its parts need is offered by one of them.
    """
    found = {
        kind: [cast(PartCard, entry.card) for entry in registry.entries(kind)] for kind in _TITLES
    }
    if name is not None and name not in _TITLES:
        _show(name, found, as_json)
        return
    kinds = [kind for kind in _TITLES if name in (None, kind)]
    if as_json:
        print_json({kind: [card_facts(card) for card in found[kind]] for kind in kinds})
        return
    for kind in kinds:
        print_table(
            _TITLES[kind],
            ("name", "what it is", "needs", "offers", "source"),
            [
                (
                    card.name,
                    card.summary,
                    ", ".join(card.needs),
                    ", ".join(card.offers),
                    card.source.partition(";")[0],
                )
                for card in found[kind]
            ],
        )


def _show(name: str, found: dict[PartKind, list[PartCard]], as_json: bool) -> None:
    """Every part of that name: an objective and a rule may share one."""
    named = [
        {"kind": kind, **card_facts(card)}
        for kind, cards in found.items()
        for card in cards
        if card.name == name
    ]
    if not named:
        known = [*_TITLES, *(card.name for cards in found.values() for card in cards)]
        raise UnknownNameError.among("part", name, known)
    if as_json:
        print_json(named)
        return
    for facts in named:
        print_facts(facts)
