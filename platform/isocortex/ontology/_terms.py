"""What a term is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Axis = Literal["architecture", "objective", "learning_rule", "diet"]
AXES: Final[tuple[Axis, ...]] = get_args(Axis)


@dataclass(frozen=True)
class Term:
    """One term of an axis: `properties` are facts a leaderboard can filter by."""

    axis: Axis
    name: str
    parent: str | None
    label: str
    reference: str = ""
    properties: Mapping[str, bool] = field(default_factory=dict)
