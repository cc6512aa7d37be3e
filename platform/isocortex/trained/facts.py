"""The full card of a trained network: parts, budget, result, audit and biology."""

from typing import Any

import numpy as np
import torch
import xarray as xr

from ..biology import biology
from ..budgets import find_budget
from ..training import Trained


def network_facts(trained: Trained) -> dict[str, Any]:
    """All that is known of a trained network, by topic, as JSON-like values.

    `audit` holds angles in degrees and ratios of norms at the end of training, by block; None where
    a block has no gradient. `biology` is derived from the parts.
    """
    recipe, history = trained.recipe, trained.history
    budget = find_budget(recipe.budget)
    steps = history.sizes["step"]
    return {
        "id": recipe.name,
        **{kind: card.name for (kind, _), card in zip(recipe.parts, recipe.cards(), strict=True)},
        "constraint": list(recipe.constraints),
        "seed": recipe.seed,
        "network": _network_facts(trained),
        "budget": {
            "name": budget.name,
            "steps": steps,
            "images": steps * budget.batch,
            "optimiser": f"Adam, rate {budget.rate:g} falling to 0 as half a cosine",
            "processor_seconds": round(trained.seconds, 1),
            "torch": torch.__version__,
        },
        "result": {
            "loss": _number(history.loss[-20:].mean()) if steps else None,
            **{name: _number(history[name][-1]) for name in ("accuracy", "spread", "rank")},
            "checkpoints": history.probed_step.values.tolist(),
        },
        "audit": {
            **{name: _by(history, name, "block") for name in ("angle", "ratio")},
            "settling": _by(history, "settling", "quantity"),
        },
        "biology": biology(recipe),
    }


def history_document(history: xr.Dataset) -> dict[str, Any]:
    """A history as JSON-like values, None for what is missing; `history_of` gives it back."""
    document = history.to_dict()
    for values in document["data_vars"].values():
        values["data"] = _plain(values["data"])
    return document


def history_of(document: dict[str, Any]) -> xr.Dataset:
    """The history that `history_document` made a document of."""
    measured = {
        name: {**values, "data": np.array(values["data"], dtype=np.float64)}
        for name, values in document["data_vars"].items()
    }
    return xr.Dataset.from_dict({**document, "data_vars": measured})


def _plain(values: Any) -> Any:
    if isinstance(values, list):
        return [_plain(each) for each in values]
    return values if np.isfinite(values) else None


def _network_facts(trained: Trained) -> dict[str, Any]:
    network = trained.network
    return {
        "image_size": list(network.image_size or ()),
        "blocks": list(network.blocks),
        "width": network.width,
        "parameters": sum(each.numel() for each in network.parameters()),
    }


def _by(history: xr.Dataset, name: str, dim: str) -> dict[str, float | None]:
    last = history[name][-1]
    return {str(each): _number(last.sel({dim: each})) for each in history[dim].values}


def _number(value: Any) -> float | None:
    number = float(value)
    return float(f"{number:.4g}") if np.isfinite(number) else None
