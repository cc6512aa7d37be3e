"""The trace rule: what follows each other in time comes to be the same."""

import torch
from torch import Tensor
from torch.nn import functional

from isocortex.registry import learning_rule
from isocortex.training import Learner, Network, Objective

from ._local import LocalLearner


@learning_rule(
    name="trace",
    summary="Hebbian winner-take-all with an answer that outlasts its input",
    term="trace",
    mechanism="local",
    needs=("no-loss", "chain", "sequence"),
    options={"decay": 0.2},
    source="Földiák 1991, Neural Comput 3:194, eqs. 2 and 3",
    bibtex="""@article{foldiak1991learning,
  author = {Földiák, Peter},
  title = {Learning invariance from transformation sequences},
  journal = {Neural Computation},
  volume = {3},
  number = {2},
  pages = {194--200},
  year = {1991},
  doi = {10.1162/neco.1991.3.2.194}
}""",
)
def trace(network: Network, objective: Objective, *, decay: float) -> Learner:
    """A learner of Δw = ⟨ȳ (x − w)⟩, where ȳ ← (1 − δ) ȳ + δ y and y is 1 for the winner, 0 else.

    `decay` is δ: at 1 nothing outlasts its input. A trace starts from 0 with each film.
    """
    return _Trace(network, objective, decay)


class _Trace(LocalLearner):
    films = True

    def __init__(self, network: Network, objective: Objective, decay: float) -> None:
        super().__init__(network, objective)
        self.decay = decay

    def change(
        self, layer: str, weights: Tensor, samples: Tensor, generator: torch.Generator
    ) -> Tensor:
        winners = (samples @ weights.T).argmax(-1)
        answers = functional.one_hot(winners, len(weights)).to(samples)
        traces = traced(answers, self.decay).flatten(0, 1)
        inputs = samples.flatten(0, 1)
        return (traces.T @ inputs - traces.sum(0)[:, None] * weights) / len(inputs)


def traced(answers: Tensor, decay: float) -> Tensor:
    """ȳ ← (1 − δ) ȳ + δ y along the time of answers (sample, time, unit), of the same shape."""
    trace = torch.zeros_like(answers[:, 0])
    found = []
    for answer in answers.unbind(1):
        trace = torch.lerp(trace, answer, decay)
        found.append(trace)
    return torch.stack(found, dim=1)
