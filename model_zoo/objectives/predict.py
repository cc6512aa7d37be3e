"""Predict: the next frame of a film, from the frames before it."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.errors import InputError
from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective

from ._heads import Together, decoder


@objective(
    name="predict",
    summary="the last frame of a film from the three before it",
    term="predict-future",
    needs=("sequence",),
    offers=("loss",),
    options={"context": 3},
    source="Lotter, Kreiman & Cox 2017, arXiv:1605.08104",
    bibtex="""@inproceedings{lotter2017deep,
  author = {Lotter, William and Kreiman, Gabriel and Cox, David},
  title = {Deep predictive coding networks for video prediction and unsupervised learning},
  booktitle = {International Conference on Learning Representations},
  year = {2017},
  eprint = {1605.08104},
  archiveprefix = {arXiv}
}""",
)
def predict(diet: Diet, *, context: int) -> Objective:
    """The mean squared error of the frame, decoded linearly from `context` frames' embeddings.

    The output is what changes from the frame before: a network that knows nothing copies that one,
    which is the paper's baseline. The network sees one frame at a time. One output belongs to
    several inputs, so no "output-error" is offered. Raises InputError for films shorter than
    `context` + 1.
    """
    films = diet.train.sequences
    if films is None or films.shape[1] <= context:
        frames = 0 if films is None else films.shape[1]
        raise InputError(f"films of {frames} frames; a prediction from {context} needs one more")
    return _Predict(diet.image_size, context)


class _Predict(Objective):
    def __init__(self, image_size: tuple[int, int], context: int) -> None:
        self.image_size = image_size
        self.context = context

    def head(self, width: int) -> nn.Module:
        return Together(self.context, decoder(self.context * width, self.image_size))

    def inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return _films(batch)[:, -1 - self.context : -1].flatten(0, 1)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return functional.mse_loss(outputs, _change(batch))


def _change(batch: Batch) -> Tensor:
    films = _films(batch)
    return (films[:, -1] - films[:, -2]).flatten(1)


def _films(batch: Batch) -> Tensor:
    assert batch.sequence is not None  # the card needs it
    return batch.sequence
