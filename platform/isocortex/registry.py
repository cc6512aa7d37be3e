"""The registry: entries are decorated functions, and their cards are read without running them.

An entry is one function decorated with `@candidate`, `@candidate_family`, `@dataset` or `@scorer`
whose keywords are literals. The registry parses the source (`ast`), so that listing imports no
torch, and a file can be judged before its code runs. `variants` gives several names to one
function: a mapping from name to the facts that differ. A `table` among those, a header and rows,
makes one variant of each row: the row is its options and fills the `{words}` of its name and
summary. `seeds` numbers a candidate that is drawn at random: `name#0`, `name#1`, …; any other seed
can be loaded as well.

Entries are searched in isocortex's own folders and in every package that another distribution
names in the entry-point group `isocortex.entries`.
"""

import ast
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from .cards import (
    CARD_TYPES,
    CandidateCard,
    CandidateFamilyCard,
    Card,
    DatasetCard,
    Kind,
    PartCard,
    ScorerCard,
    make_card,
)
from .errors import CardError, DuplicateEntryError, UnknownNameError

OWN_FOLDERS: Final = (
    "isocortex.scorers",
    "isocortex.model_zoo",
    "isocortex.model_zoo.architectures",
    "isocortex.model_zoo.objectives",
    "isocortex.model_zoo.learning_rules",
    "isocortex.model_zoo.diets",
    "isocortex.model_zoo.constraints",
    "isocortex.datasets",
)
ENTRY_POINT_GROUP: Final = "isocortex.entries"

Function = TypeVar("Function", bound=Callable[..., Any])


def candidate(**facts: Any) -> Callable[[Function], Function]:
    """Mark a function `(card: CandidateCard) -> Candidate` as an entry of the registry."""
    return _marker("candidate", facts)


def candidate_family(**facts: Any) -> Callable[[Function], Function]:
    """Mark a function `(member: str) -> Candidate` as an open family of candidates."""
    return _marker("candidate_family", facts)


def dataset(**facts: Any) -> Callable[[Function], Function]:
    """Mark a function `(card: DatasetCard) -> Recording` as an entry of the registry."""
    return _marker("dataset", facts)


def scorer(**facts: Any) -> Callable[[Function], Function]:
    """Mark a function that compares a model's geometry with a brain as an entry of the registry."""
    return _marker("scorer", facts)


def architecture(**facts: Any) -> Callable[[Function], Function]:
    """Mark a function `(image_size) -> Network` as an architecture to train."""
    return _marker("architecture", facts)


def objective(**facts: Any) -> Callable[[Function], Function]:
    """Mark a function `(diet: Diet) -> Objective` as an objective to train for."""
    return _marker("objective", facts)


def learning_rule(**facts: Any) -> Callable[[Function], Function]:
    """Mark a function `(network, objective) -> Learner` as a rule to train by."""
    return _marker("learning_rule", facts)


def diet(**facts: Any) -> Callable[[Function], Function]:
    """Mark a function `() -> Diet` as images to train on."""
    return _marker("diet", facts)


def constraint(**facts: Any) -> Callable[[Function], Function]:
    """Mark a function `(network) -> None` that brings weights back to where they may be."""
    return _marker("constraint", facts)


@dataclass(frozen=True)
class Entry:
    """One name of the registry: its card and where its function stands."""

    kind: Kind
    name: str
    card: Card
    module: str
    function: str
    path: Path
    line: int

    @property
    def place(self) -> str:
        """The source line of the entry, as `file:line`."""
        return f"{self.path}:{self.line}"

    def load(self) -> Callable[..., Any]:
        """The entry's function; this imports its module and runs its code."""
        return self.load_sibling(self.function)

    def load_sibling(self, function: str) -> Callable[..., Any]:
        """Another function of the entry's module, such as the one that lists a family's members."""
        return cast(Callable[..., Any], getattr(importlib.import_module(self.module), function))


def entries(kind: Kind) -> tuple[Entry, ...]:
    """All entries of one kind, sorted by name. Raises CardError for a card that can't be read."""
    return tuple(sorted(_index()[kind].values(), key=lambda entry: entry.name))


def find_entry(kind: Kind, name: str) -> Entry:
    """The entry of that name; `name#7` finds a seeded candidate with another seed.

    A part whose name ends in `*` stands for all names that begin so; what follows is its option
    `member`. Raises UnknownNameError with the nearest names.
    """
    known = _index()[kind]
    if name in known:
        return known[name]
    for stem in [each.removesuffix("*") for each in known if each.endswith("*")]:
        if name.startswith(stem) and name != stem:
            return _member(known[f"{stem}*"], name, name.removeprefix(stem))
    stem, _, seed = name.rpartition("#")
    if kind == "candidate" and f"{stem}#0" in known and seed.isdecimal():
        first = known[f"{stem}#0"]
        card = replace(cast(CandidateCard, first.card), name=name, seed=int(seed))
        return replace(first, name=name, card=card)
    raise UnknownNameError.among(kind.replace("_", " "), name, sorted(known))


def _member(family: Entry, name: str, member: str) -> Entry:
    card = cast(PartCard, family.card)
    options = {**card.options, "member": member}
    return replace(family, name=name, card=replace(card, name=name, options=options))


def candidate_card(entry: Entry) -> CandidateCard:
    """The card of a candidate's entry."""
    return cast(CandidateCard, entry.card)


def family_card(entry: Entry) -> CandidateFamilyCard:
    """The card of a candidate family's entry."""
    return cast(CandidateFamilyCard, entry.card)


def dataset_card(name: str) -> DatasetCard:
    """The card of the dataset of that name."""
    return cast(DatasetCard, find_entry("dataset", name).card)


def scorer_card(name: str) -> ScorerCard:
    """The card of the scorer of that name."""
    return cast(ScorerCard, find_entry("scorer", name).card)


def read_entries(path: Path, module: str) -> Iterator[Entry]:
    """The entries of one source file, in their order; nothing of it is imported or run."""
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as error:
        raise CardError(f"{path}:{error.lineno} is not Python: {error.msg}") from None
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            kind = _kind_of(decorator)
            if kind is not None and isinstance(decorator, ast.Call):
                place = f"{path}:{decorator.lineno}"
                facts = _literal_facts(decorator, place)
                for name, card in _cards(kind, facts, place):
                    yield Entry(kind, name, card, module, node.name, path, decorator.lineno)


def _marker(kind: Kind, facts: Mapping[str, Any]) -> Callable[[Function], Function]:
    for _ in _cards(kind, facts, place=f"@{kind}"):  # a wrong card fails at import as well
        pass
    return lambda function: function


@cache
def _index() -> Mapping[Kind, dict[str, Entry]]:
    index: dict[Kind, dict[str, Entry]] = {kind: {} for kind in CARD_TYPES}
    for folder in (
        *OWN_FOLDERS,
        *(point.module for point in entry_points(group=ENTRY_POINT_GROUP)),
    ):
        for path, module in _source_files(folder):
            for entry in read_entries(path, module):
                twin = index[entry.kind].setdefault(entry.name, entry)
                if twin is not entry:
                    raise DuplicateEntryError(
                        f"two entries are named {entry.name!r}: {twin.place} and {entry.place}; "
                        "rename one of them"
                    )
    return index


def _source_files(package: str) -> Iterator[tuple[Path, str]]:
    """The entry files of a package (or the one file of a module), none of them imported."""
    spec = find_spec(package) if package in OWN_FOLDERS else _find_without_import(package)
    if spec is None or (spec.origin is None and not spec.submodule_search_locations):
        raise CardError(f"the entry point {package!r} names no package or module that is installed")
    if not spec.submodule_search_locations:
        yield Path(cast(str, spec.origin)), package
        return
    for folder in spec.submodule_search_locations:
        for path in sorted(Path(folder).glob("*.py")):
            if not path.name.startswith("_"):
                yield path, f"{package}.{path.stem}"


def _find_without_import(name: str) -> Any:
    """The spec of `name`, found without running the code of the packages above it."""
    locations, spec, walked = None, None, ""
    for part in name.split("."):
        walked = f"{walked}.{part}".lstrip(".")
        found = (finder.find_spec(walked, locations) for finder in sys.meta_path)
        spec = next((item for item in found if item is not None), None)
        if spec is None:
            return None
        locations = spec.submodule_search_locations
    return spec


def _kind_of(decorator: ast.expr) -> Kind | None:
    if not isinstance(decorator, ast.Call):
        return None
    function = decorator.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)
    return cast(Kind, name) if name in CARD_TYPES else None


def _literal_facts(call: ast.Call, place: str) -> dict[str, Any]:
    facts = {}
    for keyword in call.keywords:
        if keyword.arg is None or call.args:
            raise CardError(f"{place}: a card is written as plain keywords, without * or **")
        try:
            facts[keyword.arg] = ast.literal_eval(keyword.value)
        except ValueError:
            raise CardError(
                f"{place}: {keyword.arg} is not literal; a card is read without running the file, "
                "so write the value itself"
            ) from None
    return facts


def _cards(kind: Kind, facts: Mapping[str, Any], place: str) -> Iterator[tuple[str, Card]]:
    """The cards of one decorator: one for each variant and seed, else just one."""
    common = {key: value for key, value in facts.items() if key not in ("variants", "seeds")}
    for name, differing in _variants(facts, place):
        for seed in facts.get("seeds", (None,)):
            seeded = {"name": f"{name}#{seed}", "seed": seed} if seed is not None else {}
            try:
                card = make_card(kind, {**common, "name": name, **differing, **seeded})
            except (CardError, UnknownNameError) as error:
                raise CardError(f"{place}: {error}") from None
            yield card.name, card


def _variants(facts: Mapping[str, Any], place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The names that one decorator gives, each with the facts that differ."""
    for name, differing in facts.get("variants", {facts.get("name"): {}}).items():
        if "table" not in differing:
            yield name, differing
            continue
        rest = {key: value for key, value in differing.items() if key != "table"}
        template = str(rest.get("summary", facts.get("summary", "")))
        header, *rows = differing["table"]
        for row in rows:
            if len(row) != len(header):
                raise CardError(f"{place}: the row {row} does not fit the header {header}")
            options = dict(zip(header, row, strict=True))
            rest |= {"summary": template.format(**options), "options": options}
            yield name.format(**options), dict(rest)
