"""A network as a chain that is cut between its blocks: credit crosses one block at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isocortex.training import Batch, Learner


@dataclass(frozen=True, eq=False)
class Cut:
    """One block (or the head): what it was given and what it made of it, cut from the others."""

    module: nn.Module
    before: Tensor
    after: Tensor

    def down(self, credit: Tensor) -> Tensor:
        """Credit of the input for that of the output: the transposed Jacobian's product."""
        (found,) = torch.autograd.grad(self.after, self.before, credit, retain_graph=True)
        return found

    def teach(self, credit: Tensor) -> None:
        """Add to the `.grad` of the block's parameters what the credit of its output implies."""
        backward(self.after, list(self.module.parameters()), credit)


def backward(outputs: Tensor, parameters: Sequence[nn.Parameter], credit: Tensor) -> None:
    """Add to the `.grad` of these parameters alone; the graph stays."""
    taught = [each for each in parameters if each.requires_grad]
    if taught:
        torch.autograd.backward(outputs, credit, inputs=taught, retain_graph=True)


def links(learner: Learner) -> list[nn.Module]:
    """The blocks of a learner's network, then its head."""
    return [*learner.network.blocks.values(), learner.head]


def cut(modules: Sequence[nn.Module], inputs: Tensor) -> list[Cut]:
    """One pass through a chain of modules, cut between them."""
    cuts: list[Cut] = []
    for module in modules:
        before = inputs.detach().requires_grad_()
        cuts.append(Cut(module, before, module(before)))
        inputs = cuts[-1].after
    return cuts


def judged(learner: Learner, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """The loss of some outputs, and its gradient by them."""
    outputs = outputs.detach().requires_grad_()
    loss = learner.objective.loss(outputs, batch)
    (credit,) = torch.autograd.grad(loss, outputs)
    return loss.detach(), credit


@contextmanager
def statistics_kept(module: nn.Module) -> Iterator[None]:
    """Put buffers, such as running means, back: passes of an inference are not new images."""
    kept = {name: buffer.clone() for name, buffer in module.named_buffers()}
    yield
    with torch.no_grad():
        for name, buffer in module.named_buffers():
            buffer.copy_(kept[name])
