"""Bootstrap: an innate, crude detector says what to learn, until what was learned says it."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.errors import InputError
from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective

_EYE: Final = 3
"""Pixels across an eye of the innate template."""
_APART: Final = 4
"""From the middle to an eye, in pixels."""
_ABOVE: Final = 9
"""From the eyes down to the mouth, in pixels."""
_MOUTH: Final = (3, 7)
"""Pixels down and across the mouth."""
_FIELD: Final = 13
"""Contrast is that of so many pixels across."""
_SURE: Final = 0.25
"""This share of a batch, at either end, is sure enough to be learned from."""


@objective(
    variants={
        "bootstrap": {
            "summary": "what an innate detector of two dots above a line says, and then what was "
            "learned from it",
            "options": {"handover": 0.5},
        },
        "innate": {
            "summary": "control of bootstrap: the innate detector is the teacher to the end",
            "options": {"handover": 0.0},
        },
    },
    term="bootstrap",
    offers=("loss", "output-error"),
    source="Marblestone, Wayne & Kording 2016, Front Comput Neurosci 10:94, Fig. 1B",
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
def bootstrap(diet: Diet, *, handover: float) -> Objective:
    """The cross-entropy of one output with what a teacher says, who is innate at first.

    The teacher is the detector, and more and more the output itself: its share grows evenly, from 0
    to `handover` at the end of training. The quarter of a batch where the teacher's answer is
    strongest counts as faces, the quarter where it is weakest as none, and nothing is learned of
    the rest. The paper draws the idea; the detector, the quarters and the handover are ours. True
    labels are never seen. Raises InputError for images that are smaller than the detector.
    """
    height, width = diet.image_size
    if height < _FIELD or width < _FIELD:
        raise InputError(
            f"images of {height} × {width} pixels are smaller than the innate detector; take those "
            f"of {_FIELD} pixels or more"
        )
    return _Bootstrap(handover)


class _Bootstrap(Objective):
    def __init__(self, handover: float) -> None:
        self.handover = handover

    def head(self, width: int) -> nn.Module:
        return nn.Linear(width, 1)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        own = self.handover * batch.progress
        answers = (1 - own) * _standard(face_likeness(batch.images))
        answers = answers + own * _standard(outputs.detach()[:, 0])
        count = max(1, int(_SURE * len(answers)))
        order = answers.argsort()
        logits = torch.cat([outputs[order[:count], 0], outputs[order[-count:], 0]])
        said = torch.arange(2, device=logits.device).repeat_interleave(count).to(logits)
        return functional.binary_cross_entropy_with_logits(logits, said)


def _standard(answers: Tensor) -> Tensor:
    """The answers, with mean 0 and spread 1 over the batch."""
    return (answers - answers.mean()) / answers.std(correction=0).clamp(min=1e-6)


def face_likeness(images: Tensor) -> Tensor:
    """How much of two dark dots above a dark line there is at the best place, (image,).

    All three must be there: the least dark of them counts, darker than what is around it in units
    of the local contrast. The size is fixed, as of a template that is born, not learned.
    """
    grey = images.mean(dim=1, keepdim=True)
    variance = _mean(grey**2, (_FIELD, _FIELD)) - _mean(grey, (_FIELD, _FIELD)) ** 2
    contrast = variance.clamp(min=0).sqrt() + 0.1  # rounding takes that of an even field below 0
    dots, lines = (_darker(grey, size) / contrast for size in ((_EYE, _EYE), _MOUTH))
    height, width = dots.shape[2] - _ABOVE, dots.shape[3] - 2 * _APART
    left = dots[:, :, :height, :width]
    right = dots[:, :, :height, 2 * _APART :]
    mouth = lines[:, :, _ABOVE:, _APART:-_APART]
    return torch.stack([left, right, mouth]).amin(dim=0).flatten(1).amax(dim=1)


def _darker(grey: Tensor, size: tuple[int, int]) -> Tensor:
    """How much darker each place is than a frame around it, of the same shape as `grey`."""
    return _mean(grey, (size[0] + 4, size[1] + 4)) - _mean(grey, size)


def _mean(grey: Tensor, size: tuple[int, int]) -> Tensor:
    """The mean of the pixels around each place, down and across; there is nothing outside."""
    return functional.avg_pool2d(grey, size, stride=1, padding=(size[0] // 2, size[1] // 2))
