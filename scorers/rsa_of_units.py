"""Representational similarity analysis of units: dissimilarities that their order decides."""

import xarray as xr

from isocortex.errors import IncompatibleError
from isocortex.geometry import Brain, Dissimilarities, Side
from isocortex.registry import scorer
from isocortex.responses import Responses
from isocortex.statistics import Counts

from ._compared import compared, of_brain, of_models
from ._rdm import rank_geometry


@scorer(
    name="rsa-spearman-distance",
    summary="Spearman RDMs compared by Spearman's ρ",
    options={"comparison": "spearman"},
    family="similarity",
    accepts=("responses", "dissimilarities"),
    reads="units",
    invariant_to=("stimulus order", "unit order", "isotropic scale", "unit translation"),
    range=(-1.0, 1.0),
    symmetric=True,
    metric="arccos",
    splits={"kind": "halves", "scored": 500, "seed": 0},
    answers="Are stimuli that put the units in another order the same for model and brain?",
    source="Kriegeskorte, Mur & Bandettini 2008, Front Syst Neurosci 2:4",
    bibtex="""@article{kriegeskorte2008rsa,
  author = {Kriegeskorte, Nikolaus and Mur, Marieke and Bandettini, Peter},
  title = {Representational similarity analysis -- connecting the branches of systems neuroscience},
  journal = {Frontiers in Systems Neuroscience},
  volume = {2},
  pages = {4},
  year = {2008},
  doi = {10.3389/neuro.06.004.2008}
}""",
)
def rsa_of_units(
    model: Side, brain: Brain, *, counts: Counts | None = None, comparison: str = "spearman"
) -> xr.DataArray:
    """How alike the dissimilarities 1 − Spearman's ρ over units are, from −1 to 1: (subject,).

    A monotonic function of all responses to a stimulus, another one for each, changes nothing. With
    `counts` as `rsa`, which compares them; recorded dissimilarities stay what they are. Cost: the
    sorting of n rows of p units, and n²p. Raises InputError where all units answer alike to a
    stimulus, IncompatibleError where the units are not known.
    """
    ranked = Brain(brain.subjects, tuple(_ranked(side) for side in brain.sides))
    similarity = compared(
        of_models([_ranked(model)], ranked, "pearson"),
        of_brain(ranked, "pearson"),
        comparison,
        counts,
    )
    dims = ("subject",) if counts is None else ("resample", "subject")
    return xr.DataArray(similarity[..., 0, :], dims=dims, coords={"subject": list(brain.subjects)})


def _ranked(side: Side) -> Side:
    if isinstance(side, Dissimilarities):
        return side
    if not isinstance(side, Responses):
        raise IncompatibleError(f"ranks need the responses of units; got a {type(side).__name__}")
    return rank_geometry(side)
