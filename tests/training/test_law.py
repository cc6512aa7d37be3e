"""The one law of learning rules: after a step every parameter that is taught has its gradient."""

from itertools import product

import numpy as np
import pytest
import torch

from isocortex import registry
from isocortex.errors import IncompatibleError, InputError
from isocortex.training import Diet, Images, Recipe, load_part

ARCHITECTURES = (
    *("mlp3-narrow", "conv4", "hopfield2", "lif3", "leaky-rnn", "lstm", "reservoir"),
    *("rao-ballard", "cerebellum-like", "hmax", "neocognitron"),
)
OBJECTIVES = ("categorise", "none", "categorise-film", "reward", "prototypes")
OFFERED = "sweeps32"  # labels, latents, films, as `noise` has


def noise(*, films):
    """64 images of noise in eight categories, or films of three frames."""
    generator = np.random.default_rng(0)
    shown = generator.integers(0, 256, (64, 3, 8, 8, 3), dtype=np.uint8)
    latents = {"place": generator.normal(size=64).astype(np.float32)}
    images = Images(shown[:, -1], np.arange(64) % 8, latents, shown if films else None)
    return Diet(images, images, tuple("abcdefgh"))


def cells(rule):
    """The recipes of a rule, one for each architecture that it fits."""
    crossed = (Recipe(a, o, rule, OFFERED) for a, o in product(ARCHITECTURES, OBJECTIVES))
    found = {}
    for recipe in crossed:
        if not recipe.gaps():
            found.setdefault(recipe.architecture, recipe)
    return list(found.values())


RULES = [entry.name for entry in registry.entries("learning_rule")]


@pytest.mark.parametrize("rule", RULES)
def test_after_a_step_every_taught_parameter_has_its_gradient(rule):
    held = [recipe.name for recipe in cells(rule) if holds(recipe)]
    assert held, "no network here fits the rule"


def holds(recipe):
    """Whether the rule takes the network; it may refuse some layers. If so, the law holds."""
    diet = noise(films=any("sequence" in card.needs for card in recipe.cards()))
    torch.manual_seed(0)
    network = load_part("architecture", recipe.architecture)(diet.image_size)
    network.image_size = diet.image_size
    objective = load_part("objective", recipe.objective)(diet)
    try:
        learner = load_part("learning_rule", recipe.rule)(network, objective).train()
        loss = learner.step(diet.batch_at(0, 64, seed=0), torch.Generator().manual_seed(0))
    except (IncompatibleError, InputError):
        return False
    assert loss.shape == (), recipe.name
    assert not loss.requires_grad, recipe.name
    missing = [name for name, each in learner.taught().items() if each.grad is None]
    assert not missing, recipe.name
    for name, each in learner.taught().items():
        assert each.grad.isfinite().all(), f"{recipe.name}: {name}"
    return True
