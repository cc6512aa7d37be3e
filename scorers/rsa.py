"""Representational similarity analysis: do pairs of stimuli differ alike in model and brain?"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from isocortex.errors import InputError
from isocortex.geometry import Brain, Side
from isocortex.registry import scorer
from isocortex.statistics import Counts

from ._compared import compared, of_brain, of_models
from ._riemannian import riemannian
from ._second_moments import bures


@scorer(
    variants={
        "rsa": {
            "summary": "Pearson RDMs compared by Spearman's ρ",
            "options": {"comparison": "spearman"},
        },
        "rsa-pearson": {
            "summary": "Pearson RDMs compared by Pearson's r",
            "options": {"comparison": "pearson"},
        },
        "rsa-cosine": {
            "summary": "Pearson RDMs compared by their cosine",
            "options": {"comparison": "cosine"},
        },
        "rsa-kendall": {
            "summary": "Pearson RDMs compared by Kendall's τ-a",
            "options": {"comparison": "kendall"},
            "metric": "",
        },
        "rsa-kendall-b": {
            "summary": "Pearson RDMs compared by Kendall's τ-b",
            "options": {"comparison": "kendall-b"},
            "source": "Kriegeskorte, Mur & Bandettini 2008, Front Syst Neurosci 2:4; τ-b: Kendall "
            "1945, Biometrika 33:239",
        },
        "rsa-rho-a": {
            "summary": "Pearson RDMs compared by ρ-a, Spearman's ρ under random breaking of ties",
            "options": {"comparison": "rho-a"},
            "metric": "",
            "source": "Schütt et al. 2023, eLife 12:e82566",
        },
        "rsa-cosine-distance": {
            "summary": "cosine RDMs compared by Spearman's ρ",
            "options": {"dissimilarity": "cosine", "comparison": "spearman"},
            "invariant_to": ("stimulus order", "unit order", "rotation", "isotropic scale"),
            "answers": "Are stimuli whose responses point elsewhere for the model the same ones "
            "as for the brain?",
        },
        "rsa-euclidean": {
            "summary": "Euclidean RDMs compared by Spearman's ρ (squared ones give the same)",
            "options": {"dissimilarity": "euclidean", "comparison": "spearman"},
            "invariant_to": (
                "stimulus order",
                "unit order",
                "rotation",
                "isotropic scale",
                "translation",
            ),
        },
        "rsa-euclidean-pearson": {
            "summary": "Euclidean RDMs compared by Pearson's r",
            "options": {"dissimilarity": "euclidean", "comparison": "pearson"},
            "invariant_to": (
                "stimulus order",
                "unit order",
                "rotation",
                "isotropic scale",
                "translation",
            ),
        },
        "rsa-whitened": {
            "summary": "squared Euclidean RDMs compared by Pearson's r, whitened (corr_cov)",
            "options": {
                "dissimilarity": "squared-euclidean",
                "comparison": "correlation-whitened",
            },
            "invariant_to": (
                "stimulus order",
                "unit order",
                "rotation",
                "isotropic scale",
                "translation",
            ),
            "answers": "Do the same pairs of stimuli differ, when pairs that share a stimulus and "
            "so its noise count as less evidence?",
            "source": "Diedrichsen et al. 2020, arXiv:2007.02789",
            "bibtex": """@article{diedrichsen2020comparing,
  author = {Diedrichsen, J{\\"o}rn and Berlot, Eva and Mur, Marieke and Sch{\\"u}tt, Heiko H. and
    Shahbazi, Mahdiyar and Kriegeskorte, Nikolaus},
  title = {Comparing representational geometries using whitened unbiased-distance-matrix
    similarity},
  year = {2020},
  eprint = {2007.02789},
  archiveprefix = {arXiv}
}""",
        },
        "rsa-whitened-cosine": {
            "summary": "squared Euclidean RDMs compared by their whitened cosine (cosine_cov)",
            "options": {"dissimilarity": "squared-euclidean", "comparison": "cosine-whitened"},
            "invariant_to": (
                "stimulus order",
                "unit order",
                "rotation",
                "isotropic scale",
                "translation",
            ),
            "answers": "Are the ratios of distances alike, when pairs that share a stimulus and "
            "so its noise count as less evidence?",
            "source": "Diedrichsen et al. 2020, arXiv:2007.02789",
            "bibtex": """@article{diedrichsen2020comparing,
  author = {Diedrichsen, J{\\"o}rn and Berlot, Eva and Mur, Marieke and Sch{\\"u}tt, Heiko H. and
    Shahbazi, Mahdiyar and Kriegeskorte, Nikolaus},
  title = {Comparing representational geometries using whitened unbiased-distance-matrix
    similarity},
  year = {2020},
  eprint = {2007.02789},
  archiveprefix = {arXiv}
}""",
        },
    },
    family="similarity",
    accepts=("responses", "dissimilarities"),
    invariant_to=(
        "stimulus order",
        "unit order",
        "isotropic scale",
        "unit translation",
    ),
    range=(-1.0, 1.0),
    symmetric=True,
    metric="arccos",
    splits={"kind": "halves", "scored": 500, "seed": 0},
    answers="Are stimuli that differ for the model the ones that differ for the brain?",
    source="Kriegeskorte, Mur & Bandettini 2008, Front Syst Neurosci 2:4; τ-a: Nili et al. 2014",
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
def rsa(
    model: Side,
    brain: Brain,
    *,
    counts: Counts | None = None,
    dissimilarity: str = "pearson",
    comparison: str = "spearman",
) -> xr.DataArray:
    """How alike the dissimilarities of model and brain are, from −1 to 1: (subject,).

    With `counts` (resample, stimulus) the stimuli weigh as often as they are drawn, pairs of a
    stimulus with itself are dropped, and the result is (resample, subject). The dissimilarities of
    a geometry are 1 − Pearson's r over units, or another `dissimilarity`; recorded ones stay what
    they are. Raises InputError where all of them are equal, UnknownNameError for an option.
    """
    similarity = rsa_of_models(
        [model], brain, counts=counts, dissimilarity=dissimilarity, comparison=comparison
    )
    return similarity.isel(model=0)


def rsa_of_models(
    models: Sequence[Side],
    brain: Brain,
    *,
    counts: Counts | None = None,
    dissimilarity: str = "pearson",
    comparison: str = "spearman",
) -> xr.DataArray:
    """`rsa` of several models at once: (model, subject), or (resample, model, subject).

    Equal to one model at a time, and cheaper under `counts`: what the brain's side costs is paid
    once for all models.
    """
    similarity = compared(
        of_models(models, brain, dissimilarity), of_brain(brain, dissimilarity), comparison, counts
    )
    dims = ("model", "subject") if counts is None else ("resample", "model", "subject")
    return xr.DataArray(similarity, dims=dims, coords={"subject": list(brain.subjects)})


@scorer(
    name="rsa-bures",
    summary="Pearson RDMs compared by the Bures similarity of the shapes they imply",
    options={"dissimilarity": "pearson"},
    family="similarity",
    accepts=("responses", "dissimilarities"),
    invariant_to=("stimulus order", "unit order", "isotropic scale", "unit translation"),
    range=(0.0, 1.0),
    symmetric=True,
    metric="arccos",
    splits={"kind": "halves", "scored": 500, "seed": 0},
    answers="How much of the model's shape is the brain's, once it is turned to fit best?",
    source="Harvey, Larsen & Williams 2023, arXiv:2311.11436; Bhatia, Jain & Lim 2019, "
    "arXiv:1712.01504",
    bibtex="""@article{harvey2023duality,
  author = {Harvey, Sarah E. and Larsen, Brett W. and Williams, Alex H.},
  title = {Duality of Bures and shape distances with implications for comparing neural
    representations},
  year = {2023},
  eprint = {2311.11436},
  archiveprefix = {arXiv}
}""",
)
def rsa_bures(model: Side, brain: Brain, *, dissimilarity: str = "pearson") -> xr.DataArray:
    """The Bures similarity of model and brain, from 0 to 1: (subject,).

    Dissimilarities are taken as squared distances, as 1 − r and recorded ones are of responses
    scaled alike; of squared Euclidean ones it is the cosine of the Procrustes angle. Roots of
    matrices do not follow from weights: it takes no `counts`. Cost: n³ for each
    subject. Raises as `rsa` does.
    """
    modelled = of_models([model], brain, dissimilarity)
    similarity = bures(modelled, of_brain(brain, dissimilarity))[0]
    return xr.DataArray(similarity, dims="subject", coords={"subject": list(brain.subjects)})


@scorer(
    name="rsa-riemannian",
    summary="squared Euclidean RDMs compared by the Riemannian distance of second moments",
    options={"dissimilarity": "squared-euclidean"},
    family="similarity",
    accepts=("responses", "dissimilarities"),
    invariant_to=("stimulus order", "unit order", "rotation", "isotropic scale", "translation"),
    range=(0.0, 1.0),
    splits={"kind": "halves", "scored": 100, "seed": 0},
    answers="By what factor do model and brain differ in the variance of a typical contrast of "
    "stimuli, once the model is scaled and noise added to suit?",
    source="Shahbazi et al. 2021, NeuroImage 239:118271",
    bibtex="""@article{shahbazi2021using,
  author = {Shahbazi, Mahdiyar and Shirali, Ali and Aghajan, Hamid and Nili, Hamed},
  title = {Using distance on the Riemannian manifold to compare representations in brain and in
    models},
  journal = {NeuroImage},
  volume = {239},
  pages = {118271},
  year = {2021},
  doi = {10.1016/j.neuroimage.2021.118271}
}""",
)
def rsa_riemannian(
    model: Side, brain: Brain, *, dissimilarity: str = "squared-euclidean"
) -> xr.DataArray:
    """e^(−d/√k) of the Riemannian distance d in k dimensions, from 0 to 1: (subject,).

    d is rsatoolbox's `neg_riem_dist` with its sign changed, k = n − 1 where the brain spans all
    contrasts of the stimuli. Where it spans fewer, as with fewer neuroids than stimuli, d is taken
    in its span and compared per dimension (`_riemannian`). The brain is the reference: noise is
    added to the model alone, so that exchanging the sides gives another number. Cost: about 4 n³
    for each subject. Raises as `rsa` does, and InputError where the brain spans fewer than two
    dimensions.
    """
    distances, dimensions = riemannian(
        of_models([model], brain, dissimilarity), of_brain(brain, dissimilarity)
    )
    if dimensions.min() < 2:
        raise InputError(
            f"subject {brain.subjects[int(dimensions.argmin())]} spans {dimensions.min()} dimension"
            "; ratios of variances take 2 or more: use rsa-pearson"
        )
    similarity = np.exp(-distances[0] / np.sqrt(dimensions))
    return xr.DataArray(similarity, dims="subject", coords={"subject": list(brain.subjects)})
