"""Canonical correlations: do model and brain span the same space, whatever the size of dimensions?

They are the cosines of the angles between the two subspaces, so all but the weights of `pwcca`
follows from the centred Gram matrices. In n stimuli, subspaces whose dimensions exceed n − 1
together meet whatever the responses, and full CCA of layers wider than the stimuli are many is 1 by
construction. So each side keeps at most its (n − 1) // 2 main components: below that limit these
are the textbook's numbers, above it those of the largest dimensions. Chance still grows with the
dimensions: the correlations of unrelated subspaces of n/2 dimensions are 2/π in the mean.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import xarray as xr

from isocortex.errors import IncompatibleError, InputError, UnknownNameError
from isocortex.geometry import Array, Brain, Side, geometry_of
from isocortex.registry import scorer
from isocortex.responses import Responses

from ._gram import (
    coordinates,
    main_components,
    most_components,
    over_subjects,
    require_comparable,
)


@scorer(
    variants={
        "cca": {
            "summary": "mean canonical correlation, of at most (n − 1)//2 components a side",
            "options": {"variance_kept": 1.0, "average": "mean"},
            "answers": "Do model and brain span the same space, whatever the size of dimensions?",
            "source": "Hotelling 1936, Biometrika 28:321; mean: Kornblith et al. 2019, "
            "arXiv:1905.00414, table 1",
            "symmetric": True,
        },
        "yanai": {
            "summary": "Yanai's generalised coefficient of determination, of the same components",
            "options": {"variance_kept": 1.0, "average": "overlap"},
            "answers": "How much of the space do model and brain share, whatever its dimensions' "
            "size?",
            "source": "Ramsay, ten Berge & Styan 1984, Psychometrika 49:403 (Yanai's GCD)",
            "symmetric": True,
            "metric": "arccos",
        },
        "svcca": {
            "summary": "mean canonical correlation of the components with 99 % of the variance",
            "options": {"variance_kept": 0.99, "average": "mean"},
            "symmetric": True,
        },
        "svcca-weighted": {
            "summary": "the same, weighted by the brain's variance (in the manner of PWCCA)",
            "options": {"variance_kept": 0.99, "average": "brain-variance"},
            "source": "Raghu et al. 2017, arXiv:1706.05806; weights: Morcos et al. 2018, "
            "arXiv:1806.05759, squared",
        },
    },
    family="similarity",
    accepts=("responses",),
    invariant_to=("stimulus order", "unit order", "rotation", "isotropic scale", "translation"),
    range=(0.0, 1.0),
    splits={"kind": "halves", "scored": 100, "seed": 0},
    answers="Do the main dimensions of model and brain span the same space, whatever their size?",
    source="Raghu et al. 2017, arXiv:1706.05806",
    bibtex="""@inproceedings{raghu2017svcca,
  author = {Raghu, Maithra and Gilmer, Justin and Yosinski, Jason and Sohl-Dickstein, Jascha},
  title = {{SVCCA}: Singular vector canonical correlation analysis for deep learning dynamics and
    interpretability},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {30},
  year = {2017},
  eprint = {1706.05806},
  archiveprefix = {arXiv}
}
@article{hotelling1936relations,
  author = {Hotelling, Harold},
  title = {Relations between two sets of variates},
  journal = {Biometrika},
  volume = {28},
  pages = {321--377},
  year = {1936}
}
@article{ramsay1984matrix,
  author = {Ramsay, J. O. and ten Berge, Jos and Styan, G. P. H.},
  title = {Matrix correlation},
  journal = {Psychometrika},
  volume = {49},
  pages = {403--423},
  year = {1984}
}""",
)
def canonical_correlation(
    model: Side, brain: Brain, *, variance_kept: float = 1.0, average: str = "mean"
) -> xr.DataArray:
    """An average of the canonical correlations ρ, from 0 to 1 (the same space): (subject,).

    Each side keeps its fewest principal components with the share `variance_kept` of the variance,
    but at most (n − 1) // 2 (the module says why; Raghu et al. set no limit). Where neither side
    reaches the limit, all of the variance (1.0) is the textbook's CCA and blind to invertible
    linear maps. `average` is "mean", over the lesser number of components; "overlap", Σρ²/√(k l)
    for k and l components, the cosine of the two projections and so a metric by its arc;
    "brain-variance", where each ρ counts as much as its canonical variable holds of the brain's
    variance: `pwcca` with squares for absolute values, which makes it blind to rotations of
    neuroids. Raises InputError where all responses are alike or stimuli are fewer than 4. Cost:
    that of two eigendecompositions and the singular values of a k × l matrix.
    """
    require_comparable(model, brain)
    if not 0 < variance_kept <= 1:
        raise InputError(f"variance_kept is {variance_kept}, expected a share above 0, up to 1")
    if average not in _AVERAGES:
        raise UnknownNameError.among("average", average, _AVERAGES)
    x = _subspace(coordinates(model, "the model"), variance_kept)

    def similarity(side: Side, whose: str) -> float:
        recorded = coordinates(side, whose)
        return _AVERAGES[average](x, _subspace(recorded, variance_kept), recorded)

    return over_subjects(brain, similarity)


def _subspace(factor: Array, share: float) -> Array:
    """An orthonormal basis (n, k) of the main components of coordinates (n, rank)."""
    if share == 1 and factor.shape[1] <= most_components(len(factor)):
        return np.linalg.qr(factor).Q  # of all components any basis will do
    return main_components(factor, share)[0]


def _correlations(x: Array, y: Array) -> Array:
    """The canonical correlations of two orthonormal bases, descending."""
    correlations: Array = np.linalg.svd(x.T @ y, compute_uv=False).clip(max=1)
    return correlations


def _mean(x: Array, y: Array, recorded: Array) -> float:
    return float(_correlations(x, y).mean())


def _overlap(x: Array, y: Array, recorded: Array) -> float:
    return min(1.0, float(((x.T @ y) ** 2).sum() / np.sqrt(x.shape[1] * y.shape[1])))


def _by_brain_variance(x: Array, y: Array, recorded: Array) -> float:
    correlations, variables = _canonical_variables(x, y)
    return float(np.average(correlations, weights=((variables.T @ recorded) ** 2).sum(axis=1)))


def _canonical_variables(x: Array, y: Array) -> tuple[Array, Array]:
    """The canonical correlations (k,), and the variables of the second basis, (n, k)."""
    _, correlations, axes = np.linalg.svd(x.T @ y, full_matrices=False)
    return correlations.clip(max=1), y @ axes.T


_AVERAGES: Final[dict[str, Callable[[Array, Array, Array], float]]] = {
    "mean": _mean,
    "overlap": _overlap,
    "brain-variance": _by_brain_variance,
}


@scorer(
    name="pwcca",
    summary="canonical correlations, weighted by how much they say of the neuroids",
    family="similarity",
    accepts=("responses",),
    reads="units",
    invariant_to=("stimulus order", "unit order", "rotation", "isotropic scale", "translation"),
    range=(0.0, 1.0),
    splits={"kind": "halves", "scored": 100, "seed": 0},
    answers="Does the model span the dimensions that drive many neuroids?",
    source="Morcos et al. 2018, arXiv:1806.05759, section 3",
    bibtex="""@inproceedings{morcos2018insights,
  author = {Morcos, Ari S. and Raghu, Maithra and Bengio, Samy},
  title = {Insights on representational similarity in neural networks with canonical correlation},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {31},
  year = {2018},
  eprint = {1806.05759},
  archiveprefix = {arXiv}
}""",
)
def pwcca(model: Side, brain: Brain, *, variance_kept: float = 1.0) -> xr.DataArray:
    """Projection-weighted CCA, Σ αᵢρᵢ / Σ αᵢ, from 0 to 1: (subject,).

    αᵢ = Σⱼ |⟨hᵢ, yⱼ⟩| sums what the canonical variable hᵢ shares with each neuroid yⱼ. It depends
    on the neuroids' axes, which a Gram matrix does not hold: squares would not (`svcca-weighted`).
    Of the model only the space matters. The paper weighs by either side, the authors' code by the
    one of fewer dimensions; here it is always the brain, so that layers of one candidate are
    weighed alike. Components are kept as in `cca`. Where correlations tie, their variables and
    weights are not unique. Raises IncompatibleError without units, InputError as `cca`.
    """
    require_comparable(model, brain)
    if not 0 < variance_kept <= 1:
        raise InputError(f"variance_kept is {variance_kept}, expected a share above 0, up to 1")
    modelled = _require_units(model, "the model")
    x = _subspace(coordinates(geometry_of(modelled), "the model"), variance_kept)

    def similarity(side: Side, whose: str) -> float:
        recorded = _require_units(side, whose)
        y = _subspace(coordinates(geometry_of(recorded), whose), variance_kept)
        correlations, variables = _canonical_variables(x, y)
        values = recorded.values - recorded.values.mean(axis=0, dtype=np.float64)
        return float(np.average(correlations, weights=np.abs(variables.T @ values).sum(axis=1)))

    return over_subjects(brain, similarity)


def _require_units(side: Side, whose: str) -> Responses:
    if not isinstance(side, Responses):
        raise IncompatibleError(
            f"pwcca needs the responses of units; of {whose} it got a {type(side).__name__}"
        )
    return side
