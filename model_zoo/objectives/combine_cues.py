"""Combine cues: give one value that several noisy cues tell of, more or less reliably."""

from dataclasses import replace

from isocortex.errors import InputError
from isocortex.registry import objective
from isocortex.training import Diet, Objective

from ._latents import latents_of


@objective(
    name="combine-cues",
    summary="give the value that two cues tell of, whose reliability changes from trial to trial",
    term="combine-cues",
    needs=("latents",),
    offers=("loss", "output-error", "targets"),
    source="Orhan & Ma 2017, Nat Commun 8:138",
    bibtex="""@article{orhan2017efficient,
  author = {Orhan, A. Emin and Ma, Wei Ji},
  title = {Efficient probabilistic inference in generic neural networks trained with
    non-probabilistic feedback},
  journal = {Nature Communications},
  volume = {8},
  pages = {138},
  year = {2017},
  doi = {10.1038/s41467-017-00181-8}
}""",
)
def combine_cues(diet: Diet) -> Objective:
    """The mean squared error of the latent `value`, of mean 0 and spread 1: `attributes` of it.

    The feedback says nothing of probabilities or of how reliable a cue was. Raises InputError for
    a diet without that latent.
    """
    if "value" not in diet.train.latents:
        found = ", ".join(diet.train.latents) or "none"
        raise InputError(f"no latent 'value' to give, only {found}; choose the diet cues")
    return latents_of(replace(diet.train, latents={"value": diet.train.latents["value"]}))
