"""MoCo: tell a slow copy's answer to another view from its answers to earlier images."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import objective
from isocortex.training import Batch, Diet, Network, Objective

from ._heads import projector
from ._teacher import Teacher
from ._views import one_view


@objective(
    name="moco",
    summary="tell a slow copy's answer to another view from its earlier answers (MoCo)",
    term="contrast",
    needs=("uncut",),
    offers=("loss", "output-error"),
    options={"outputs": 64, "keys": 512, "momentum": 0.99, "temperature": 0.07},
    source="He et al. 2020, arXiv:1911.05722, eq. 1; its projector: Chen et al. 2020, "
    "arXiv:2003.04297",
    bibtex="""@inproceedings{he2020momentum,
  author = {He, Kaiming and Fan, Haoqi and Wu, Yuxin and Xie, Saining and Girshick, Ross},
  title = {Momentum contrast for unsupervised visual representation learning},
  booktitle = {Conference on Computer Vision and Pattern Recognition},
  pages = {9729--9738},
  year = {2020},
  eprint = {1911.05722},
  archiveprefix = {arXiv}
}""",
)
def moco(diet: Diet, *, outputs: int, keys: int, momentum: float, temperature: float) -> Objective:
    """The surprise of the copy's answer to the second view, among it and the last `keys` others.

    The paper keeps 65,536 keys, a twentieth of its images, and its momentum is .999 for a million
    steps. A batch is not split over machines, so there is nothing to shuffle before its
    normalisation. As in MoCo v2, the projector has two layers.
    """
    return _MoCo(outputs, keys, momentum=momentum, temperature=temperature)


class _MoCo(nn.Module, Objective):
    teacher: Teacher
    queue: Tensor

    def __init__(self, outputs: int, keys: int, *, momentum: float, temperature: float) -> None:
        super().__init__()
        self.outputs = outputs
        self.momentum = momentum
        self.temperature = temperature
        self.shown = torch.empty(0)  # the keys of the inputs, (image, output)
        self.register_buffer("queue", torch.empty(keys, outputs))

    def head(self, width: int) -> nn.Module:
        return projector(width, self.outputs)

    def attend(self, network: Network, head: nn.Module) -> None:
        self.teacher = Teacher(network, head)
        self.queue.copy_(functional.normalize(torch.randn_like(self.queue)))

    def after_update(self, network: Network, head: nn.Module) -> None:
        self.teacher.follow(network, head, momentum=self.momentum)
        self.queue.copy_(torch.cat([self.shown, self.queue])[: len(self.queue)])

    def inputs(self, batch: Batch, generator: torch.Generator) -> Tensor:
        queries = one_view(batch.images, generator)
        self.shown = functional.normalize(self.teacher(one_view(batch.images, generator)))
        return queries

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        queries = functional.normalize(outputs)
        own = (queries * self.shown).sum(dim=1, keepdim=True)
        logits = torch.cat([own, queries @ self.queue.T], dim=1) / self.temperature
        first = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
        return functional.cross_entropy(logits, first)
