"""A step of each learning rule, against backpropagation on the same network and batch."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Final

import numpy as np
import torch

from isocortex import registry
from isocortex.recipes import Recipe
from isocortex.training import Batch, Diet, Images
from isocortex.training.loop import load_part

from .timing import Measurement, timed

STEPS: Final = 5
ARCHITECTURES: Final = (
    "conv4",
    "hopfield2",
    "lif3",
    "leaky-rnn",
    "reservoir",
    "rao-ballard",
    "cerebellum-like",
    "hmax",
    "neocognitron",
)
OBJECTIVES: Final = ("categorise", "none", "categorise-film", "reward", "prototypes")
DIET: Final = "sweeps32"
"""What `noise` offers is what this diet does."""


def cells() -> dict[str, Recipe]:
    """For each rule the first network and objective that it fits, conv4 if it can be."""
    found: dict[str, Recipe] = {}
    for entry in registry.entries("learning_rule"):
        for architecture, objective in product(ARCHITECTURES, OBJECTIVES):
            recipe = Recipe(architecture, objective, entry.name, DIET)
            if not recipe.gaps():
                found[entry.name] = recipe
                break
    return found


def noise(*, films: bool) -> Diet:
    """64 images of noise, 32 pixels wide, in ten categories; or films of four frames."""
    generator = np.random.default_rng(0)
    shown = generator.integers(0, 256, (64, 4, 32, 32, 3), dtype=np.uint8)
    latents = {"place": generator.normal(size=64).astype(np.float32)}
    images = Images(shown[:, -1], np.arange(64) % 10, latents, shown if films else None)
    return Diet(images, images, tuple("0123456789"))


def stepping(recipe: Recipe) -> Callable[[], float]:
    """Steps of a recipe, and the loss after them; its weights are changed by Adam."""
    torch.manual_seed(0)
    diet = noise(films=any("sequence" in card.needs for card in recipe.cards()))
    network = load_part("architecture", recipe.architecture)(diet.image_size)
    network.image_size = diet.image_size
    objective = load_part("objective", recipe.objective)(diet)
    learner = load_part("learning_rule", recipe.rule)(network, objective)
    optimiser = torch.optim.Adam(list(learner.taught().values()))
    batch: Batch = diet.batch_at(0, 64, seed=0)
    generator = torch.Generator().manual_seed(0)

    def steps() -> float:
        for _ in range(STEPS):
            learner.zero_grad()
            loss = learner.step(batch, generator)
            optimiser.step()
            with torch.no_grad():
                learner.after_update()
        return float(loss)

    return steps


def step(recipe: Recipe) -> list[Measurement]:
    """Five steps on 64 images at 32 px by a rule, and by backpropagation of categories, in turn."""
    goal = "categorise-film" if recipe.objective == "categorise-film" else "categorise"
    baseline = replace(recipe, rule="backprop", objective=goal)
    ways = {"rule": stepping(recipe), "backprop": stepping(baseline)}
    rounds = [{name: timed(way, repeats=1)[0] for name, way in ways.items()} for _ in range(5)]
    ours, theirs = (min(each[name] for each in rounds[1:]) for name in ways)
    return [Measurement(ours, theirs, f"backprop on {recipe.architecture}", 0.0)]


CASES: Final = {
    f"step-{rule}": partial(step, recipe)
    for rule, recipe in cells().items()
    if rule not in ("backprop", "untrained")
}
