"""Attributes: several properties of an image at once, such as where, how large and how turned."""

from isocortex.registry import objective
from isocortex.training import Diet, Objective

from ._latents import latents_of


@objective(
    name="attributes",
    summary="the continuous properties that the diet's images were drawn from",
    term="attributes",
    needs=("latents",),
    offers=("loss", "output-error", "targets"),
    source="Hong et al. 2016, Nat Neurosci 19:613",
    bibtex="""@article{hong2016explicit,
  author = {Hong, Ha and Yamins, Daniel L. K. and Majaj, Najib J. and DiCarlo, James J.},
  title = {Explicit information for category-orthogonal object properties increases along the
    ventral stream},
  journal = {Nature Neuroscience},
  volume = {19},
  number = {4},
  pages = {613--622},
  year = {2016},
  doi = {10.1038/nn.4247}
}""",
)
def attributes(diet: Diet) -> Objective:
    """The mean squared error of all latents of a diet, each with mean 0 and spread 1.

    An embedding that says nothing has a loss of 1. Raises InputError for a latent that is constant.
    """
    return latents_of(diet.train)
