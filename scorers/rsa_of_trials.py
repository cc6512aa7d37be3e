"""Representational similarity analysis of single trials: brain distances that know their noise."""

import xarray as xr

from isocortex.errors import IncompatibleError, UnknownNameError
from isocortex.geometry import Brain, Dissimilarities, Side
from isocortex.registry import scorer
from isocortex.responses import Trials
from isocortex.statistics import Counts

from ._compared import compared, of_brain, of_models
from ._trials import TRIAL_DISSIMILARITIES


@scorer(
    variants={
        "rsa-crossnobis": {
            "summary": "the brain's crossnobis RDM compared by whitened cosine",
            "options": {
                "dissimilarity": "crossnobis",
                "noise": "shrinkage_diag",
                "comparison": "cosine-whitened",
            },
            "answers": "Are the ratios of distances alike, once the brain's are free of noise?",
        },
        "rsa-crossvalidated": {
            "summary": "the brain's cross-validated squared Euclidean RDM by whitened cosine",
            "options": {
                "dissimilarity": "crossnobis",
                "noise": "none",
                "comparison": "cosine-whitened",
            },
            "answers": "The same, when neuroids count by their variance, not by their reliability.",
        },
        "rsa-mahalanobis": {
            "summary": "the brain's Mahalanobis RDM compared by whitened Pearson's r",
            "options": {
                "dissimilarity": "mahalanobis",
                "noise": "shrinkage_diag",
                "comparison": "correlation-whitened",
            },
            "answers": "Do the same pairs of stimuli differ, when noisy neuroids count for less?",
        },
        "rsa-decoding": {
            "summary": "the brain's RDM of decoding accuracies compared by Spearman's ρ",
            "options": {
                "dissimilarity": "decoding",
                "noise": "shrinkage_diag",
                "comparison": "spearman",
            },
            "answers": "Are stimuli that differ for the model those that single trials tell apart?",
            "source": "Guggenmos, Sterzer & Cichy 2018, NeuroImage 173:434",
            "bibtex": """@article{guggenmos2018multivariate,
  author = {Guggenmos, Matthias and Sterzer, Philipp and Cichy, Radoslaw Martin},
  title = {Multivariate pattern analysis for {MEG}: A comparison of dissimilarity measures},
  journal = {NeuroImage},
  volume = {173},
  pages = {434--447},
  year = {2018},
  doi = {10.1016/j.neuroimage.2018.02.044}
}""",
        },
    },
    family="similarity",
    accepts=("responses",),
    trials=True,
    invariant_to=("stimulus order", "unit order", "rotation", "isotropic scale", "translation"),
    range=(-1.0, 1.0),
    splits={"kind": "halves", "scored": 500, "seed": 0},
    source="Walther et al. 2016, NeuroImage 137:188; comparison: Diedrichsen et al. 2020, "
    "arXiv:2007.02789",
    bibtex="""@article{walther2016reliability,
  author = {Walther, Alexander and Nili, Hamed and Ejaz, Naveed and Alink, Arjen and
    Kriegeskorte, Nikolaus and Diedrichsen, J{\\"o}rn},
  title = {Reliability of dissimilarity measures for multi-voxel pattern analysis},
  journal = {NeuroImage},
  volume = {137},
  pages = {188--200},
  year = {2016},
  doi = {10.1016/j.neuroimage.2015.12.012}
}""",
)
def rsa_of_trials(
    model: Side,
    brain: Brain,
    *,
    counts: Counts | None = None,
    dissimilarity: str = "crossnobis",
    noise: str = "shrinkage_diag",
    comparison: str = "cosine-whitened",
) -> xr.DataArray:
    """How alike squared distances of the model and those of the brain's trials are: (subject,).

    From −1 to 1; with `counts` (resample, stimulus) it is (resample, subject), as of `rsa`, which
    compares them. The brain's `dissimilarity` is one of `_trials.TRIAL_DISSIMILARITIES`, its
    `noise` one of `_noise.ESTIMATORS` or "none". The model's are squared Euclidean. The noise is
    estimated from the stimuli that are given, and in a resample it is held fixed. Raises InputError
    with too few trials (cross-validation takes 2 of each stimulus, decoding with a noise
    normalisation 3), IncompatibleError without trials.
    """
    if dissimilarity not in TRIAL_DISSIMILARITIES:
        raise UnknownNameError.among("dissimilarity", dissimilarity, TRIAL_DISSIMILARITIES)
    sides = tuple(_dissimilarities(side, dissimilarity, noise) for side in brain.sides)
    measured = Brain(brain.subjects, sides)
    similarity = compared(
        of_models([model], measured, "squared-euclidean"),
        of_brain(measured, "squared-euclidean"),  # they are dissimilarities already
        comparison,
        counts,
    )
    dims = ("subject",) if counts is None else ("resample", "subject")
    return xr.DataArray(similarity[..., 0, :], dims=dims, coords={"subject": list(brain.subjects)})


def _dissimilarities(side: Side, dissimilarity: str, noise: str) -> Dissimilarities:
    if not isinstance(side, Trials):
        raise IncompatibleError(
            f"a {dissimilarity} dissimilarity needs single trials; got a {type(side).__name__} "
            "(rsa-whitened-cosine compares recorded ones)"
        )
    return Dissimilarities(side.ids, TRIAL_DISSIMILARITIES[dissimilarity](side, noise))
