"""BYOL: foretell what a slow copy of oneself answers to another view of the image."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import objective
from isocortex.training import Batch, Diet, Network, Objective

from ._heads import Predicting, projector
from ._teacher import Teacher
from ._views import two_views


@objective(
    name="byol",
    summary="foretell what a slow copy of oneself says of another view (BYOL)",
    term="distil-itself",
    needs=("uncut",),
    offers=("loss", "output-error"),
    options={"outputs": 64, "momentum": 0.99},
    source="Grill et al. 2020, arXiv:2006.07733, eq. 2",
    bibtex="""@inproceedings{grill2020bootstrap,
  author = {Grill, Jean-Bastien and Strub, Florian and Altch{\\'e}, Florent and Tallec, Corentin and
    Richemond, Pierre H. and Buchatskaya, Elena and Doersch, Carl and Pires, Bernardo Avila and
    Guo, Zhaohan Daniel and Azar, Mohammad Gheshlaghi and Piot, Bilal and Kavukcuoglu, Koray and
    Munos, R{\\'e}mi and Valko, Michal},
  title = {Bootstrap your own latent: a new approach to self-supervised learning},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2020},
  eprint = {2006.07733},
  archiveprefix = {arXiv}
}""",
)
def byol(diet: Diet, *, outputs: int, momentum: float) -> Objective:
    """The squared distance of unit vectors, summed over both orders of the views.

    The momentum is the one that the paper begins with in its short trainings; there it goes on to
    1. Projections have 256 outputs and hidden layers 4,096 units in the paper.
    """
    return _BYOL(outputs, momentum)


class _BYOL(nn.Module, Objective):
    teacher: Teacher

    def __init__(self, outputs: int, momentum: float) -> None:
        super().__init__()
        self.outputs = outputs
        self.momentum = momentum
        self.shown = torch.empty(0)  # what the teacher said of the inputs, (2 · image, output)

    def head(self, width: int) -> nn.Module:
        return Predicting(projector(width, self.outputs), projector(self.outputs, self.outputs))

    def attend(self, network: Network, head: nn.Module) -> None:
        self.teacher = Teacher(network, head.get_submodule("projector"))

    def after_update(self, network: Network, head: nn.Module) -> None:
        projections = head.get_submodule("projector")
        self.teacher.follow(network, projections, momentum=self.momentum)

    def inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        views = two_views(batch.images, generator)
        self.shown = self.teacher(views)
        return views

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        other = self.shown.roll(len(batch), dims=0)
        return 2 * (2 - 2 * functional.cosine_similarity(outputs, other)).mean()
