"""Noise on the answers of modules, the same on every device, and what is made of it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from isocortex.errors import IncompatibleError


def noise_like(tensor: Tensor, size: float, generator: torch.Generator) -> Tensor:
    """Gaussian noise of a standard deviation, drawn on the CPU and put where the tensor is."""
    return size * torch.randn(tensor.shape, generator=generator).to(tensor)


@contextmanager
def answering(
    roots: Sequence[nn.Module], answered: Callable[[Tensor], Tensor], *, instead: str
) -> Iterator[None]:
    """While open, modules with weights see no graph but their own, and give `answered`.

    Raises IncompatibleError for a module of several answers; `instead` is the rule to choose.
    """

    def after(module: nn.Module, inputs: tuple[Any, ...], answer: object) -> Tensor:
        if not isinstance(answer, Tensor):
            raise IncompatibleError(
                f"{type(module).__name__} gives several answers, of which it is not known which "
                f"ones take noise; choose {instead}"
            )
        return answered(answer).detach()

    modules = [each for root in roots for each in root.modules()]
    taught = [each for each in modules if any(p.requires_grad for p in each.parameters(False))]
    hooks = [each.register_forward_pre_hook(_detach_inputs) for each in taught]
    hooks += [each.register_forward_hook(after) for each in taught]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _detach_inputs(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(each.detach() if isinstance(each, Tensor) else each for each in inputs)


def scaled(noise: Tensor, gains: Tensor, *, instead: str) -> Tensor:
    """The noise of each input times its gain. Raises IncompatibleError if rows are not inputs."""
    if len(noise) != len(gains):
        raise IncompatibleError(
            f"a module answers with {tuple(noise.shape)} to {len(gains)} inputs; noise needs one "
            f"row for each; choose {instead}"
        )
    return noise * gains.view(-1, *[1] * (noise.dim() - 1))
