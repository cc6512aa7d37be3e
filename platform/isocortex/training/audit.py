"""The credit audit: how far a rule's update points away from the gradient, layer by layer.

A rule that is not backpropagation still lowers the loss as long as the angle between its update and
the negative gradient stays below 90° (Lillicrap et al. 2016, Nat Commun 7:13276).
"""

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from .parts import Batch, Learner

Gradients = Mapping[str, Tensor]


def credit_audit(learner: Learner, batch: Batch, *, seed: int) -> dict[str, tuple[float, float]]:
    """For each block and the head: the angle in degrees to the gradient, and the ratio of norms.

    Both are of what `step` leaves and what backpropagation of the objective's loss would leave on
    the same batch with the same noise. NaN where either is 0, as where a block has no gradient. It
    is made on copies: a step also moves running means, and may move what the rule keeps.
    """

    def left_by(step: Callable[[Learner, Batch, torch.Generator], Tensor]) -> dict[str, Tensor]:
        twin = copy.deepcopy(learner)
        twin.zero_grad()
        step(twin, batch, torch.Generator().manual_seed(seed))
        return {n: each.grad for n, each in twin.taught().items() if each.grad is not None}

    given = by_block(left_by(lambda twin, *noisy: twin.step(*noisy)))
    true = by_block(left_by(_backpropagated))
    nothing = torch.zeros(1)
    return {
        block: angle_and_ratio(given.get(block, nothing), true.get(block, nothing))
        for block in dict.fromkeys([*true, *given])
    }


def _backpropagated(learner: Learner, batch: Batch, generator: torch.Generator) -> Tensor:
    loss = learner.loss(batch, generator)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss


def by_block(gradients: Gradients) -> dict[str, Tensor]:
    """The gradients of each block of the network, and of the head, as one vector each."""
    found: dict[str, list[Tensor]] = {}
    for name, gradient in gradients.items():
        path = name.split(".")
        block = path[2] if path[:2] == ["network", "blocks"] else path[0]
        found.setdefault(block, []).append(gradient.detach().reshape(-1).to(torch.float64))
    return {block: torch.cat(parts) for block, parts in found.items()}


def angle_and_ratio(given: Tensor, true: Tensor) -> tuple[float, float]:
    """The angle of two vectors in degrees, and the norm of the first over that of the second."""
    norms = float(given.norm()), float(true.norm())
    if not all(norms) or given.shape != true.shape:
        return float("nan"), float("nan")
    cosine = float(given @ true) / (norms[0] * norms[1])
    return float(torch.tensor(cosine, dtype=torch.float64).clamp(-1, 1).arccos().rad2deg()), norms[
        0
    ] / norms[1]
