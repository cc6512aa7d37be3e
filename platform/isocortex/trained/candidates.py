"""From the name of a recipe to a network, and to a candidate that can be scored."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .. import settings, training
from ..candidates import Candidate, Preprocessing
from ..cards import CandidateCard
from ..fingerprints import fingerprint
from ..recipes import Recipe
from ..shipped import shipped_path
from ..training import Keeper, Progress, Trained
from ..training.diets import MIDDLE, SPREAD
from .weights import read_network

_MEAN: Final = (MIDDLE / 255,) * 3
_SPREAD: Final = (SPREAD / 255,) * 3


def trained_folder(recipe: Recipe) -> Path:
    """Where the checkpoints of a recipe are kept on this computer."""
    return settings.home() / "zoo" / fingerprint({"recipe": recipe.name})[:16]


def train(
    architecture: str,
    objective: str,
    rule: str,
    diet: str,
    *,
    seed: int = 0,
    budget: str = "pocket",
    constraints: Sequence[str] = (),
    device: str = "cpu",
    progress: Progress | None = None,
) -> Trained:
    """The network that these parts make; see `train_recipe`."""
    recipe = Recipe(architecture, objective, rule, diet, seed, tuple(constraints), budget)
    return train_recipe(recipe.name, device=device, progress=progress)


def train_recipe(name: str, *, device: str = "cpu", progress: Progress | None = None) -> Trained:
    """The network of that recipe. What an earlier run kept is gone on from, or given back.

    Raises InputError for a name that is no recipe and for a loss that is not finite,
    UnknownNameError for a part that does not exist, IncompatibleError for parts that do not fit
    each other.
    """
    recipe = Recipe.parse(name)
    keeper = Keeper(trained_folder(recipe))
    return training.train(recipe, device=device, keeper=keeper, progress=progress)


def find_trained(name: str, *, device: str = "cpu") -> Trained:
    """The network of that recipe as isocortex ships it; one that it does not ship is trained.

    Raises as `train_recipe` does.
    """
    shipped = shipped_path(Recipe.parse(name))
    return read_network(shipped) if shipped.exists() else train_recipe(name, device=device)


def trained_candidate(name: str) -> Candidate:
    """The network of that recipe as a candidate, read out at its blocks; see `find_trained`."""
    trained = find_trained(name)
    assert trained.network.image_size is not None  # it was built for its diet's images
    height, _ = trained.network.image_size
    return Candidate(
        _card(trained),
        trained.network,
        Preprocessing(height, height, mean=_MEAN, std=_SPREAD),
        trained.network.layers,
    )


def _card(trained: Trained) -> CandidateCard:
    recipe, cards = trained.recipe, trained.recipe.cards()
    architecture, objective, rule, diet, *_ = cards
    accuracy = float(trained.history.accuracy[-1])
    return CandidateCard(
        name=recipe.name,
        summary="; ".join(card.summary for card in cards),
        architecture=architecture.term,
        objective=objective.term,
        learning_rule=rule.term,
        diet=diet.term,
        seed=recipe.seed,
        accuracy="" if math.isnan(accuracy) else f"linear readout {accuracy:.1%}",
        source="; ".join(card.source for card in cards),
        bibtex="\n".join(dict.fromkeys(card.bibtex for card in cards if card.bibtex)),
        licence="BSD-3-Clause",
    )
