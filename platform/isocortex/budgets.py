"""Budgets: how long a network is trained. The numbers are part of what a recipe's name means."""

import math
from dataclasses import dataclass
from typing import Final

from .errors import UnknownNameError


@dataclass(frozen=True)
class Budget:
    """`steps` batches of `batch` images; the optimiser is Adam with a cosine from `rate` to 0."""

    name: str
    steps: int
    batch: int = 64
    rate: float = 2e-3

    def rate_at(self, step: int) -> float:
        """The learning rate of a step: half a cosine from `rate` down to 0."""
        return self.rate * (1 + math.cos(math.pi * step / self.steps)) / 2


BUDGETS: Final = {
    budget.name: budget
    for budget in (
        Budget("smoke", 300),
        Budget("short", 1250),
        Budget("pocket", 2500),
        Budget("full", 25_000),
    )
}


def find_budget(name: str) -> Budget:
    """The budget of that name. Raises UnknownNameError."""
    if name not in BUDGETS:
        raise UnknownNameError.among("budget", name, BUDGETS)
    return BUDGETS[name]
