"""Staged: what is learned for changes with age, one objective after the other."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from isocortex.errors import InputError
from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective
from isocortex.training.loop import load_part


@objective(
    variants={
        "contrast-then-categorise": {
            "summary": "contrast for the first half of training, then categorise",
            "options": {"stages": ("contrast", "categorise"), "switches": (0.5,)},
        },
        "categorise-then-contrast": {
            "summary": "the same stages in the other order",
            "options": {"stages": ("categorise", "contrast"), "switches": (0.5,)},
        },
        "autoencode-then-categorise": {
            "summary": "give the image back for the first half of training, then categorise",
            "options": {"stages": ("autoencode", "categorise"), "switches": (0.5,)},
        },
    },
    term="staged",
    needs=("labels",),
    offers=("loss", "output-error"),
    source="Marblestone, Wayne & Kording 2016, Front Comput Neurosci 10:94, section 3",
    bibtex="""@article{marblestone2016toward,
  author = {Marblestone, Adam H. and Wayne, Greg and Kording, Konrad P.},
  title = {Toward an Integration of Deep Learning and Neuroscience},
  journal = {Frontiers in Computational Neuroscience},
  volume = {10},
  pages = {94},
  year = {2016},
  doi = {10.3389/fncom.2016.00094}
}""",
)
def staged(diet: Diet, *, stages: Sequence[str], switches: Sequence[float]) -> Objective:
    """The objective `stages[n]` from the share `switches[n − 1]` of training on.

    The paper says that costs vary over development; the stages are ours. Each has a head of its
    own, the same where a stage comes back. The outputs of all stand side by side, and only those of
    the present stage have an error. Stages are objectives whose heads give one row of outputs for
    each input. Raises InputError unless there is one switch between each two stages, in order.
    """
    if len(switches) != len(stages) - 1 or list(switches) != sorted(switches):
        raise InputError(
            f"{len(stages)} stages with switches at {list(switches)}; expected one between each "
            "two stages, as growing shares of training"
        )
    return _Staged({name: load_part("objective", name)(diet) for name in stages}, stages, switches)


class _Staged(Objective):
    def __init__(
        self, parts: Mapping[str, Objective], stages: Sequence[str], switches: Sequence[float]
    ) -> None:
        self.parts = parts
        self.stages = stages
        self.switches = switches
        self.places: dict[str, slice] = {}

    def head(self, width: int) -> nn.Module:
        seeded, heads, end = torch.get_rng_state(), [], 0
        for name, part in self.parts.items():
            torch.set_rng_state(seeded)  # each begins as it would alone
            heads.append(part.head(width))
            start, end = end, end + _outputs(heads[-1], width)
            self.places[name] = slice(start, end)
        return _SideBySide(heads)

    def inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return self.parts[self._stage(batch)].inputs(batch, generator)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        stage = self._stage(batch)
        return self.parts[stage].loss(outputs[:, self.places[stage]], batch)

    def _stage(self, batch: Batch) -> str:
        return self.stages[bisect_right(self.switches, batch.progress)]


class _SideBySide(nn.Module):
    """Heads of one embedding, their outputs side by side."""

    def __init__(self, heads: Sequence[nn.Module]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)

    def forward(self, embedding: Tensor) -> Tensor:
        """The outputs of all heads, (image, output)."""
        return torch.cat([head(embedding) for head in self.heads], dim=1)


@torch.no_grad()
def _outputs(head: nn.Module, width: int) -> int:
    """How many outputs a head gives for each embedding."""
    outputs = head.eval()(torch.zeros(1, width)).shape[1]
    head.train()
    return int(outputs)
