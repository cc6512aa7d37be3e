"""Training: a recipe's parts put together, taught for its budget, and kept.

What happens at step s depends on the recipe and s alone (the batch, the noise), so a run that is
killed goes on from its last checkpoint to the same weights.
"""

import copy
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, cast

import numpy as np
import torch
import xarray as xr

from .. import registry, settings
from ..budgets import Budget, find_budget
from ..cards import PartKind
from ..errors import InputError
from ..recipes import Recipe, require_fitting
from .audit import credit_audit
from .checkpoints import Checkpoint, Keeper
from .diets import Diet
from .parts import Batch, Learner, Network, Objective
from .probes import Probe, probed

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with the steps done and all steps."""

_AUDITED: Final = 64
"""How many images an audit sees."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A network trained by a recipe.

    `history` holds `loss` (step), and at some steps (`probed_step`) `accuracy` of a linear readout,
    `spread` and `rank` of the embedding, the audit's `angle` in degrees and norm `ratio`
    (probed_step, block), and of rules that relax `settling` (probed_step, quantity). `seconds` of
    processor time were spent on steps and probes.
    """

    recipe: Recipe
    network: Network = field(repr=False)
    history: xr.Dataset = field(repr=False)
    seconds: float


def train(
    recipe: str | Recipe,
    *,
    device: str = "cpu",
    keeper: Keeper | None = None,
    progress: Progress | None = None,
) -> Trained:
    """The network of a recipe, trained now, or taken up from where its last run stopped.

    With a `keeper` its checkpoints are kept and gone on from. Raises InputError for a name that is
    no recipe and for a loss that is not finite, UnknownNameError for a part that does not exist,
    IncompatibleError for parts that do not fit each other.
    """
    recipe = Recipe.parse(recipe) if isinstance(recipe, str) else recipe
    require_fitting(recipe)
    run = Run.begin(recipe, device)
    if keeper is not None and (found := keeper.latest()) is not None:
        run.restore(found)
    for step in range(run.done, run.steps):
        run.learn(step)
        if keeper is not None and step + 1 in run.marks:
            keeper.keep(run.checkpoint())
        if progress is not None:
            progress(step + 1, run.steps)
    return Trained(recipe, run.learner.network.eval(), run.history(), run.seconds)


def log_spaced(steps: int, *, count: int = 12) -> tuple[int, ...]:
    """0, and numbers of steps that double or so up to `steps`.

    >>> log_spaced(100, count=5)
    (0, 3, 10, 32, 100)
    >>> log_spaced(0)
    (0,)
    """
    if not steps:
        return (0,)
    powers = np.linspace(0, math.log10(steps), count)[1:] if steps > 1 else [0.0]
    return (0, *dict.fromkeys(max(1, round(10**power)) for power in powers))


class Run:
    """One training in progress: `done` of `steps`, those of its budget, or 0 without learning."""

    def __init__(self, recipe: Recipe, learner: Learner, diet: Diet, device: str) -> None:
        self.recipe, self.learner, self.diet, self.device = recipe, learner, diet, device
        self.budget: Budget = find_budget(recipe.budget)
        self.steps = self.budget.steps if learner.taught() else 0
        self.marks = log_spaced(self.steps)
        self.done = 0
        self.seconds = 0.0
        self.losses: list[float] = []
        self.probes: list[Probe] = []
        self._project = [load_part("constraint", name) for name in recipe.constraints]
        taught = list(learner.taught().values()) or [torch.nn.Parameter(torch.zeros(()))]
        self._optimiser = torch.optim.Adam(taught, lr=self.budget.rate)
        if not self.steps:
            self.look(0)

    @classmethod
    def begin(cls, recipe: Recipe, device: str) -> "Run":
        """The parts of a recipe put together, with its seed's weights."""
        diet = _diet(recipe.diet, settings.given())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            objective: Objective = load_part("objective", recipe.objective)(diet)
            network = built_network(recipe.architecture, diet.image_size)
            learner: Learner = load_part("learning_rule", recipe.rule)(network, objective)
        # Convolutions are a third faster where channels come last in memory.
        learner = learner.to(device).to(memory_format=torch.channels_last)
        return cls(recipe, learner.train(), diet, device)

    def learn(self, step: int) -> None:
        """One batch, and a look at it where one is due."""
        began = time.process_time()
        if step in self.marks:
            self.look(step)
        self.losses.append(self._update(step))
        self.done = step + 1
        if self.done == self.steps:
            self.look(self.done)
        self.seconds += time.process_time() - began

    def _update(self, step: int) -> float:
        """The rule leaves its gradients, the optimiser and the constraints follow; the loss."""
        batch = self.batch(step, self.budget.batch)
        self.learner.zero_grad()
        loss = float(self.learner.step(batch, self.noise(step)))
        if not math.isfinite(loss):
            raise InputError(
                f"{self.recipe.name}: the loss is {loss} at step {step}. The rule diverged on this "
                "architecture and objective: choose another, or a constraint that bounds it"
            )
        for group in self._optimiser.param_groups:
            group["lr"] = self.budget.rate_at(step)
        self._optimiser.step()
        with torch.no_grad():
            for project in self._project:
                project(self.learner.network)
            self.learner.after_update()
            self.learner.objective.after_update(self.learner.network, self.learner.head)
        return loss

    def look(self, step: int) -> None:
        """Measure the embedding and the rule's credit at this step; nothing of it is learned."""
        batch = self.batch(step, _AUDITED)
        probe = probed(
            self.learner.network,
            self.diet,
            step=step,
            angles=credit_audit(self.learner, batch, seed=step),
            settling=copy.deepcopy(self.learner).settling(batch, self.noise(step)),
        )
        if probe.collapsed and not any(each.collapsed for each in self.probes):
            said = "%s collapsed by step %d: embeddings vary over images by %.1g of their size"
            log.warning(said, self.recipe.name, step, probe.spread)
        self.probes.append(probe)

    def batch(self, step: int, size: int) -> Batch:
        """The images of a step."""
        drawn = self.diet.batch_at(step, size, seed=self.recipe.seed, steps=self.steps)
        return drawn.to(self.device)

    def noise(self, step: int) -> torch.Generator:
        """The source of randomness of a step."""
        return torch.Generator().manual_seed((self.recipe.seed << 32) + step)

    def history(self) -> xr.Dataset:
        """Losses and probes so far; see `Trained`."""
        return Probe.table(self.probes).assign(loss=("step", np.array(self.losses)))

    def checkpoint(self) -> Checkpoint:
        """All that is needed to go on from here."""
        return Checkpoint.of(
            self.done,
            self.learner,
            self._optimiser,
            self.losses,
            self.probes,
            seconds=self.seconds,
        )

    def restore(self, found: Checkpoint) -> None:
        """Go on from a checkpoint."""
        self.done, self.seconds = found.step, found.facts["seconds"]
        self.losses, self.probes = found.restore(self.learner, self._optimiser)
        log.info("%s goes on from step %d", self.recipe.name, self.done)


@lru_cache(maxsize=1)  # cells of a grid share their diet
def _diet(name: str, given: tuple[tuple[str, str], ...]) -> Diet:
    """The diet of that name; settings say where a user's own images are."""
    diet: Diet = load_part("diet", name)()
    return diet


def built_network(architecture: str, image_size: tuple[int, int]) -> Network:
    """A network for images of that height and width, with weights drawn now."""
    network: Network = load_part("architecture", architecture)(image_size)
    network.image_size = image_size
    return network


def load_part(kind: PartKind, name: str) -> Callable[..., Any]:
    """The function of a part with the options of its card."""
    entry = registry.find_entry(kind, name)
    options = dict(cast(Any, entry.card).options)
    function = entry.load()
    return lambda *arguments: function(*arguments, **options)
