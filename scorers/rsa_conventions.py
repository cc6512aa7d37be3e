"""RSA by the conventions of others: all stimuli at once, nothing held out, as they publish it.

Each entry gives the number that the named toolbox or challenge gives. The layer is therefore
chosen on the stimuli that are scored, which flatters candidates with many layers; `rsa` and its
variants are the same comparisons with stimuli held out.
"""

import xarray as xr

from isocortex.geometry import Array, Brain, Side
from isocortex.registry import scorer
from isocortex.statistics import Counts

from ._compared import compared, of_brain, of_models
from ._second_moments import bures


@scorer(
    variants={
        "rsatoolbox-corr": {
            "summary": "rsatoolbox: euclidean RDMs compared by corr, all stimuli at once",
            "options": {"comparison": "pearson"},
        },
        "rsatoolbox-cosine": {
            "summary": "rsatoolbox: euclidean RDMs compared by cosine, all stimuli at once",
            "options": {"comparison": "cosine"},
        },
        "rsatoolbox-spearman": {
            "summary": "rsatoolbox: euclidean RDMs compared by spearman, all stimuli at once",
            "options": {"comparison": "spearman"},
        },
        "rsatoolbox-rho-a": {
            "summary": "rsatoolbox: euclidean RDMs compared by rho-a, all stimuli at once",
            "options": {"comparison": "rho-a"},
            "metric": "",
        },
        "rsatoolbox-tau-a": {
            "summary": "rsatoolbox: euclidean RDMs compared by tau-a, all stimuli at once",
            "options": {"comparison": "kendall"},
            "metric": "",
        },
        "rsatoolbox-corr-cov": {
            "summary": "rsatoolbox: euclidean RDMs compared by corr_cov, all stimuli at once",
            "options": {"comparison": "correlation-whitened"},
        },
        "rsatoolbox-cosine-cov": {
            "summary": "rsatoolbox: euclidean RDMs compared by cosine_cov, all stimuli at once",
            "options": {"comparison": "cosine-whitened"},
        },
    },
    family="similarity",
    accepts=("responses", "dissimilarities"),
    invariant_to=("stimulus order", "unit order", "rotation", "isotropic scale", "translation"),
    range=(-1.0, 1.0),
    symmetric=True,
    metric="arccos",
    splits={"kind": "all"},
    answers="What does rsatoolbox say?",
    source="Schütt et al. 2023, eLife 12:e82566; rsatoolbox 0.3.2",
    bibtex="""@article{schutt2023statistical,
  author = {Sch{\\"u}tt, Heiko H. and Kipnis, Alexander D. and Diedrichsen, J{\\"o}rn and
    Kriegeskorte, Nikolaus},
  title = {Statistical inference on representational geometries},
  journal = {eLife},
  volume = {12},
  pages = {e82566},
  year = {2023},
  doi = {10.7554/eLife.82566}
}""",
)
def rsa_of_rsatoolbox(
    model: Side,
    brain: Brain,
    *,
    counts: Counts | None = None,
    dissimilarity: str = "squared-euclidean",
    comparison: str = "pearson",
) -> xr.DataArray:
    """What rsatoolbox's `compare` gives for the RDMs of its `calc_rdm`, to 1e-9: (subject,).

    Its default RDM, "euclidean", is the squared distance over the number of units. Resamples
    deviate where it takes copies of a pair of stimuli for ties of the model (tau-a, rho-a). With
    `counts` and errors as `rsa`.
    """
    modelled = of_models([model], brain, dissimilarity)
    similarity = compared(modelled, of_brain(brain, dissimilarity), comparison, counts)[..., 0, :]
    return _labelled(similarity, brain)


@scorer(
    name="rsatoolbox-bures",
    summary="rsatoolbox: euclidean RDMs compared by bures, all stimuli at once",
    family="similarity",
    accepts=("responses", "dissimilarities"),
    invariant_to=("stimulus order", "unit order", "rotation", "isotropic scale", "translation"),
    range=(0.0, 1.0),
    symmetric=True,
    metric="arccos",
    splits={"kind": "all"},
    answers="What does rsatoolbox say?",
    source="Schütt et al. 2023, eLife 12:e82566; rsatoolbox 0.3.2",
    bibtex="""@article{schutt2023statistical,
  author = {Sch{\\"u}tt, Heiko H. and Kipnis, Alexander D. and Diedrichsen, J{\\"o}rn and
    Kriegeskorte, Nikolaus},
  title = {Statistical inference on representational geometries},
  journal = {eLife},
  volume = {12},
  pages = {e82566},
  year = {2023},
  doi = {10.7554/eLife.82566}
}""",
)
def bures_of_rsatoolbox(
    model: Side, brain: Brain, *, dissimilarity: str = "squared-euclidean"
) -> xr.DataArray:
    """What rsatoolbox's `compare` gives by "bures", from 0 to 1: (subject,).

    Equal to 1e-9 where both sides have n − 1 dimensions; of fewer, its roots of what rounding
    leaves of eigenvalues of 0 add up to 1e-7. Raises as `rsa` does.
    """
    modelled = of_models([model], brain, dissimilarity)
    return _labelled(bures(modelled, of_brain(brain, dissimilarity))[0], brain)


@scorer(
    name="algonauts2019",
    summary="Algonauts 2019: squared Spearman's ρ of correlation RDMs, over the ceiling's",
    family="similarity",
    accepts=("dissimilarities",),
    invariant_to=("stimulus order", "unit order", "isotropic scale", "unit translation"),
    range=(0.0, 1.0),
    symmetric=True,
    metric="arccos",
    splits={"kind": "all"},
    answers="What would the challenge of 2019 have said? Not whether model and brain agree: ρ is "
    "squared, so that a model whose RDM is the brain's turned upside down scores as the best one",
    source="Cichy et al. 2019, arXiv:1905.05675",
    bibtex="""@article{cichy2019algonauts,
  author = {Cichy, Radoslaw Martin and Roig, Gemma and Andonian, Alex and Dwivedi, Kshitij and
    Lahner, Benjamin and Lascelles, Alex and Mohsenzadeh, Yalda and Ramakrishnan, Kandan and
    Oliva, Aude},
  title = {The {Algonauts} Project: A Platform for Communication between the Sciences of Biological
    and Artificial Intelligence},
  year = {2019},
  eprint = {1905.05675},
  archiveprefix = {arXiv}
}""",
)
def algonauts2019(model: Side, brain: Brain, *, counts: Counts | None = None) -> xr.DataArray:
    """Spearman's ρ squared, from 0 to 1: (subject,); its mean over the ceiling is the score.

    The ceiling, by the same function, is the mean squared ρ of each subject with the mean of all.
    The sign of ρ is lost, and noise alone scores above 0. With `counts` and errors as `rsa`.
    """
    modelled = of_models([model], brain, "pearson")
    similarity = compared(modelled, of_brain(brain, "pearson"), "spearman", counts)[..., 0, :]
    return _labelled(similarity**2, brain)


def _labelled(similarity: Array, brain: Brain) -> xr.DataArray:
    dims = ("resample", "subject")[-similarity.ndim :]
    return xr.DataArray(similarity, dims=dims, coords={"subject": list(brain.subjects)})
