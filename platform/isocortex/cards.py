"""Cards: the literal facts of an entry, checked when they are read.

A card is written as the keywords of a decorator (`registry.py`), so it can be read without running
anything. Fields that hold files are given as `{"url": …, "sha256": …, "bytes": …}`; many files of
one pattern as `{"url": "https://…/run_{run}.npy", "sha256": {"01": …, "02": …}}`.
"""

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Final, Literal, get_args

from . import ontology
from .errors import CardError
from .fetching import RemoteFile

Recorded = Literal["responses", "dissimilarities", "choices"]
"""What was recorded: responses to single stimuli, only dissimilarities between them, or choices."""

Family = Literal["similarity", "encoding"]
"""How a scorer works: it compares two geometries, or predicts responses to held-out stimuli."""

Invariance = Literal[
    "stimulus order",
    "unit order",
    "rotation",
    "isotropic scale",
    "invertible linear",
    "translation",
    "unit translation",
]
"""What a scorer claims not to see. "translation" adds one vector to the responses to all stimuli,
"unit translation" one number to all units for each stimulus."""


Reading = Literal["geometry", "units"]
"""What a scorer reads of a layer: its geometry, or the responses of its units."""

Metric = Literal["", "arccos", "one-minus"]
"""What makes a metric (or pseudometric) of a similarity s: arccos s, 1 − s, or nothing known."""


@dataclass(frozen=True, kw_only=True)
class CandidateCard:
    """The facts of a network that can be scored.

    The four components are terms of `isocortex.ontology`. `preprocessing` are the arguments of
    `Preprocessing`; `options` is what the entry's function needs to build this variant.
    """

    name: str
    summary: str
    architecture: str
    objective: str
    learning_rule: str
    diet: str
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, RemoteFile] = field(default_factory=dict)
    seed: int | None = None
    accuracy: str = ""
    source: str
    bibtex: str
    licence: str
    code: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for axis in ontology.AXES:
            ontology.find_term(axis, getattr(self, axis))


@dataclass(frozen=True, kw_only=True)
class CandidateFamilyCard:
    """The facts of an open family of candidates, such as `torchvision/…`.

    `members` names the function of the same file that lists the members' names.
    """

    name: str
    summary: str
    members: str
    source: str
    bibtex: str
    licence: str
    code: str = ""


Capability = Literal[
    "loss",
    "no-loss",
    "output-error",
    "targets",
    "labels",
    "latents",
    "views",
    "sequence",
    "reward",
    "chain",
    "separable",
    "uncut",
    "block-losses",
    "smooth",
    "energy",
    "generative",
    "recurrent",
    "film",
    "eligibility",
    "reservoir",
    "corollary-discharge",
    "spiking",
    "sheet",
    "signed",
    "dale",
]
"""What parts of a trained network offer each other and need of each other."""

Mechanism = Literal["", "re-route", "broadcast", "cut", "relax", "local"]
"""How a learning rule brings credit to the weights."""


@dataclass(frozen=True, kw_only=True)
class PartCard:
    """The facts of a part that networks are trained from.

    All that the parts of a recipe need must be offered by one of them. `term` is what the part is
    on its axis of `isocortex.ontology`; `options` are the keyword arguments of its function.
    """

    name: str
    summary: str
    term: str = ""
    needs: tuple[Capability, ...] = ()
    offers: tuple[Capability, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, RemoteFile] = field(default_factory=dict)
    mechanism: Mechanism = ""
    source: str
    bibtex: str
    licence: str = ""

    axis: ClassVar[ontology.Axis | None] = None

    def __post_init__(self) -> None:
        if self.axis is not None:
            ontology.find_term(self.axis, self.term)
        _check_choice(self.name, "mechanism", self.mechanism, get_args(Mechanism))
        for each in (*self.needs, *self.offers):
            _check_choice(self.name, "needs or offers", each, get_args(Capability))


@dataclass(frozen=True, kw_only=True)
class ArchitectureCard(PartCard):
    """The facts of an architecture."""

    axis = "architecture"


@dataclass(frozen=True, kw_only=True)
class ObjectiveCard(PartCard):
    """The facts of an objective."""

    axis = "objective"


@dataclass(frozen=True, kw_only=True)
class LearningRuleCard(PartCard):
    """The facts of a learning rule."""

    axis = "learning_rule"


@dataclass(frozen=True, kw_only=True)
class DietCard(PartCard):
    """The facts of a diet."""

    axis = "diet"


@dataclass(frozen=True, kw_only=True)
class DatasetCard:
    """The facts of a dataset. `benchmarks` are the (region, scorer) pairs it offers.

    `version` counts by hand when the meaning of the recordings changes; their content is hashed
    besides.
    """

    name: str
    summary: str
    version: int
    species: str
    method: str
    recorded: Recorded
    regions: tuple[str, ...]
    benchmarks: tuple[tuple[str, str], ...]
    files: Mapping[str, RemoteFile] = field(default_factory=dict)
    simulated: bool = False
    source: str
    bibtex: str
    licence: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_choice(self.name, "recorded", self.recorded, get_args(Recorded))
        for region, _ in self.benchmarks:
            whole = region.partition("@")[0]  # a bin of time is named after it
            _check_choice(self.name, "the region of a benchmark", whole, self.regions)


@dataclass(frozen=True, kw_only=True)
class ScorerCard:
    """The facts of a scorer: what it takes, what it claims and how it is held out.

    `options` are the keyword arguments of the function; `splits` the arguments of
    `isocortex.splits.make_splits`; `normalisation` how raw and ceiling give the value. `reads`
    is what both sides are given as; with `trials` the brain comes as single trials. An encoding
    scorer sees each layer by itself or all `together`. `symmetric` and `metric` are claims about
    the function of two sides, without splits.
    """

    name: str
    summary: str
    family: Family
    accepts: tuple[Recorded, ...]
    invariant_to: tuple[Invariance, ...]
    range: tuple[float, float]
    splits: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    normalisation: Literal["ratio", "signed-square-ratio"] = "ratio"
    reads: Reading = "geometry"
    trials: bool = False
    layers: Literal["each", "together"] = "each"
    symmetric: bool = False
    metric: Metric = ""
    answers: str
    source: str
    bibtex: str

    def __post_init__(self) -> None:
        _check_choice(self.name, "family", self.family, get_args(Family))
        _check_choice(self.name, "normalisation", self.normalisation, _NORMALISATIONS)
        _check_choice(self.name, "reads", self.reads, get_args(Reading))
        _check_choice(self.name, "layers", self.layers, ("each", "together"))
        _check_choice(self.name, "metric", self.metric, get_args(Metric))
        for recorded in self.accepts:
            _check_choice(self.name, "accepts", recorded, get_args(Recorded))
        for claim in self.invariant_to:
            _check_choice(self.name, "invariant_to", claim, get_args(Invariance))


_NORMALISATIONS: Final = ("ratio", "signed-square-ratio")

Card = CandidateCard | CandidateFamilyCard | DatasetCard | ScorerCard | PartCard
PartKind = Literal["architecture", "objective", "learning_rule", "diet", "constraint"]
Kind = Literal["candidate", "candidate_family", "dataset", "scorer"] | PartKind

CARD_TYPES: Final[Mapping[Kind, type[Card]]] = {
    "candidate": CandidateCard,
    "candidate_family": CandidateFamilyCard,
    "dataset": DatasetCard,
    "scorer": ScorerCard,
    "architecture": ArchitectureCard,
    "objective": ObjectiveCard,
    "learning_rule": LearningRuleCard,
    "diet": DietCard,
    "constraint": PartCard,
}


def make_card(kind: Kind, facts: Mapping[str, Any]) -> Card:
    """The card of these facts. Raises CardError that names every missing and unknown field."""
    card_type = CARD_TYPES[kind]
    known = {item.name: item for item in fields(card_type)}
    name = facts.get("name", "without a name")
    unknown = sorted(set(facts) - set(known))
    probe = card_type.__dataclass_fields__
    required = {key for key in known if probe[key].default is probe[key].default_factory}
    missing = sorted(required - set(facts))
    if unknown or missing:
        faults = [f"lacks {', '.join(missing)}"] if missing else []
        faults += [f"has no field {', '.join(unknown)}"] if unknown else []
        raise CardError(f"the {kind.replace('_', ' ')} card {name!r} {' and '.join(faults)}")
    values = dict(facts)
    if "files" in values:
        values["files"] = dict(_files(values["files"], values.get("options", {})))
    return card_type(**values)


def _files(
    files: Mapping[str, Any], options: Mapping[str, Any]
) -> Iterator[tuple[str, RemoteFile]]:
    """The files of a card; one whose `sha256` is a table stands for as many as the table has rows.

    Its URL holds a `{word}`, for which the rows give the values. A card with an option of that name
    has only the file of its own value, which need not have a row: its checksum is not published.
    """
    for key, facts in files.items():
        checksums = facts.get("sha256")
        if not isinstance(checksums, Mapping):
            yield key, RemoteFile.from_card(facts)
            continue
        words = [word for _, word, _, _ in string.Formatter().parse(facts["url"]) if word]
        if len(words) != 1:
            raise CardError(f"a URL with a table of checksums holds one {{word}}: {facts['url']}")
        for value in [options[words[0]]] if words[0] in options else checksums:
            place = {words[0]: value}
            file = {"url": facts["url"].format(**place), "sha256": checksums.get(value)}
            yield key.format(**place), RemoteFile.from_card({**facts, **file})


def card_facts(card: Card) -> dict[str, Any]:
    """The card as JSON-like facts, for storage and for its fingerprint."""

    def plain(value: Any) -> Any:
        if isinstance(value, RemoteFile):
            return {"url": value.url, "sha256": value.sha256, "bytes": value.bytes}
        if isinstance(value, Mapping):
            return {str(key): plain(item) for key, item in value.items()}
        if isinstance(value, (tuple, list)):
            return [plain(item) for item in value]
        return value

    return {item.name: plain(getattr(card, item.name)) for item in fields(card)}


def _check_choice(card: str, what: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise CardError(f"card {card!r}: {what} is {value!r}; choose from {', '.join(choices)}")
