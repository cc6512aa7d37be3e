"""Networks that isocortex ships, by name and by card: no weights are read, and no torch is needed.

A network is one safetensors file: weights as float16, and the recipe, its history and the full card
as JSON in the header. `isocortex.trained` writes and reads the weights.
"""

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open

from .errors import InputError
from .recipes import Recipe

HEADER: Final = "isocortex"
"""The key of the header's JSON."""


def shipped_folder() -> Path:
    """Where the networks stand that isocortex ships."""
    spec = find_spec("isocortex.model_zoo")
    assert spec is not None  # it is a part of this package
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "trained"


def shipped_path(recipe: Recipe) -> Path:
    """Where the network of a recipe stands if isocortex ships it.

    >>> shipped_path(Recipe.parse("conv4/contrast/feedback@shapes32#0")).name
    'conv4.contrast.feedback.shapes32.pocket.0.safetensors'
    """
    parts = (
        recipe.constrained,
        recipe.objective,
        recipe.rule,
        recipe.diet,
        recipe.budget,
        recipe.seed,
    )
    return shipped_folder() / (".".join(map(str, parts)) + ".safetensors")


def shipped_recipes() -> tuple[Recipe, ...]:
    """The recipes of all networks that isocortex ships, by name."""
    found = []
    for path in shipped_folder().glob("*.safetensors"):
        architecture, objective, rule, diet, budget, seed = path.stem.split(".")
        name, *constraints = architecture.split("+")
        found.append(Recipe(name, objective, rule, diet, int(seed), tuple(constraints), budget))
    return tuple(sorted(found, key=lambda recipe: recipe.name))


def network_header(path: Path) -> Mapping[str, Any]:
    """The header of a network's file: `recipe`, `image_size`, `seconds`, `history` and `facts`.

    Raises InputError for another file.
    """
    try:
        with safe_open(path, "numpy") as opened:
            written = (opened.metadata() or {}).get(HEADER)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} can't be read as a network: {error}") from None
    if written is None:
        raise InputError(f"{path} holds no recipe; expected a file that isocortex wrote")
    header: Mapping[str, Any] = json.loads(written)
    return header


def controls_of(recipe: Recipe) -> tuple[str, ...]:
    """The names of shipped networks that differ from a recipe in exactly one part."""
    own = vars(recipe)
    return tuple(
        each.name
        for each in shipped_recipes()
        if sum(vars(each)[part] != value for part, value in own.items()) == 1
    )
