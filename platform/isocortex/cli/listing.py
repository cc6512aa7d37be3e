"""Commands that read the registry's cards: they import no torch and run no entry."""

from typing import Annotated, Any

import typer

from .. import registry
from ..benchmarks import offered_benchmarks, require_compatible, split_name
from ..biology import biology
from ..cards import Card, Kind, card_facts
from ..errors import UnknownNameError
from ..recipes import Recipe, require_fitting
from ..shipped import controls_of, network_header, shipped_path, shipped_recipes
from ._app import app
from ._output import print_facts, print_json, print_table

Name = Annotated[str | None, typer.Argument(help="Show this one instead of listing all.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command()
def models(name: Name = None, as_json: AsJson = False) -> None:
    """List the candidates, or show one."""
    if name is not None:
        _show_model(name, as_json)
        return
    cards = [registry.candidate_card(entry) for entry in registry.entries("candidate")]
    families = [registry.family_card(entry) for entry in registry.entries("candidate_family")]
    if as_json:
        shipped = [
            {"name": cell.name, "parts": list(cell.parts), "seeds": seeds}
            for cell, seeds in _shipped_cells().items()
        ]
        print_json([*map(card_facts, cards), *map(card_facts, families), *shipped])
        return
    print_table(
        "Models",
        ("name", "architecture", "objective", "learning rule", "training data", "summary"),
        [
            *(
                (
                    card.name,
                    card.architecture,
                    card.objective,
                    card.learning_rule,
                    card.diet,
                    card.summary,
                )
                for card in cards
            ),
            *((f"{card.name}/…", "", "", "", "", card.summary) for card in families),
        ],
    )
    print_table(
        "Trained from parts",
        ("name", "architecture", "objective", "learning rule", "training data", "seeds"),
        _shipped_rows(),
        caption="shipped with their weights; `isocortex models NAME` shows the full card, and any "
        "other recipe is trained on first use",
    )


@app.command()
def datasets(name: Name = None, as_json: AsJson = False) -> None:
    """List the datasets, or show one."""
    if name is not None:
        _show(registry.dataset_card(name), as_json)
        return
    cards = [registry.dataset_card(entry.name) for entry in registry.entries("dataset")]
    if as_json:
        print_json([card_facts(card) for card in cards])
        return
    print_table(
        "Datasets",
        ("name", "species", "method", "regions", "recorded", "summary"),
        [
            (
                card.name,
                card.species,
                card.method,
                ", ".join(card.regions),
                card.recorded,
                card.summary,
            )
            for card in cards
        ],
    )


@app.command()
def scorers(name: Name = None, as_json: AsJson = False) -> None:
    """List the scorers, or show one."""
    if name is not None:
        _show(registry.scorer_card(name), as_json)
        return
    cards = [registry.scorer_card(entry.name) for entry in registry.entries("scorer")]
    if as_json:
        print_json([card_facts(card) for card in cards])
        return
    print_table(
        "Scorers",
        ("name", "family", "needs", "answers", "summary"),
        [
            (card.name, card.family, " or ".join(card.accepts), card.answers, card.summary)
            for card in cards
        ],
    )


@app.command()
def benchmarks(name: Name = None, as_json: AsJson = False) -> None:
    """List the benchmarks, or show one.

    Any dataset/region/scorer that fits works, whether it is on the list or not.
    """
    if name is not None:
        _show_benchmark(name, as_json)
        return
    offered = offered_benchmarks()
    if as_json:
        print_json(list(offered))
        return
    rows = []
    for each in offered:
        dataset, region, scorer = split_name(each)
        facts = registry.dataset_card(dataset)
        rows.append((each, facts.species, region, registry.scorer_card(scorer).summary))
    print_table("Benchmarks", ("name", "species", "region", "scorer"), rows)


@app.command()
def cite(
    names: Annotated[list[str], typer.Argument(help="Models, datasets, benchmarks …")],
) -> None:
    """Print the BibTeX of what is named."""
    entries: dict[str, None] = {}
    for name in names:
        for card in _cited(name):
            entries.setdefault(card.bibtex.strip() or f"% {card.name}: {card.source}")
    print("\n\n".join(entries))


def _cited(name: str) -> list[Card]:
    """The cards that stand behind a name of any kind."""
    kinds: tuple[Kind, ...] = ("candidate", "candidate_family", "dataset", "scorer")
    known: dict[str, Card] = {
        entry.name: entry.card for kind in kinds for entry in registry.entries(kind)
    }
    if name in known:
        return [known[name]]
    family = name.partition("/")[0]
    if family in {entry.name for entry in registry.entries("candidate_family")}:
        return [known[family]]
    dataset, _, rest = name.partition("/")
    if dataset in known and rest:
        _, _, scorer = split_name(name)
        return [registry.dataset_card(dataset), registry.scorer_card(scorer)]
    raise UnknownNameError.among("entry", name, [*known, *offered_benchmarks()])


def _show(card: Card, as_json: bool) -> None:
    _show_facts(card_facts(card), as_json)


def _show_facts(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(facts)
    else:
        print_facts(facts)


def _shipped_cells() -> dict[Recipe, list[int]]:
    """The cells that are shipped, as their first seed, with all their seeds."""
    seeds: dict[Recipe, list[int]] = {}
    for recipe in shipped_recipes():
        seeds.setdefault(recipe.cell, []).append(recipe.seed)
    return seeds


def _shipped_rows() -> list[tuple[str, ...]]:
    return [
        (
            cell.name,
            cell.constrained,
            cell.objective,
            cell.rule,
            cell.diet,
            ", ".join(map(str, seeds)),
        )
        for cell, seeds in _shipped_cells().items()
    ]


def _recipe_facts(name: str) -> dict[str, object]:
    """The full card of a shipped network; of another recipe, its parts and what follows of them."""
    recipe = Recipe.parse(name)
    if (path := shipped_path(recipe)).exists():
        return {**network_header(path)["facts"], "control_of": list(controls_of(recipe))}
    require_fitting(recipe)
    cards = recipe.cards()
    parts: dict[str, object] = {
        kind: card.summary for (kind, _), card in zip(recipe.parts, cards, strict=True)
    }
    parts["constraint"] = [card.summary for card in cards[4:]]  # of which there may be several
    return {"id": recipe.name, **parts, "biology": biology(recipe), "shipped": False}


def _show_model(name: str, as_json: bool) -> None:
    if "@" in name:
        _show_facts(_recipe_facts(name), as_json)
        return
    families = {entry.name: entry for entry in registry.entries("candidate_family")}
    family, _, member = name.partition("/")
    if family not in families:
        _show(registry.candidate_card(registry.find_entry("candidate", name)), as_json)
        return
    entry = families[family]
    if member:
        _show(entry.load()(member).card, as_json)
        return
    members = entry.load_sibling(registry.family_card(entry).members)()
    facts = {**card_facts(entry.card), "members": [f"{family}/{each}" for each in members]}
    _show_facts(facts, as_json)


def _show_benchmark(name: str, as_json: bool) -> None:
    dataset, region, scorer = split_name(name)
    data, measure = registry.dataset_card(dataset), registry.scorer_card(scorer)
    require_compatible(data, measure)
    facts = {
        "name": name,
        "answers": measure.answers,
        "dataset": data.summary,
        "species": data.species,
        "method": data.method,
        "region": region,
        "scorer": measure.summary,
        "splits": dict(measure.splits),
        "options": dict(measure.options),
        "simulated": data.simulated,
        "licence": data.licence,
        "sources": [data.source, measure.source],
    }
    _show_facts(facts, as_json)
