"""Answers: what a candidate's layers answer to one stimulus set, extracted once for all who ask.

The forward pass is the expensive step. What comes of it is cached by content, layer by layer, so
all benchmarks that share stimuli share it, also across runs.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from types import TracebackType
from typing import Self

import torch

from . import settings
from .caching import (
    cache_key,
    is_cached,
    load_geometry,
    load_responses,
    prune_cache,
    store_geometry,
    store_responses,
)
from .candidates import Candidate
from .cards import Reading
from .errors import InputError, IsocortexError
from .extraction import EXTRACTION_VERSION, Progress, extract_answers
from .geometry import Geometry, Side
from .planning import Plan, plan_extraction
from .projection import PROJECTION_SEED
from .responses import Responses
from .stimuli import StimulusSet
from .units import UNITS_READ, UNITS_SEED

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Engine:
    """Where and how a network runs: a torch device, and how many stimuli at once, at most.

    `memory` caps what an extraction adds to the memory in use, in bytes; None is the default of
    `ISOCORTEX_MEMORY_BYTES`. `reduce` projects wider layers to so many dimensions.
    """

    device: str = "cpu"
    batch_size: int = 32
    memory: int | None = None
    reduce: int | None = None

    def __post_init__(self) -> None:
        for name in ("batch_size", "memory", "reduce"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"an engine's {name} is {value}; it must be positive")
        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            raise InputError(
                f"the device {self.device!r} can't be used: {str(error).splitlines()[0]}. "
                "Use cpu, cuda or mps, as far as this computer has them"
            ) from None

    @property
    def name(self) -> str:
        """What decides the last digits of a response: torch, kind of device and our own version."""
        kind = torch.device(self.device).type
        return f"torch {torch.__version__} on {kind}, extraction {EXTRACTION_VERSION}"

    @property
    def memory_bytes(self) -> int:
        """The cap in bytes."""
        return settings.memory_bytes() if self.memory is None else self.memory


class Answers:
    """What a candidate's layers answer to stimuli; nothing is extracted until it is asked for.

    With `units`, a sample of each layer's units is read besides its geometry, in the same pass.
    Used in a `with` block, at whose end the cache is pruned. An extraction that failed fails alike
    for all who ask.
    """

    def __init__(
        self,
        candidate: Candidate,
        stimuli: StimulusSet,
        *,
        engine: Engine | None = None,
        units: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self.candidate = candidate
        self.stimuli = stimuli
        self.engine = engine or Engine()
        self.units = units
        self.progress = progress
        self._keys: dict[str, str] = {}
        self._error: IsocortexError | None = None
        self._kept: dict[tuple[str, Reading], Geometry | Responses] = {}
        self._keeping = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        prune_cache()

    def layers(self, reads: Reading = "geometry") -> Mapping[str, Side]:
        """Each layer's geometry, or the responses of its units: loaded when they are looked up."""
        if self._error is not None:
            raise self._error
        if not self._keys:
            try:
                self._keys = self._extracted()
            except IsocortexError as error:
                self._error = error
                raise
        return _Layers(self, reads)

    def plan(self) -> Plan | None:
        """How the layers that are not in the cache will be extracted; None if there are none."""
        plan = self._planned()
        return None if plan is None else self._without_cached(plan)

    def look_up(self, layer: str, reads: Reading) -> Geometry | Responses:
        """What a layer answers, from memory or the cache.

        It stays in memory as long as all that is kept there takes less than half of the cap.
        """
        if (layer, reads) in self._kept:
            return self._kept[layer, reads]
        found: Geometry | Responses | None
        if reads == "units":
            found = load_responses(self._units_key(layer))
        else:
            found = load_geometry(self._keys[layer])
        if found is None:
            raise InputError(
                f"what layer {layer} answers was removed from the cache while it was in use: score "
                "again, with more room in the cache (ISOCORTEX_CACHE_BYTES)"
            )
        with self._keeping:  # layers are looked up in parallel
            held = sum(map(_bytes, self._kept.values())) + _bytes(found)
            if held <= self.engine.memory_bytes // 2:
                self._kept[layer, reads] = found
        return found

    def _extracted(self) -> dict[str, str]:
        """The key of each layer's geometry, all of which are in the cache now."""
        plan, reduce = self._planned(), self.engine.reduce
        keys = {layer: self._geometry_key(layer, reduce) for layer in self.candidate.layers}
        if plan is None:
            return keys
        for each in plan.layers:
            keys[each.layer] = self._geometry_key(each.layer, each.dimensions or reduce)
        plan = self._without_cached(plan)
        log.info("%s on %s: %s", self.candidate.card.name, self.stimuli.name, plan.summary)
        for found in extract_answers(
            self.candidate, self.stimuli, plan, device=self.engine.device, progress=self.progress
        ):
            store_geometry(keys[found.layer], found.geometry)
            if found.responses is not None:
                store_responses(self._units_key(found.layer), found.responses)
        return keys

    def _planned(self) -> Plan | None:
        """The plan for all layers that are not cached as they were asked for."""
        reduce = self.engine.reduce
        missing = [each for each in self.candidate.layers if not self._is_cached(each, reduce)]
        if not missing:
            return None
        return plan_extraction(
            replace(self.candidate, layers=tuple(missing)),
            self.stimuli,
            units=self.units,
            batch_size=self.engine.batch_size,
            device=self.engine.device,
            memory=self.engine.memory_bytes,
            reduce=reduce,
        )

    def _without_cached(self, plan: Plan) -> Plan:
        """The plan without layers that it reduces and that are cached reduced like that."""
        reduce = self.engine.reduce
        passes = (
            tuple(
                each
                for each in layers
                if not self._is_cached(each.layer, each.dimensions or reduce)
            )
            for layers in plan.passes
        )
        return replace(plan, passes=tuple(layers for layers in passes if layers))

    def _is_cached(self, layer: str, dimensions: int | None) -> bool:
        units = not self.units or is_cached(self._units_key(layer))
        return units and is_cached(self._geometry_key(layer, dimensions))

    def _geometry_key(self, layer: str, dimensions: int | None) -> str:
        if dimensions is None:
            return self._key(layer)
        return self._key(layer, projection={"dimensions": dimensions, "seed": PROJECTION_SEED})

    def _units_key(self, layer: str) -> str:
        return self._key(layer, units={"read": UNITS_READ, "seed": UNITS_SEED})

    def _key(self, layer: str, **form: Mapping[str, int]) -> str:
        return cache_key(
            network_hash=self.candidate.network_hash,
            layer=layer,
            stimuli=self.stimuli,
            engine=self.engine.name,
            **form,
        )


class _Layers(Mapping[str, Side]):
    """What each layer answers, in one of the forms, looked up when it is needed."""

    def __init__(self, answers: Answers, reads: Reading) -> None:
        self._answers = answers
        self._reads = reads

    def __getitem__(self, layer: str) -> Geometry | Responses:
        return self._answers.look_up(layer, self._reads)

    def __iter__(self) -> Iterator[str]:
        return iter(self._answers.candidate.layers)

    def __len__(self) -> int:
        return len(self._answers.candidate.layers)


def _bytes(side: Geometry | Responses) -> int:
    return side.gram.nbytes if isinstance(side, Geometry) else side.values.nbytes
