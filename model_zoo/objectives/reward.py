"""Reward: choose, and be told what the choice earned; never what would have been right."""

from torch import Tensor, nn

from isocortex.registry import objective
from isocortex.training import Batch, Diet, Objective


@objective(
    name="reward",
    summary="a reward of 1 for choosing the right category, and of 0 for any other",
    term="reward",
    needs=("labels",),
    offers=("reward",),
    source="Barto & Anandan 1985, IEEE Trans Syst Man Cybern 15:360",
    bibtex="""@article{barto1985pattern,
  author = {Barto, Andrew G. and Anandan, P.},
  title = {Pattern-recognizing stochastic learning automata},
  journal = {IEEE Transactions on Systems, Man, and Cybernetics},
  volume = {15},
  number = {3},
  pages = {360--375},
  year = {1985}
}""",
)
def reward(diet: Diet) -> Objective:
    """Outputs are the logits of a choice among the categories; labels only judge the choice.

    Rules that need a loss are refused, as its gradient tells what would have been right. The loss
    that history and credit audit see is the expected reward's negative, −1 … 0.
    """
    return _Reward(len(diet.categories))


class _Reward(Objective):
    def __init__(self, categories: int) -> None:
        self.categories = categories

    def head(self, width: int) -> nn.Module:
        return nn.Linear(width, self.categories)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        assert batch.labels is not None  # the card needs them
        return -outputs.softmax(dim=1).gather(1, batch.labels[:, None]).mean()

    def reward(self, choices: Tensor, batch: Batch) -> Tensor:
        assert batch.labels is not None  # the card needs them
        return (choices == batch.labels).to(batch.images.dtype)
