"""Benchmarks: dataset / region × scorer, with everything that decides the number that comes out."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Final

import numpy as np
import xarray as xr

from . import registry
from .cards import DatasetCard, ScorerCard
from .ceilings import (
    half_ceiling,
    half_correlations,
    half_similarities,
    mean_ceiling,
    subject_ceiling,
)
from .code_hashes import code_sha256
from .errors import IncompatibleError, UnknownNameError
from .fingerprints import fingerprint
from .geometry import Array, Brain, Positions, Side
from .recordings import Form, Recording, brain_of, mean_responses, split_region
from .scores import Ceiling
from .splits import Split, follows_recording, make_splits
from .units import UNITS_READ, UNITS_SEED

PROTOCOL_VERSION: Final = 3
"""Counted up whenever a change of the core would change a score; it makes every benchmark new."""


@dataclass(frozen=True)
class Benchmark:
    """One region of one dataset × one scorer, and how the score is resampled.

    Its name is `dataset/region/scorer`. `score` is the scorer's function.
    """

    recording: Recording
    region: str
    card: ScorerCard
    score: Callable[..., Any]
    code_hash: str
    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0

    @property
    def name(self) -> str:
        """`dataset/region/scorer`."""
        return f"{self.recording.card.name}/{self.region}/{self.card.name}"

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of data, scorer, its parameters and code, and protocol: the version."""
        return fingerprint(
            {
                "data": self.recording.content_hash,
                "dataset": [self.recording.card.name, self.recording.card.version],
                "region": self.region,
                "scorer": self.scorer_fingerprint,
                "protocol": self.protocol,
                "splits": [split.facts() for split in self.splits],
            }
        )

    @property
    def scorer_fingerprint(self) -> str:
        """The SHA-256 of the scorer's name, options and code; its card may be worded anew."""
        return fingerprint(
            {
                "name": self.card.name,
                "family": self.card.family,
                "options": dict(self.card.options),
                "normalisation": self.card.normalisation,
                "code": self.code_hash,
            }
        )

    @property
    def protocol(self) -> dict[str, Any]:
        """How layers are chosen, stimuli held out and scores resampled, as JSON-like facts."""
        facts = {
            "version": PROTOCOL_VERSION,
            "splits": dict(self.card.splits),
            "resamples": self.resamples,
            "confidence": self.confidence,
            "seed": self.seed,
        }
        if self.card.reads == "units":
            facts["units"] = {"read": UNITS_READ, "seed": UNITS_SEED}
        return facts

    @cached_property
    def order(self) -> Positions:
        """The order in which stimuli enter the splits: of their ids, or as they were recorded."""
        ids = self.recording.stimuli.ids
        if follows_recording(self.card.splits):
            return np.arange(len(ids))
        return np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.intp)

    @cached_property
    def splits(self) -> list[Split]:
        """Which stimuli choose and fit, and which are scored: positions in `order`."""
        if self.card.family == "encoding" and self.card.splits.get("kind") == "all":
            raise IncompatibleError(
                f"{self.card.name} predicts responses that it never saw; choose splits that hold "
                "some out, such as k-fold"
            )
        metadata = {
            name: [values[each] for each in self.order]
            for name, values in self.recording.stimuli.metadata.items()
        }
        return make_splits(len(self.order), self.card.splits, metadata=metadata)

    def with_splits(self, **protocol: Any) -> "Benchmark":
        """The same benchmark with other splits, such as `kind="group", folds=5, by="session"`.

        `protocol` is that of `isocortex.splits.make_splits`, whose errors are raised at once. The
        name stays; protocol and fingerprint tell the two apart.
        """
        other = replace(self, card=replace(self.card, splits=protocol))
        _ = other.splits  # raises what is wrong with them
        return other

    @cached_property
    def region_in_order(self) -> xr.DataArray:
        """The region as recorded, with its stimuli in `order`."""
        region = self.recording.region(self.region)
        dims = {"stimulus", "other_stimulus"} & set(region.dims)
        return region.isel(dict.fromkeys(dims, self.order))

    @property
    def forms(self) -> tuple[Form, Form]:
        """As what the scorer reads the responses of a model and of a brain."""
        return self.card.reads, "trials" if self.card.trials else self.card.reads

    @cached_property
    def brain(self) -> Brain:
        """What the scorer compares a model with, one side for each subject, stimuli in `order`.

        Raises InputError for a neuroid that answers alike to all stimuli.
        """
        if self.recording.recorded == "responses":
            _ = self.responses  # refuses such a neuroid
        return brain_of(self.region_in_order, self.forms[1])

    @cached_property
    def categories(self) -> dict[str, str]:
        """The category of each stimulus. Raises IncompatibleError where they have none."""
        stimuli = self.recording.stimuli
        if "category" not in stimuli.metadata:
            raise IncompatibleError(
                f"{self.card.name} needs the category of each stimulus; {stimuli.name} has none"
            )
        labels = [str(label) for label in stimuli.metadata["category"]]
        return dict(zip(stimuli.ids, labels, strict=True))

    @cached_property
    def train_brains(self) -> list[Brain]:
        """The brain on each split's training stimuli."""
        return [self.brain.select(split.train) for split in self.splits]

    @cached_property
    def test_brains(self) -> list[Brain]:
        """The brain on each split's test stimuli."""
        return [self.brain.select(split.test) for split in self.splits]

    @cached_property
    def responses(self) -> xr.DataArray:
        """The responses averaged over repeats, (stimulus, neuroid), stimuli in `order`."""
        return mean_responses(self.region_in_order)

    @cached_property
    def half_agreement(self) -> Array | None:
        """How the halves of the repeats agree by this scorer, (half split, subject or neuroid).

        None where trials were not repeated or not recorded.
        """
        if self.recording.recorded != "responses":
            return None
        if self.card.family == "encoding":
            return half_correlations(self.region_in_order, seed=1)
        folds = [split.test for split in self.splits]
        return half_similarities(
            self.similarity, self.region_in_order, folds, forms=self.forms, seed=1
        )

    @cached_property
    def ceiling(self) -> Ceiling | None:
        """What the best model could reach on the very stimuli that are scored; None if unknown."""
        if self.recording.recorded == "responses":
            squared = self.card.normalisation == "signed-square-ratio"
            return half_ceiling(self.half_agreement, squared=squared)
        each = [subject_ceiling(self.similarity, brain) for brain in self.test_brains]
        return mean_ceiling(each)

    @property
    def counts(self) -> dict[str, int]:
        """How many stimuli, subjects and, where responses were recorded, neuroids it has."""
        counts = {"stimuli": len(self.order), "subjects": len(self.brain.subjects)}
        if self.recording.recorded == "responses":
            counts["neuroids"] = self.responses.sizes["neuroid"]
        return counts

    @property
    def weighs_stimuli(self) -> bool:
        """Whether the scorer takes `counts`: how often each stimulus is drawn in a resample."""
        return "counts" in inspect.signature(self.score).parameters

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """The options of the card, and the stimuli's categories where the scorer takes them."""
        if "categories" not in inspect.signature(self.score).parameters:
            return dict(self.card.options)
        return {**self.card.options, "categories": self.categories}

    def similarity(self, model: Side, brain: Brain, **counts: Array) -> xr.DataArray:
        """The scorer's answer with its `arguments`: (subject) or (resample, subject)."""
        similarity: xr.DataArray = self.score(model, brain, **self.arguments, **counts)
        return similarity


def load_dataset(name: str) -> Recording:
    """The dataset of that name with its stimuli; its files are fetched on first use.

    Raises UnknownNameError, FetchError, ChecksumError.
    """
    entry = registry.find_entry("dataset", name)
    recording: Recording = entry.load()(entry.card)
    return recording


def split_name(name: str) -> tuple[str, str, str]:
    """The dataset, region and scorer of a benchmark's name. Raises UnknownNameError.

    The region may name a bin of time, as "V4@0.1" does; whether it exists, the recording knows.
    """
    parts = name.split("/")
    if len(parts) != 3:
        raise UnknownNameError.among("benchmark", name, offered_benchmarks())
    dataset, region, scorer = parts
    card = registry.dataset_card(dataset)
    area, _ = split_region(region)
    if area not in card.regions:
        raise UnknownNameError.among(f"region of {dataset}", area, card.regions)
    registry.scorer_card(scorer)
    return dataset, region, scorer


def offered_benchmarks(*, simulated: bool | None = None) -> tuple[str, ...]:
    """The names of the benchmarks that the datasets' cards offer; any other triple works as well.

    `simulated` True or False keeps only those of simulated or of recorded data.
    """
    cards = (registry.dataset_card(entry.name) for entry in registry.entries("dataset"))
    return tuple(
        f"{card.name}/{region}/{scorer}"
        for card in cards
        if simulated in (None, card.simulated)
        for region, scorer in card.benchmarks
    )


def load_scorer(name: str) -> Callable[..., Any]:
    """The scorer's function with the options of its card, such as `rsa(model, brain)`.

    >>> load_scorer("rsa-kendall").keywords
    {'comparison': 'kendall'}
    """
    entry = registry.find_entry("scorer", name)
    return partial(entry.load(), **registry.scorer_card(name).options)


def load_benchmark(name: str, *, recording: Recording | None = None) -> Benchmark:
    """The benchmark `dataset/region/scorer`, with its data; `recording` if it is loaded already.

    Raises UnknownNameError for an unknown part, IncompatibleError where the scorer needs responses
    and the dataset holds only dissimilarities.
    """
    dataset, region, scorer = split_name(name)
    entry = registry.find_entry("scorer", scorer)
    require_compatible(registry.dataset_card(dataset), registry.scorer_card(scorer))
    return Benchmark(
        recording or load_dataset(dataset),
        region,
        registry.scorer_card(scorer),
        entry.load(),
        code_sha256(entry.path),
    )


def require_compatible(dataset: DatasetCard, scorer: ScorerCard) -> None:
    """Raise IncompatibleError unless the scorer accepts what the dataset recorded."""
    if dataset.recorded not in scorer.accepts:
        raise IncompatibleError(
            f"{scorer.name} needs {' or '.join(scorer.accepts)}; "
            f"{dataset.name} holds {dataset.recorded}"
        )
