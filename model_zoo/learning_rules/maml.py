"""MAML: weights from which a few steps of learning lead far."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.func import functional_call

from isocortex.errors import InputError
from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

Weights = dict[str, Tensor]


@learning_rule(
    variants={
        "maml": {
            "summary": "the gradient of the loss after a few steps of learning a new task",
            "options": {"ways": 5, "steps": 1, "rate": 0.4, "first_order": False},
        },
        "maml-first-order": {
            "summary": "maml without what the steps do to their own gradient",
            "options": {"ways": 5, "steps": 1, "rate": 0.4, "first_order": True},
        },
    },
    term="meta-gradient",
    mechanism="re-route",
    needs=("loss", "labels"),
    source="Finn, Abbeel & Levine 2017, ICML, arXiv:1703.03400, algorithm 2",
    bibtex="""@inproceedings{finn2017model,
  author = {Finn, Chelsea and Abbeel, Pieter and Levine, Sergey},
  title = {Model-agnostic meta-learning for fast adaptation of deep networks},
  booktitle = {International Conference on Machine Learning},
  pages = {1126--1135},
  year = {2017},
  eprint = {1703.03400},
  archiveprefix = {arXiv}
}""",
)
def maml(
    network: Network,
    objective: Objective,
    *,
    ways: int,
    steps: int,
    rate: float,
    first_order: bool,
) -> Learner:
    """A learner of the mean loss over tasks, each after `steps` of gradient descent on its support.

    A batch is cut into as many tasks of `ways` categories as it holds, with one image of each to
    learn from and one to be judged on; a task gives its categories new numbers, 0 … `ways` − 1.
    So the objective is one that sees labels, such as categorise, and only the first `ways` of its
    outputs are ever right. Raises InputError for a batch that holds no task.
    """
    return _Maml(network, objective, ways=ways, steps=steps, rate=rate, first_order=first_order)


class _Maml(Learner):
    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        ways: int,
        steps: int,
        rate: float,
        first_order: bool,
    ) -> None:
        super().__init__(network, objective)
        self.ways, self.steps, self.rate, self.first_order = ways, steps, rate, first_order

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        loss = self._meta_loss(batch, generator, exact=not self.first_order)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss after learning, whose exact gradient the credit audit compares with."""
        return self._meta_loss(batch, generator, exact=True)

    def adapted(
        self, support: Batch, generator: torch.Generator, *, exact: bool = False
    ) -> Weights:
        """The weights by name after learning from a task's support.

        With `exact` they know how they follow from the weights before it.
        """
        weights: Weights = dict(self.taught())
        for _ in range(self.steps):
            loss = functional_call(self, weights, (support, generator))
            values = list(weights.values())
            slopes = torch.autograd.grad(
                loss, values, create_graph=exact, allow_unused=True, materialize_grads=True
            )
            pairs = zip(weights.items(), slopes, strict=True)
            weights = {name: value - self.rate * slope for (name, value), slope in pairs}
        return weights

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The objective's loss of the network as it is, or as `functional_call` makes it."""
        return super().loss(batch, generator)

    def _meta_loss(self, batch: Batch, generator: torch.Generator, *, exact: bool) -> Tensor:
        losses = [
            functional_call(self, weights, (queries, generator))
            for support, queries in tasks(batch, self.ways)
            for weights in (self.adapted(support, generator, exact=exact),)
        ]
        return torch.stack(losses).mean()


def tasks(batch: Batch, ways: int) -> list[tuple[Batch, Batch]]:
    """Support and queries of each task that a batch holds.

    Categories with two images or more are taken as they come, `ways` for each task: the first image
    of each is to learn from, the others are to be judged on. Raises InputError if there is no task.
    """
    assert batch.labels is not None  # the card needs them
    found = [
        torch.nonzero(batch.labels == each)[:, 0] for each in dict.fromkeys(batch.labels.tolist())
    ]
    several = [places for places in found if len(places) > 1]
    groups = [several[at : at + ways] for at in range(0, len(several) - ways + 1, ways)]
    if not groups:
        raise InputError(
            f"a batch with {len(several)} categories of two images or more holds no task of "
            f"{ways}; choose a diet with more categories"
        )
    return [
        (
            _renumbered(batch, [each[:1] for each in group]),
            _renumbered(batch, [each[1:] for each in group]),
        )
        for group in groups
    ]


def _renumbered(batch: Batch, places: Sequence[Tensor]) -> Batch:
    """The images at the places of each category, labelled 0, 1, … by category."""
    labels = torch.cat([torch.full_like(each, number) for number, each in enumerate(places)])
    chosen = torch.cat(list(places))
    return Batch(
        batch.images[chosen],
        labels,
        {name: values[chosen] for name, values in batch.latents.items()},
        None if batch.sequence is None else batch.sequence[chosen],
        progress=batch.progress,
    )
