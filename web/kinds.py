"""Colours and shapes for the terms of an axis: the commonest have their own, the rest share one."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .charts import SHAPES, legend_of
from .colours import KINDS


@dataclass(frozen=True)
class Kinds:
    """The kind of each term, and the legend that names them."""

    places: Mapping[str, int]
    legend: tuple[tuple[int, str, str], ...]

    def of(self, name: str) -> int:
        """The kind of a term."""
        return self.places.get(name, KINDS - 1)


def kinds_of(names: Iterable[str]) -> Kinds:
    """Kinds for these terms, by how often they occur; from the eighth on they are "others"."""
    common = [name for name, _ in sorted(Counter(names).items(), key=lambda each: (-each[1], each))]
    if len(common) <= KINDS:
        return Kinds({name: place for place, name in enumerate(common)}, legend_of(common))
    own = common[: KINDS - 1]
    legend = (*legend_of(own), (KINDS - 1, SHAPES[KINDS - 1], "others"))
    return Kinds({name: place for place, name in enumerate(own)}, legend)
