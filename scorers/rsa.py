"""Representational similarity analysis: do pairs of stimuli differ alike in model and brain?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr

from isocortex.errors import InputError, UnknownNameError
from isocortex.geometry import Array, Brain, Side, require_same_stimuli
from isocortex.registry import scorer
from isocortex.statistics import Counts

from ._comparisons import Compare, cosine, pearson, rho_a, spearman
from ._concordance import tau_a, tau_b
from ._rdm import dissimilarity_vector
from ._second_moments import bures
from ._whitened import whitened_correlation, whitened_cosine


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
    if comparison not in _COMPARISONS:
        raise UnknownNameError.among("comparison", comparison, _COMPARISONS)
    modelled = np.array([_of_model(model, brain, dissimilarity) for model in models])
    recorded = _of_brain(brain, dissimilarity)
    drawn = np.ones((1, len(brain.ids))) if counts is None else counts
    together = max(1, _PRODUCTS // recorded.size)
    similarity = np.concatenate(
        [
            _resampled(
                _COMPARISONS[comparison], modelled[start : start + together], recorded, drawn
            )
            for start in range(0, len(modelled), together)
        ],
        axis=1,
    )
    labelled = xr.DataArray(
        similarity,
        dims=("resample", "model", "subject"),
        coords={"subject": list(brain.subjects)},
    )
    return labelled.isel(resample=0) if counts is None else labelled


@scorer(
    name="rsa-bures",
    summary="Pearson RDMs compared by the Bures similarity of the shapes they imply",
    options={"dissimilarity": "pearson"},
    family="similarity",
    accepts=("responses", "dissimilarities"),
    invariant_to=("stimulus order", "unit order", "isotropic scale", "unit translation"),
    range=(0.0, 1.0),
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
    matrices do not follow from weights, so that resamples are random halves. Cost: n³ for each
    subject. Raises as `rsa` does.
    """
    modelled = _of_model(model, brain, dissimilarity)[None]
    similarity = bures(modelled, _of_brain(brain, dissimilarity))[0]
    return xr.DataArray(similarity, dims="subject", coords={"subject": list(brain.subjects)})


_PRODUCTS: Final = 1 << 24
"""How many products of a model's with a subject's dissimilarities are held at once: 128 MiB."""


@dataclass(frozen=True)
class _Comparison:
    """A comparison, and how many weights (resample × pair) it is given at once."""

    prepare: Callable[[Array, Array], Compare]
    at_once: int


_COMPARISONS: Final = {
    "spearman": _Comparison(spearman, 1 << 16),
    "pearson": _Comparison(pearson, 1 << 22),
    "cosine": _Comparison(cosine, 1 << 22),
    "kendall": _Comparison(tau_a, 1 << 24),
    "kendall-b": _Comparison(tau_b, 1 << 24),
    "rho-a": _Comparison(rho_a, 1 << 16),
    "cosine-whitened": _Comparison(whitened_cosine, 1 << 22),
    "correlation-whitened": _Comparison(whitened_correlation, 1 << 22),
}
"""Ranks are held for each side and stay small enough for the processor's cache; the others make
one matrix product with many columns, or small ones, which pay when they have many rows."""


def _resampled(comparison: _Comparison, modelled: Array, recorded: Array, counts: Counts) -> Array:
    """The similarities under each row of counts: (resample, model, subject)."""
    compare = comparison.prepare(modelled, recorded)
    blocks = np.array_split(counts, -(-len(counts) * modelled.shape[1] // comparison.at_once))
    return np.concatenate([compare(block) for block in blocks if len(block)])


def _of_model(model: Side, brain: Brain, dissimilarity: str) -> Array:
    require_same_stimuli(model, brain)
    return _varied(dissimilarity_vector(model, dissimilarity), "the model")


def _of_brain(brain: Brain, dissimilarity: str) -> Array:
    """The dissimilarities of each subject: (subject, pair)."""
    sides = zip(brain.subjects, brain.sides, strict=True)
    return np.array(
        [
            _varied(dissimilarity_vector(side, dissimilarity), f"subject {name}")
            for name, side in sides
        ]
    )


def _varied(dissimilarities: Array, whose: str) -> Array:
    if dissimilarities.size < 3:
        raise InputError(
            f"{whose} holds {dissimilarities.size} pairs of stimuli; to compare dissimilarities "
            "takes 3 stimuli or more"
        )
    if np.ptp(dissimilarities) == 0:
        raise InputError(f"all dissimilarities of {whose} are equal: there is nothing to compare")
    return dissimilarities
