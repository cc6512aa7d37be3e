"""Automaton: a small computer that can't learn, though its every state is known."""

from math import prod

import torch
from torch import Tensor, nn

from isocortex.registry import architecture
from isocortex.training import FilmNetwork, Memory, Network


@architecture(
    name="automaton",
    summary="an elementary cellular automaton that hears the image's brighter pixels",
    term="hand-made-computer",
    offers=("recurrent", "film"),
    options={"rule": 110},
    source="after Jonas & Kording 2017, PLoS Comput Biol 13:e1005268; rule 110: Cook 2004, "
    "Complex Syst 15:1",
    bibtex="""@article{jonas2017could,
  author = {Jonas, Eric and Kording, Konrad Paul},
  title = {Could a neuroscientist understand a microprocessor?},
  journal = {PLoS Computational Biology},
  volume = {13},
  number = {1},
  pages = {e1005268},
  year = {2017},
  doi = {10.1371/journal.pcbi.1005268}
}""",
)
def automaton(image_size: tuple[int, int], *, rule: int) -> Network:
    """A ring of cells, one for each pixel, row by row; a negative control for the rule untrained.

    A new frame flips the cells whose pixel is brighter than middle grey, then all cells follow the
    rule. It is a universal computer, and no model of a brain: what it scores, a scorer gives away.
    """
    return _Automaton({"cells": _Cells(rule)}, width=prod(image_size))


class _Cells(nn.Module):
    """The ring's next state; bit 4 · left + 2 · own + right of the rule is what a cell becomes."""

    table: Tensor

    def __init__(self, rule: int) -> None:
        super().__init__()
        bits = [rule >> place & 1 for place in range(8)]
        self.register_buffer("table", torch.tensor(bits, dtype=torch.float32))

    def forward(self, cells: Tensor) -> Tensor:
        """Cells 0 or 1, (image, cell), one step on."""
        left, right = cells.roll(1, dims=1), cells.roll(-1, dims=1)
        return self.table[(4 * left + 2 * cells + right).long()]


class _Automaton(FilmNetwork):
    def advance(
        self, frame: Tensor, memory: Memory, *, apart: bool = False
    ) -> tuple[Tensor, Memory]:
        cells = (frame.mean(dim=1).flatten(1) > 0).to(frame.dtype)
        for before in memory:
            cells = (cells - before).abs()  # exclusive or
        cells = self.blocks["cells"](cells)
        return cells, (cells,)
