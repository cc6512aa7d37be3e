"""Direct feedback alignment: the error of the outputs is broadcast to all blocks."""

from torch import Tensor

from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

from ._broadcast import Broadcasting


@learning_rule(
    name="direct-feedback",
    summary="the output's error, sent to each block through fixed random weights",
    term="direct-feedback",
    mechanism="broadcast",
    needs=("loss", "output-error", "chain"),
    source="Nøkland 2016, arXiv:1609.01596",
    bibtex="""@inproceedings{nokland2016direct,
  author = {Nøkland, Arild},
  title = {Direct feedback alignment provides learning in deep neural networks},
  booktitle = {Advances in Neural Information Processing Systems 29},
  year = {2016}
}""",
)
def direct_feedback(network: Network, objective: Objective) -> Learner:
    """A learner that gives each block e·B for the error e = ∂loss/∂outputs.

    Each block gets a signal where the paper gives one to each layer: within a block of more than
    one layer, credit is backpropagation's. B is normal and keeps the length of e on average.
    """
    return _DirectFeedback(network, objective)


class _DirectFeedback(Broadcasting):
    def signal(self, error: Tensor, batch: Batch) -> Tensor:
        return error
