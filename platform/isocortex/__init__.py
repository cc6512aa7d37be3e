"""Compares neural networks with brains: by objective, architecture and learning rule.

The public names below are loaded when they are first used, so that `import isocortex` is light.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cards import CandidateCard, DatasetCard, ScorerCard
    from .registry import candidate, candidate_family, dataset, scorer

__version__ = "0.1.0"

_HOME_OF = {
    "CandidateCard": "cards",
    "DatasetCard": "cards",
    "ScorerCard": "cards",
    "candidate": "registry",
    "candidate_family": "registry",
    "dataset": "registry",
    "scorer": "registry",
}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(importlib.import_module(f".{_HOME_OF[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
