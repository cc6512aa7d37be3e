"""REINFORCE: what was chosen by chance, and earned more than usual, is made likelier."""

import torch
from torch import Tensor
from torch.nn import functional

from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._averages import follow
from ._noise import answering, noise_like, scaled


@learning_rule(
    variants={
        "reinforce": {
            "summary": "choices that earned more than usual are made likelier, by backpropagation",
            "term": "reinforce",
            "mechanism": "re-route",
            "options": {"noise": 0.0, "draws": 1},
        },
        "reinforce-units": {
            "summary": "each unit tries out noise, and keeps what earned more than usual",
            "term": "reinforce-units",
            "mechanism": "local",
            "options": {"noise": 1.0, "draws": 8},
        },
    },
    needs=("reward",),
    source="Williams 1992, Mach Learn 8:229, theorem 1; Gaussian units: section 6",
    bibtex="""@article{williams1992simple,
  author = {Williams, Ronald J.},
  title = {Simple statistical gradient-following algorithms for connectionist reinforcement
    learning},
  journal = {Machine Learning},
  volume = {8},
  pages = {229--256},
  year = {1992},
  doi = {10.1007/BF00992696}
}""",
)
def reinforce(network: Network, objective: Objective, *, noise: float, draws: int) -> Learner:
    """A learner of Δw = ⟨(r − b) ∂log p/∂w⟩, with p of all that was left to chance for an image.

    That is the choice, drawn by the softmax of the outputs, and with `noise` also the answer of
    each module with weights inside the network, normal about its mean with that spread; then units
    are told nothing but r − b, and nothing is sent back through the network. b is the mean reward
    of the batches before. Each image is tried `draws` times. On average the update is the gradient
    of the noisy network's expected reward; what an image does to others through batch normalisation
    is not seen.
    """
    return _Reinforce(network, objective, noise, draws)


class _Reinforce(Learner):
    usual: Tensor

    def __init__(self, network: Network, objective: Objective, noise: float, draws: int) -> None:
        super().__init__(network, objective)
        self.noise, self.draws = noise, draws
        self.register_buffer("usual", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        inputs = torch.cat([self.objective.inputs(batch, generator)] * self.draws)
        nodes: list[tuple[Tensor, Tensor]] = []

        def left_to_chance(answer: Tensor) -> Tensor:
            tried = noise_like(answer, 1.0, generator)
            nodes.append((answer, tried))
            return answer + self.noise * tried

        roots = (self.network,) if self.noise else ()
        with answering(roots, left_to_chance, instead="reinforce"):
            embedding = self.network(inputs)
        outputs = self.head(embedding.detach() if self.noise else embedding)
        chances = outputs.detach().softmax(dim=1).cpu()
        choices = torch.multinomial(chances, 1, generator=generator)[:, 0].to(outputs.device)
        tries = choices.chunk(self.draws)
        rewards = torch.cat([self.objective.reward(each, batch) for each in tries])
        surprise = functional.cross_entropy(outputs, choices, reduction="none")
        better = (rewards - self.usual.to(rewards)) / len(rewards)
        drives = [surprise, *(mean for mean, _ in nodes)]
        credit = [better, *(scaled(t, -better / self.noise, instead="reinforce") for _, t in nodes)]
        torch.autograd.backward(drives, credit)
        follow(self.usual, rewards.mean(), int(self.get_buffer("seen")))
        self.get_buffer("seen").add_(1)
        return self.objective.loss(outputs[: len(batch)], batch).detach()
