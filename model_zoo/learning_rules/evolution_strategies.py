"""Evolution strategies: many networks jitter about one, and it moves to where the best of them are.

All that the rule knows of the objective is its value for each of them: nothing is sent back, and
the loss need not have a gradient. The update is on average the gradient of the loss as smoothed by
the noise, ⟨L(w + σε)⟩. With k pairs on n numbers of a loss that is all but linear over σ, its angle
to the gradient is arccos √((k + 2)/(k + n + 1)) or so.
"""

import torch
from torch import Tensor

from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._chain import statistics_kept
from ._noise import noise_like


@learning_rule(
    variants={
        "evolution-strategies": {
            "summary": "pairs of opposite jitters of all weights, by how their losses differ",
            "options": {"pairs": 16, "noise": 0.02, "ranked": False},
        },
        "evolution-strategies-ranked": {
            "summary": "pairs of opposite jitters of all weights, by how their losses rank",
            "options": {"pairs": 16, "noise": 0.02, "ranked": True},
        },
    },
    term="evolution-strategies",
    mechanism="local",
    needs=("loss",),
    source="Salimans et al. 2017, arXiv:1703.03864, algorithm 2 and section 2.1",
    bibtex="""@article{salimans2017evolution,
  author = {Salimans, Tim and Ho, Jonathan and Chen, Xi and Sidor, Szymon and Sutskever, Ilya},
  title = {Evolution strategies as a scalable alternative to reinforcement learning},
  journal = {arXiv:1703.03864},
  year = {2017}
}""",
)
def evolution_strategies(
    network: Network, objective: Objective, *, pairs: int, noise: float, ranked: bool
) -> Learner:
    """A learner of ⟨(L(w + σε) − L(w − σε)) ε⟩/2σ over `pairs` of noise ε of the size σ, `noise`.

    If `ranked`, losses count by their rank among all of a step, from −½ to ½: how much they differ
    is then not known. All networks of a step see the same inputs, where the paper's each play their
    own episodes. There is no decay of weights. Running means are those of the network itself.
    """
    return _EvolutionStrategies(network, objective, pairs, noise, ranked)


class _EvolutionStrategies(Learner):
    def __init__(
        self, network: Network, objective: Objective, pairs: int, noise: float, ranked: bool
    ) -> None:
        super().__init__(network, objective)
        self.pairs, self.noise, self.ranked = pairs, noise, ranked

    @torch.no_grad()
    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        inputs = self.objective.inputs(batch, generator)
        loss = self._judged(inputs, batch)
        # As in the paper, networks are told by seeds: their noise is drawn again, not remembered.
        seeds = torch.randint(2**62, (self.pairs,), generator=generator).tolist()
        with statistics_kept(self):
            losses = torch.stack([self._pair(seed, inputs, batch) for seed in seeds])
        counts = centred_ranks(losses) if self.ranked else losses
        gains = (counts[:, 0] - counts[:, 1]) / (2 * self.noise * self.pairs)
        weights = self.taught().values()
        for weight in weights:
            weight.grad = torch.zeros_like(weight)
        for seed, gain in zip(seeds, gains, strict=True):
            source = torch.Generator().manual_seed(seed)
            for weight in weights:
                weight.grad += gain * noise_like(weight, 1.0, source)
        return loss

    def _pair(self, seed: int, inputs: Tensor, batch: Batch) -> Tensor:
        """The losses of a network with this noise, and of one with the opposite: (2,)."""
        weights = list(self.taught().values())
        starts = [each.clone() for each in weights]
        source = torch.Generator().manual_seed(seed)
        noise = [noise_like(each, self.noise, source) for each in weights]
        losses = []
        for sign in (1, -1):
            for weight, start, each in zip(weights, starts, noise, strict=True):
                weight.copy_(start + sign * each)
            losses.append(self._judged(inputs, batch))
        for weight, start in zip(weights, starts, strict=True):
            weight.copy_(start)
        return torch.stack(losses)

    def _judged(self, inputs: Tensor, batch: Batch) -> Tensor:
        return self.objective.loss(self.head(self.network(inputs)), batch)


def centred_ranks(losses: Tensor) -> Tensor:
    """The ranks of losses among all of them, from −½ for the least to ½; of the same shape."""
    ranks = losses.flatten().argsort().argsort().to(losses)
    return (ranks / (len(ranks) - 1) - 0.5).view_as(losses)
