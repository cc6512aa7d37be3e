"""A step of each learning rule, against backpropagation on the same network and batch."""

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
import torch

from isocortex.training import Batch, Diet, Images
from isocortex.training.loop import load_part

from .timing import Measurement, timed

STEPS: Final = 5
RULES: Final = (
    "feedback",
    "sign-symmetry",
    "sign-symmetry-batch",
    "sign-symmetry-frozen",
    "kolen-pollack",
    "weight-mirror",
    "direct-feedback",
    "direct-targets",
)


def noise() -> Diet:
    """64 images of noise, 32 pixels wide, in ten categories."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)
    images = Images(pixels, np.arange(64) % 10)
    return Diet(images, images, tuple("0123456789"))


def stepping(rule: str) -> Callable[[], float]:
    """Steps of a rule on conv4, and the loss after them; its weights are changed by Adam."""
    torch.manual_seed(0)
    diet = noise()
    network = load_part("architecture", "conv4")(diet.image_size)
    learner = load_part("learning_rule", rule)(network, load_part("objective", "categorise")(diet))
    optimiser = torch.optim.Adam(list(learner.taught().values()))
    batch: Batch = diet.batch_at(0, 64, seed=0)
    generator = torch.Generator().manual_seed(0)

    def steps() -> float:
        for _ in range(STEPS):
            learner.zero_grad()
            loss = learner.step(batch, generator)
            optimiser.step()
            learner.after_update()
        return float(loss)

    return steps


def step(rule: str) -> list[Measurement]:
    """Five steps of conv4 on 64 images at 32 px, by a rule and by backpropagation in turn."""
    ways = {name: stepping(name) for name in (rule, "backprop")}
    rounds = [{name: timed(way, repeats=1)[0] for name, way in ways.items()} for _ in range(8)]
    ours, theirs = (min(each[name] for each in rounds[1:]) for name in ways)
    return [Measurement(ours, theirs, "backprop", 0.0)]


CASES: Final = {f"step-{rule}": partial(step, rule) for rule in RULES}
