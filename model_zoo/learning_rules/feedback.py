"""Feedback alignment: errors come down through fixed random weights."""

from isocortex.registry import learning_rule
from isocortex.training import Learner, Network, Objective

from ._rerouted import Remembering


@learning_rule(
    name="feedback",
    summary="backpropagation through fixed random weights",
    term="feedback-alignment",
    mechanism="re-route",
    needs=("loss",),
    source="Lillicrap et al. 2016, Nat Commun 7:13276",
    bibtex="""@article{lillicrap2016random,
  author = {Lillicrap, Timothy P. and Cownden, Daniel and Tweed, Douglas B. and Akerman, Colin J.},
  title = {Random synaptic feedback weights support error backpropagation for deep learning},
  journal = {Nature Communications},
  volume = {7},
  pages = {13276},
  year = {2016},
  doi = {10.1038/ncomms13276}
}""",
)
def feedback(network: Network, objective: Objective) -> Learner:
    """A learner with a random B in the place of each Wᵀ, which is never learned.

    B is normal with the spread that W has at birth; the paper draws it uniformly.
    """
    return Remembering(network, objective)
