"""What there is: the registry's cards, joined with what the store holds of them.

A registered entry that was never scored is listed, and so is what was scored and is no entry (or
no longer): a card in the store is the one that was scored.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from isocortex import ontology
from isocortex.cards import DatasetCard, Kind, card_facts
from isocortex.errors import UnknownNameError
from isocortex.registry import entries, find_entry
from isocortex.store import Store, StoredBenchmark, StoredCandidate, StoredModel
from isocortex.store.records import Evidence

CardFacts = Mapping[str, Any]


@dataclass(frozen=True)
class KnownModel:
    """A candidate's card, and its version with scores, if it has any."""

    name: str
    card: CardFacts
    stored: StoredCandidate | None

    @property
    def evidence(self) -> Evidence:
        """What its scores are of; what was never scored would be run here."""
        return "network" if self.stored is None else self.stored.evidence


@dataclass(frozen=True)
class KnownBenchmark:
    """A benchmark that a dataset's card offers, or that was used; `stored` is None if not used."""

    name: str
    dataset: str
    region: str
    scorer: str
    simulated: bool
    stored: StoredBenchmark | None


@cache
def registered_cards(kind: Kind) -> Mapping[str, CardFacts]:
    """The cards of all entries of a kind, by name."""
    return {entry.name: card_facts(entry.card) for entry in entries(kind)}


def known_models(store: Store, *, viewer: int | None = None) -> dict[str, KnownModel]:
    """All models by name: public ones, and the viewer's own."""
    stored = {version.name: version for version in store.models(viewer=viewer)}
    cards = {**registered_cards("candidate"), **{name: one.card for name, one in stored.items()}}
    return {name: KnownModel(name, cards[name], stored.get(name)) for name in sorted(cards)}


def find_model(
    store: Store, name: str, *, viewer: int | None = None
) -> tuple[CardFacts, StoredModel | None]:
    """A model's card and, if it was scored, what the store holds. Raises UnknownNameError."""
    try:
        model = store.model(name, viewer=viewer)
    except UnknownNameError:
        pass
    else:
        return model.versions[0].card, model
    try:
        return card_facts(find_entry("candidate", name).card), None
    except UnknownNameError:
        known = known_models(store, viewer=viewer)
        raise UnknownNameError.among("model", name, known) from None


def known_benchmarks(store: Store, *, viewer: int | None = None) -> dict[str, KnownBenchmark]:
    """All benchmarks, by name."""
    stored = {benchmark.name: benchmark for benchmark in store.benchmarks(viewer=viewer)}
    offered = {name: facts for name, facts in _offered().items() if name not in stored}
    used = {
        name: KnownBenchmark(name, one.dataset, one.region, one.scorer, one.simulated, one)
        for name, one in stored.items()
    }
    return dict(sorted({**offered, **used}.items()))


def find_benchmark(store: Store, name: str, *, viewer: int | None = None) -> KnownBenchmark:
    """The benchmark of that name. Raises UnknownNameError."""
    known = known_benchmarks(store, viewer=viewer)
    if name not in known:
        raise UnknownNameError.among("benchmark", name, known)
    return known[name]


def known_cards(
    store: Store, kind: Literal["dataset", "scorer"], *, viewer: int | None = None
) -> dict[str, CardFacts]:
    """The cards of all datasets or scorers, by name."""
    used = {
        getattr(benchmark, kind): getattr(benchmark, f"{kind}_card")
        for benchmark in store.benchmarks(viewer=viewer)
    }
    return dict(sorted({**used, **registered_cards(kind)}.items()))


def term_counts(store: Store, axis: ontology.Axis, *, viewer: int | None = None) -> Counter[str]:
    """How many models name each term of an axis, or one below it."""
    parents = {term.name: term.parent for term in ontology.terms(axis)}
    counts: Counter[str] = Counter()
    for one in known_models(store, viewer=viewer).values():
        name: str | None = one.card[axis]
        while name is not None:
            counts[name] += 1
            name = parents.get(name)
    return counts


@cache
def _offered() -> Mapping[str, KnownBenchmark]:
    """The benchmarks that the datasets' cards offer."""
    cards = (entry.card for entry in entries("dataset"))
    return {
        (name := f"{card.name}/{region}/{scorer}"): KnownBenchmark(
            name, card.name, region, scorer, card.simulated, None
        )
        for card in cards
        if isinstance(card, DatasetCard)
        for region, scorer in card.benchmarks
    }
