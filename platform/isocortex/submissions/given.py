"""Given activations: what a model answered elsewhere, scored like a model; without torch.

The file stays in the jail. It is read in blocks of units, so neither side holds more of a layer
than `geometry.BLOCK_BYTES`, besides its geometry.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from threading import Lock
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from ..benchmarks import Benchmark
from ..caching import (
    cache_key,
    load_geometry,
    load_responses,
    prune_cache,
    store_geometry,
    store_responses,
)
from ..cards import CandidateCard, Reading, card_facts
from ..errors import IsocortexError, JailError, MismatchError
from ..evaluation import evaluate
from ..fingerprints import fingerprint
from ..geometry import BLOCK_BYTES, Geometry, Side, gather_geometry, require_finite
from ..jail import Jailed
from ..ontology import AXES
from ..responses import Positions, Responses
from ..scores import Score
from ..stimuli import StimulusSet
from ..store.facts import CandidateFacts
from ..units import map_places, sampled_units

GIVEN_VERSION: Final = 1
"""Counted up whenever a change of this file would change what is made of activations."""

Progress = Callable[[int, int], None]
Floats = npt.NDArray[np.floating[Any]]


class GivenActivations:
    """Activations of one or more stimulus sets, which stand in for a candidate.

    `sets` says of each set, by name, `ids` and `layers`, as the jailed side described them.
    """

    parameters: Final = 0

    def __init__(
        self,
        card: CandidateCard,
        sets: Mapping[str, Mapping[str, Any]],
        jailed: Jailed,
        *,
        file_hash: str,
        layers: Sequence[str],
    ) -> None:
        self.card = card
        self.layers = tuple(layers)
        self.weights_hash = file_hash
        self._sets = sets
        self._jailed = jailed
        self._asking = Lock()

    @property
    def network_hash(self) -> str:
        """The SHA-256 of all that decides the answers: the file's."""
        return fingerprint({"activations": self.weights_hash, "version": GIVEN_VERSION})

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the version: file, layers, name and components."""
        identity = {"name": self.card.name, "network": self.network_hash, "layers": self.layers}
        return fingerprint(identity | {axis: getattr(self.card, axis) for axis in AXES})

    @property
    def facts(self) -> CandidateFacts:
        """What the store keeps of this version."""
        return CandidateFacts(
            card=card_facts(self.card),
            fingerprint=self.fingerprint,
            weights_hash=self.weights_hash,
            parameters=self.parameters,
            layers=self.layers,
        )

    def answers(self, stimuli: StimulusSet, *, progress: Progress | None = None) -> "GivenAnswers":
        """What the layers answer to a stimulus set. Raises MismatchError where some are missing."""
        return GivenAnswers(self, stimuli, progress)

    def score_all(
        self, benchmarks: Sequence[Benchmark], *, progress: Progress | None = None
    ) -> Iterator[tuple[Benchmark, Score | IsocortexError]]:
        """Each benchmark with the score on it, or with what went wrong, as `runs.score_all`."""
        groups: dict[str, list[Benchmark]] = {}
        for benchmark in benchmarks:
            groups.setdefault(benchmark.recording.stimuli.content_hash, []).append(benchmark)
        for group in groups.values():
            for benchmark in group:
                try:
                    answers = self.answers(benchmark.recording.stimuli, progress=progress)
                    layers = answers.layers(benchmark.card.reads)
                    yield benchmark, evaluate(benchmark, layers, candidate=self.card.name)
                except IsocortexError as error:
                    yield benchmark, error
        prune_cache()

    def described(self, stimuli: StimulusSet) -> Mapping[str, Any]:
        """The file's set that holds these stimuli. Raises MismatchError if none does."""
        return self._sets[set_of(self._sets, stimuli.name, stimuli.ids)]

    def read_block(self, tensor: str, rows: Positions, *, units: slice) -> Floats:
        """Some units (`start` and `stop` given) of some stimuli, (stimulus, unit)."""
        wanted = {"tensor": tensor, "start": units.start, "stop": units.stop}
        arrays = {"rows": rows.astype(np.int64)}
        return self._asked(wanted, arrays, (len(rows), units.stop - units.start))

    def read_units(self, tensor: str, rows: Positions, units: Positions) -> Floats:
        """These units of some stimuli, (stimulus, unit)."""
        arrays = {"rows": rows.astype(np.int64), "units": units.astype(np.int64)}
        return self._asked({"tensor": tensor}, arrays, (len(rows), len(units)))

    def _asked(
        self, wanted: Mapping[str, Any], arrays: Mapping[str, Any], shape: tuple[int, int]
    ) -> Floats:
        with self._asking:
            self._jailed.send(wanted, arrays)
            most = 8 * shape[0] * shape[1]
            _, found = self._jailed.receive(most_bytes=most, shapes={"block": shape})
        if found["block"].dtype.kind != "f":
            raise JailError(f"activations came as {found['block'].dtype}; floats were declared")
        return cast(Floats, found["block"])


class GivenAnswers:
    """What given activations hold of one stimulus set, as `isocortex.answers.Answers` has it."""

    def __init__(
        self, given: GivenActivations, stimuli: StimulusSet, progress: Progress | None
    ) -> None:
        self._given = given
        self._stimuli = stimuli
        self._progress = progress
        self._set = given.described(stimuli)

    def layers(self, reads: Reading = "geometry") -> Mapping[str, Side]:
        """Each layer's geometry, or the responses of its units, in the stimuli's own order.

        Raises InputError for values that are not finite, JailError as `Jailed` does.
        """
        there = [layer for layer in self._given.layers if layer in self._set["layers"]]
        if not there:
            raise MismatchError(
                f"{self._given.card.name} has none of its layers {', '.join(self._given.layers)} "
                f"for the stimuli of {self._stimuli.name}"
            )
        for done, layer in enumerate(there, start=1):
            self.look_up(layer, reads)  # into the cache
            if self._progress:
                count = len(self._stimuli)
                self._progress(done * count // len(there), count)
        return _Layers(self, there, reads)

    def look_up(self, layer: str, reads: Reading) -> Geometry | Responses:
        """What a layer answers, from the cache or else from the file."""
        return self._geometry(layer) if reads == "geometry" else self._responses(layer)

    def _geometry(self, layer: str) -> Geometry:
        key = self._key(layer, reads="geometry")
        found = load_geometry(key)
        if found is None:
            rows = _Rows(self._given, self._set["layers"][layer], self._rows)
            found = gather_geometry(self._stimuli.ids, rows, name=self._name(layer))
            store_geometry(key, found)
        return found

    def _responses(self, layer: str) -> Responses:
        key = self._key(layer, reads="units")
        found = load_responses(key)
        if found is None:
            facts = self._set["layers"][layer]
            shape = tuple(facts["shape"])
            total = int(np.prod(shape))
            units = sampled_units(total)
            step = max(1, BLOCK_BYTES // (8 * total))
            values = np.concatenate(
                [
                    self._given.read_units(facts["tensor"], self._rows[start : start + step], units)
                    for start in range(0, len(self._rows), step)
                ]
            ).astype(np.float64)
            require_finite(self._stimuli.ids, values.mean(axis=1), name=self._name(layer))
            found = Responses(self._stimuli.ids, values, map_places(shape, units), total)
            store_responses(key, found)
        return found

    @cached_property
    def _rows(self) -> Positions:
        where = {name: position for position, name in enumerate(self._set["ids"])}
        return np.array([where[name] for name in self._stimuli.ids], dtype=np.intp)

    def _key(self, layer: str, *, reads: Reading) -> str:
        return cache_key(
            network_hash=self._given.network_hash,
            layer=layer,
            stimuli=self._stimuli,
            engine=f"given activations, {reads}",
        )

    def _name(self, layer: str) -> str:
        return f"layer {layer} of {self._given.card.name}"


class _Layers(Mapping[str, Side]):
    """What each layer answers, looked up when it is needed: not all need be in memory at once."""

    def __init__(self, answers: GivenAnswers, names: Sequence[str], reads: Reading) -> None:
        self._answers = answers
        self._names = names
        self._reads = reads

    def __getitem__(self, layer: str) -> Side:
        return self._answers.look_up(layer, self._reads)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class _Rows:
    """A layer's rows (stimulus, unit), read from the jail block by block."""

    def __init__(self, given: GivenActivations, facts: Mapping[str, Any], rows: Positions) -> None:
        self._given = given
        self._tensor = str(facts["tensor"])
        self._rows = rows
        self.shape = (len(rows), int(np.prod(facts["shape"])))

    def __getitem__(self, block: tuple[slice, slice]) -> Floats:
        stimuli, units = block
        start, stop, _ = units.indices(self.shape[1])
        rows = self._rows[stimuli]
        return self._given.read_block(self._tensor, rows, units=slice(start, stop))


def set_of(sets: Mapping[str, Mapping[str, Any]], name: str, ids: Sequence[str]) -> str:
    """The name of the set that holds the stimuli `ids`; among several, the one of that `name`.

    Raises MismatchError where none holds them all, or more than one of other names.
    """
    lacking: dict[str, set[str]] = {
        each: set(ids) - set(facts["ids"]) for each, facts in sets.items()
    }
    whole = [each for each, missing in lacking.items() if not missing]
    if name in whole or len(whole) == 1:
        return name if name in whole else whole[0]
    if whole:
        raise MismatchError(
            f"several sets of the file hold the stimuli of {name}: {', '.join(whole)}; name one so"
        )
    fewest: set[str] = min(lacking.values(), key=len)
    missing = sorted(fewest)
    raise MismatchError(
        f"the file lacks {len(missing)} of the {len(ids)} stimuli of {name}: "
        f"{', '.join(missing[:5])}{', …' if len(missing) > 5 else ''}"
    )
