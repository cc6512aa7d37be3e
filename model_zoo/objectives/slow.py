"""Slow: outputs that change little from frame to frame, and yet vary and differ."""

import torch
from torch import Tensor, nn

from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective

from ._redundancy import too_alike, too_still


@objective(
    name="slow",
    summary="outputs that change slowly over a film, and yet vary",
    term="slowness",
    needs=("sequence",),
    offers=("loss", "output-error"),
    options={"outputs": 16, "frames": 4},
    source="Wiskott & Sejnowski 2002, Neural Comput 14:715, eqs. 1–4",
    bibtex="""@article{wiskott2002slow,
  author = {Wiskott, Laurenz and Sejnowski, Terrence J.},
  title = {Slow feature analysis: unsupervised learning of invariances},
  journal = {Neural Computation},
  volume = {14},
  number = {4},
  pages = {715--770},
  year = {2002},
  doi = {10.1162/089976602317318938}
}""",
)
def slow(diet: Diet, *, outputs: int, frames: int) -> Objective:
    """The mean squared change over the last `frames`, plus what outputs lack in variance and share.

    The paper's constraints of unit variance and no covariance stand as terms of the loss, as in
    Bardes, Ponce & LeCun 2022, because a network is taught in batches; so outputs have no order.
    """
    return _Slow(outputs, frames)


class _Slow(Objective):
    def __init__(self, outputs: int, frames: int) -> None:
        self.outputs = outputs
        self.frames = frames

    def head(self, width: int) -> nn.Module:
        return nn.Linear(width, self.outputs)

    def inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        assert batch.sequence is not None  # the card needs it
        return batch.sequence[:, -self.frames :].flatten(0, 1)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        films = outputs.reshape(len(batch), -1, self.outputs)
        change = (films.diff(dim=1) ** 2).mean()
        return change + too_still(outputs) + too_alike(outputs)
