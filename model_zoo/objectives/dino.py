"""DINO: say of a view what a slow copy of oneself says more sharply of another."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import objective
from isocortex.training import Batch, Diet, Network, Objective

from ._heads import Cosines
from ._teacher import Teacher
from ._views import two_views


@objective(
    name="dino",
    summary="what a slow copy of oneself says more sharply of another view (DINO)",
    term="distil-itself",
    needs=("uncut",),
    offers=("loss", "output-error"),
    options={
        "outputs": 128,
        "momentum": 0.99,
        "centring": 0.9,
        "temperature": 0.1,
        "teacher_temperature": 0.04,
    },
    source="Caron et al. 2021, arXiv:2104.14294, algorithm 1 and eq. 4",
    bibtex="""@inproceedings{caron2021emerging,
  author = {Caron, Mathilde and Touvron, Hugo and Misra, Ishan and J{\\'e}gou, Herv{\\'e} and
    Mairal, Julien and Bojanowski, Piotr and Joulin, Armand},
  title = {Emerging properties in self-supervised vision transformers},
  booktitle = {International Conference on Computer Vision},
  pages = {9650--9660},
  year = {2021},
  eprint = {2104.14294},
  archiveprefix = {arXiv}
}""",
)
def dino(
    diet: Diet,
    *,
    outputs: int,
    momentum: float,
    centring: float,
    temperature: float,
    teacher_temperature: float,
) -> Objective:
    """The cross-entropy of the copy's centred answer to a view and the answer to the other.

    Two views of full size, without the small ones, and without warming up the teacher's
    temperature; 65,536 outputs and a momentum from .996 to 1 in the paper.
    """
    temperatures = temperature, teacher_temperature
    return _DINO(outputs, momentum=momentum, centring=centring, temperatures=temperatures)


class _DINO(nn.Module, Objective):
    teacher: Teacher
    centre: Tensor

    def __init__(
        self, outputs: int, *, momentum: float, centring: float, temperatures: tuple[float, float]
    ) -> None:
        super().__init__()
        self.outputs = outputs
        self.momentum = momentum
        self.centring = centring
        self.temperatures = temperatures
        self.shown = torch.empty(0)  # what the teacher said of the inputs, (2 · image, output)
        self.register_buffer("centre", torch.zeros(outputs))

    def head(self, width: int) -> nn.Module:
        """Hidden layers as wide as the outputs, then a bottleneck of a quarter; no batch norm."""
        narrow = self.outputs // 4
        layers = nn.Sequential(
            nn.Linear(width, self.outputs),
            nn.GELU(),
            nn.Linear(self.outputs, self.outputs),
            nn.GELU(),
            nn.Linear(self.outputs, narrow),
        )
        return Cosines(layers, narrow, self.outputs)

    def attend(self, network: Network, head: nn.Module) -> None:
        self.teacher = Teacher(network, head)

    def after_update(self, network: Network, head: nn.Module) -> None:
        self.teacher.follow(network, head, momentum=self.momentum)
        self.centre.lerp_(self.shown.mean(dim=0), 1 - self.centring)

    def inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        views = two_views(batch.images, generator)
        self.shown = self.teacher(views)
        return views

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        temperature, teacher_temperature = self.temperatures
        other = self.shown.roll(len(batch), dims=0)
        wanted = functional.softmax((other - self.centre) / teacher_temperature, dim=1)
        said = functional.log_softmax(outputs / temperature, dim=1)
        return -(wanted * said).sum(dim=1).mean()
