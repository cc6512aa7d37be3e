"""Checkpoints: all that is needed to go on with a training, whole on disk or not at all."""

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..errors import MismatchError
from .parts import Learner
from .probes import Probe


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The state of a training after `step` steps: `tensors` by name, and JSON-like `facts`."""

    step: int
    tensors: dict[str, torch.Tensor] = field(repr=False)
    facts: dict[str, Any] = field(repr=False)

    @classmethod
    def of(
        cls,
        step: int,
        learner: Learner,
        optimiser: torch.optim.Optimizer,
        losses: Sequence[float],
        probes: Sequence[Probe],
        *,
        seconds: float,
    ) -> Self:
        """The present state, copied."""
        state = optimiser.state_dict()["state"]
        tensors = {f"learner.{name}": value for name, value in learner.state_dict().items()}
        for place, own in state.items():
            tensors |= {f"optimiser.{place}.{name}": value for name, value in own.items()}
        tensors["losses"] = torch.tensor(losses, dtype=torch.float64)
        packed = torch.contiguous_format  # as safetensors wants it
        copied = {n: each.detach().cpu().clone(memory_format=packed) for n, each in tensors.items()}
        facts = {"step": step, "seconds": seconds, "probes": [asdict(each) for each in probes]}
        return cls(step, copied, facts)

    def restore(
        self, learner: Learner, optimiser: torch.optim.Optimizer
    ) -> tuple[list[float], list[Probe]]:
        """Put the state into a learner and its optimiser; losses and probes so far.

        Raises MismatchError where it is of other parts.
        """
        own = {
            name.removeprefix("learner."): value
            for name, value in self.tensors.items()
            if name.startswith("learner.")
        }
        try:
            learner.load_state_dict(own)
        except RuntimeError as error:
            raise MismatchError(
                f"a checkpoint of step {self.step} is of other parts: {error}. Remove it to begin "
                "anew"
            ) from None
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in self.tensors.items():
            if name.startswith("optimiser."):
                _, place, key = name.split(".")
                state.setdefault(int(place), {})[key] = value
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
        probes = [Probe(**each) for each in self.facts["probes"]]
        return self.tensors["losses"].tolist(), probes


@dataclass(frozen=True)
class Keeper:
    """A folder of checkpoints, one file each; every one that was kept stays."""

    folder: Path

    def keep(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"step-{checkpoint.step:08d}.safetensors"
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".writing-") as folder:
            written = Path(folder) / path.name
            facts = {"facts": json.dumps(checkpoint.facts)}
            save_file(checkpoint.tensors, written, metadata=facts)
            os.replace(written, path)  # noqa: PTH105 - atomic on one file system

    def steps(self) -> list[int]:
        """The steps whose checkpoints are kept, in order."""
        return sorted(int(path.stem[5:]) for path in self.folder.glob("step-*.safetensors"))

    def load(self, step: int) -> Checkpoint:
        """The checkpoint of a step. Raises SafetensorError where the file is damaged."""
        path = self.folder / f"step-{step:08d}.safetensors"
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return Checkpoint(step, tensors, json.loads(file.metadata()["facts"]))

    def latest(self) -> Checkpoint | None:
        """The last checkpoint that can be read; a damaged one is passed over."""
        for step in reversed(self.steps()):
            try:
                return self.load(step)
            except SafetensorError:
                continue
        return None
