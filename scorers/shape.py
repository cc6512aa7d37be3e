"""Shape metrics: how alike are two clouds of responses once one is moved onto the other?

All need only the centred Gram matrices K and L. Two relations keep this file short. The singular
values of XᵀY are those of √K √L, so the Bures similarity (fidelity) of K and L,
tr((√K L √K)^½) / √(tr K tr L), *is* the Procrustes cosine (Harvey et al. 2024, arXiv:2311.11436).
And Escoufier's RV coefficient is biased linear CKA, `cka-biased`.
"""

from typing import Final

import numpy as np
import xarray as xr

from isocortex.errors import InputError
from isocortex.geometry import Array, Brain, Side
from isocortex.registry import scorer

from ._gram import coordinates, over_subjects, require_comparable


@scorer(
    variants={
        "procrustes": {
            "summary": "cosine of the Procrustes angle; also the Bures similarity",
            "options": {"angular": False},
        },
        "procrustes-angular": {
            "summary": "1 − 2θ/π of the Procrustes angle θ, which is a metric",
            "options": {"angular": True},
        },
    },
    family="similarity",
    accepts=("responses",),
    invariant_to=("stimulus order", "unit order", "rotation", "isotropic scale", "translation"),
    range=(0.0, 1.0),
    splits={"kind": "halves", "scored": 100, "seed": 0},
    answers="Can the brain's responses be rotated onto the model's?",
    source="Williams et al. 2021, arXiv:2110.14739; Bures: Harvey et al. 2024, arXiv:2311.11436",
    bibtex="""@inproceedings{williams2021shape,
  author = {Williams, Alex H. and Kunz, Erin and Kornblith, Simon and Linderman, Scott W.},
  title = {Generalized shape metrics on neural representations},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {34},
  year = {2021},
  eprint = {2110.14739},
  archiveprefix = {arXiv}
}
@misc{harvey2024duality,
  author = {Harvey, Sarah E. and Larsen, Brett W. and Williams, Alex H.},
  title = {Duality of {B}ures and shape distances with implications for comparing neural
    representations},
  year = {2023},
  eprint = {2311.11436},
  archiveprefix = {arXiv}
}""",
)
def procrustes(model: Side, brain: Brain, *, angular: bool = False) -> xr.DataArray:
    """The cosine of the Procrustes angle θ, from 0 to 1 (equal but for a rotation): (subject,).

    cos θ = ‖XᵀY‖_* / (‖X‖ ‖Y‖) with the sum of singular values above and centred X and Y; with
    `angular` 1 − 2θ/π instead. θ is a metric and symmetric. Unrelated layers are not near 0: the
    value grows with the number of dimensions. Costs n·rank² and the singular values of a rank ×
    rank matrix. Raises InputError where all responses are alike or stimuli are fewer than 4.
    """
    require_comparable(model, brain)
    x = coordinates(model, "the model")

    def similarity(side: Side, whose: str) -> float:
        cosine = _procrustes_cosine(x, coordinates(side, whose))
        return float(1 - np.arccos(cosine) * 2 / np.pi) if angular else cosine

    return over_subjects(brain, similarity)


def _procrustes_cosine(x: Array, y: Array) -> float:
    nuclear_norm = np.linalg.svd(x.T @ y, compute_uv=False).sum()
    # Equal shapes may come out an epsilon above 1, where an angle does not exist.
    return min(1.0, float(nuclear_norm / (np.linalg.norm(x) * np.linalg.norm(y))))


@scorer(
    variants={
        "svcca": {
            "summary": "mean canonical correlation of the components with 99 % of the variance",
            "options": {"variance_kept": 0.99, "weighted": False},
        },
        "svcca-weighted": {
            "summary": "the same, weighted by the brain's variance (in the manner of PWCCA)",
            "options": {"variance_kept": 0.99, "weighted": True},
        },
    },
    family="similarity",
    accepts=("responses",),
    invariant_to=("stimulus order", "unit order", "rotation", "isotropic scale", "translation"),
    range=(0.0, 1.0),
    splits={"kind": "halves", "scored": 100, "seed": 0},
    answers="Do the main dimensions of model and brain span the same space, whatever their size?",
    source="Raghu et al. 2017, arXiv:1706.05806; weights: Morcos et al. 2018, arXiv:1806.05759",
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
@inproceedings{morcos2018insights,
  author = {Morcos, Ari S. and Raghu, Maithra and Bengio, Samy},
  title = {Insights on representational similarity in neural networks with canonical correlation},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {31},
  year = {2018},
  eprint = {1806.05759},
  archiveprefix = {arXiv}
}""",
)
def svcca(
    model: Side, brain: Brain, *, variance_kept: float = 0.99, weighted: bool = False
) -> xr.DataArray:
    """The mean canonical correlation of the main components, from 0 to 1: (subject,).

    Each side keeps its fewest principal components with the share `variance_kept` of the variance,
    but at most (n − 1) // 2: two subspaces of more dimensions meet whatever the responses, and each
    such meeting counts as a correlation of 1 (Raghu et al. set no limit). With `variance_kept` 1 it
    is plain CCA, without limit. With `weighted`, each correlation counts as much as its canonical
    variable holds of the brain's variance. Morcos et al. weigh by Σⱼ|⟨h, xⱼ⟩| over the units,
    which depends on their axes; we sum squares, which do not. Raises InputError where plain CCA is
    not defined, all responses are alike or stimuli are fewer than 4.
    """
    require_comparable(model, brain)
    if not 0 < variance_kept <= 1:
        raise InputError(f"variance_kept is {variance_kept}, expected a share above 0, up to 1")
    x, _ = _components(coordinates(model, "the model"), variance_kept)

    def similarity(side: Side, whose: str) -> float:
        y, variances = _components(coordinates(side, whose), variance_kept)
        if variance_kept == 1:
            _require_room(x, y, whose)
        if not weighted:
            correlations = np.linalg.svd(x.T @ y, compute_uv=False)
            return float(correlations.clip(max=1).mean())
        _, correlations, axes = np.linalg.svd(x.T @ y, full_matrices=False)
        return float(np.average(correlations.clip(max=1), weights=axes**2 @ variances))

    return over_subjects(brain, similarity)


def _components(x: Array, variance_kept: float) -> tuple[Array, Array]:
    """Orthonormal principal components (n, kept) of centred x, and their variances, descending."""
    if variance_kept == 1:
        every, sizes, _ = np.linalg.svd(x, full_matrices=False)
        return every, sizes**2
    # The squared problem is three times faster; its lost digits are those of small components.
    ascending, axes = np.linalg.eigh(x.T @ x)
    variances = ascending[::-1].clip(min=0)
    enough = int((variances.cumsum() < (variance_kept - _MARGIN) * variances.sum()).sum()) + 1
    kept = min(enough, (len(x) - 1) // 2)
    components: Array = x @ axes[:, ::-1][:, :kept] / np.sqrt(variances[:kept])
    return components, variances[:kept]


_MARGIN: Final = 1e-12
"""Rounding may not decide whether one more component is needed."""


def _require_room(x: Array, y: Array, whose: str) -> None:
    stimuli, room = len(x), len(x) - 1
    if x.shape[1] + y.shape[1] > room:
        raise InputError(
            f"the model spans {x.shape[1]} and {whose} {y.shape[1]} dimensions, more than {room} "
            f"of {stimuli} stimuli together: canonical correlations are 1 whatever the responses; "
            "show more stimuli or keep less variance (svcca)"
        )
