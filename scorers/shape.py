"""Shape metrics: how alike are two clouds of responses once one is moved onto the other?

All need only the centred Gram matrices K and L. Two relations keep this file short. The singular
values of XᵀY are those of √K √L, so the Bures similarity (fidelity) of K and L,
tr((√K L √K)^½) / √(tr K tr L), *is* the Procrustes cosine (Harvey et al. 2024, arXiv:2311.11436).
And Escoufier's RV coefficient is biased linear CKA, `cka-biased`.

Each similarity here is the largest cosine that a rotation of one side can reach, so its arc is an
angle between orbits of a group that keeps all angles: a metric (Williams et al. 2021, section 2).
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import xarray as xr

from isocortex.errors import InputError, UnknownNameError
from isocortex.geometry import Array, Brain, Side
from isocortex.registry import scorer

from ._gram import coordinates, main_components, over_subjects, require_comparable


@scorer(
    variants={
        "procrustes": {
            "summary": "cosine of the Procrustes angle; also the Bures similarity",
            "options": {"form": "cosine"},
            "metric": "arccos",
            "invariant_to": (
                "stimulus order",
                "unit order",
                "rotation",
                "isotropic scale",
                "translation",
            ),
        },
        "procrustes-angular": {
            "summary": "1 − 2θ/π of the Procrustes angle θ, which is a metric",
            "options": {"form": "angular"},
            "metric": "one-minus",
            "invariant_to": (
                "stimulus order",
                "unit order",
                "rotation",
                "isotropic scale",
                "translation",
            ),
        },
        "procrustes-euclidean": {
            "summary": "1 − the squared Procrustes distance of size and shape, as a share",
            "options": {"form": "euclidean"},
            "metric": "arccos",
            "invariant_to": ("stimulus order", "unit order", "rotation", "translation"),
            "answers": "Can the brain's responses be rotated onto the model's, size included?",
        },
    },
    family="similarity",
    accepts=("responses",),
    symmetric=True,
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
def procrustes(model: Side, brain: Brain, *, form: str = "cosine") -> xr.DataArray:
    """How far the responses agree after the best rotation, from 0 to 1 (wholly): (subject,).

    With centred X and Y and the sum of singular values ‖·‖_*, `form` is "cosine", that of the
    Procrustes angle θ, ‖XᵀY‖_* / (‖X‖ ‖Y‖); "angular", 1 − 2θ/π; "euclidean", 2‖XᵀY‖_* /
    (‖X‖² + ‖Y‖²), which is 1 − d²/(‖X‖² + ‖Y‖²) of the distance d = min ‖X − YQ‖ of size and shape:
    it wants both sides in the same units. Unrelated layers are not near 0: the value grows with
    the number of dimensions. Costs n·rank² and the singular values of a rank × rank matrix. Raises
    InputError where all responses are alike or stimuli are fewer than 4.
    """
    require_comparable(model, brain)
    if form not in _FORMS:
        raise UnknownNameError.among("form", form, _FORMS)
    x = coordinates(model, "the model")

    def similarity(side: Side, whose: str) -> float:
        return _FORMS[form](x, coordinates(side, whose))

    return over_subjects(brain, similarity)


def _nuclear_norm(matrix: Array) -> float:
    return float(np.linalg.svd(matrix, compute_uv=False).sum())


def _cosine(x: Array, y: Array) -> float:
    # Equal shapes may come out an epsilon above 1, where an angle does not exist.
    return min(1.0, _nuclear_norm(x.T @ y) / float(np.linalg.norm(x) * np.linalg.norm(y)))


def _angular(x: Array, y: Array) -> float:
    return 1 - float(np.arccos(_cosine(x, y))) * 2 / np.pi


def _euclidean(x: Array, y: Array) -> float:
    # Its arc is a metric as well: it is a cosine times 2ab/(a² + b²) = sech(log a − log b), a
    # positive definite kernel of the sizes, and so again the cosine of vectors.
    return min(1.0, 2 * _nuclear_norm(x.T @ y) / float((x**2).sum() + (y**2).sum()))


_FORMS: Final[dict[str, Callable[[Array, Array], float]]] = {
    "cosine": _cosine,
    "angular": _angular,
    "euclidean": _euclidean,
}


@scorer(
    variants={
        "shape-half": {
            "summary": "cosine of the shape angle, both sides whitened half-way",
            "options": {"alpha": 0.5},
        },
        "shape-cca": {
            "summary": "cosine of the shape angle of whitened responses: CCA as a metric",
            "options": {"alpha": 0.0},
            "answers": "Do model and brain span the same space, with as many dimensions?",
        },
    },
    family="similarity",
    accepts=("responses",),
    invariant_to=("stimulus order", "unit order", "rotation", "isotropic scale", "translation"),
    symmetric=True,
    metric="arccos",
    range=(0.0, 1.0),
    splits={"kind": "halves", "scored": 100, "seed": 0},
    answers="Can the brain be rotated onto the model, if small dimensions count more than by size?",
    source="Williams et al. 2021, arXiv:2110.14739, section 2 (linear metrics)",
    bibtex="""@inproceedings{williams2021shape,
  author = {Williams, Alex H. and Kunz, Erin and Kornblith, Simon and Linderman, Scott W.},
  title = {Generalized shape metrics on neural representations},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {34},
  year = {2021},
  eprint = {2110.14739},
  archiveprefix = {arXiv}
}""",
)
def whitened_shape(model: Side, brain: Brain, *, alpha: float = 0.5) -> xr.DataArray:
    """The Procrustes cosine of partly whitened responses, from 0 to 1 (alike): (subject,).

    A principal component of standard deviation s enters with α s + (1 − α), in units where the mean
    of s² is 1. So `alpha` 0 is CCA: Σρ/√(k l) of k and l components, which unlike `cca` is a metric
    by its arc and 1 only for equal spaces; towards 1 it is `procrustes`. The authors' package takes
    s as the root of the eigenvalues of XᵀX as they come, so that its result depends on the units of
    both sides; it is ours where their mean is 1. Each side keeps at most its (n − 1) // 2 main
    components, as whitening would make mere rounding count (`cca`). Raises InputError where all
    responses are alike, stimuli are fewer than 4 or `alpha` is no share below 1.
    """
    require_comparable(model, brain)
    if not 0 <= alpha < 1:
        raise InputError(f"alpha is {alpha}, expected from 0, below 1 (which is procrustes)")
    x = _whitened(coordinates(model, "the model"), alpha)

    def similarity(side: Side, whose: str) -> float:
        return _cosine(x, _whitened(coordinates(side, whose), alpha))

    return over_subjects(brain, similarity)


def _whitened(factor: Array, alpha: float) -> Array:
    components, variances = main_components(factor)
    whitened: Array = components * (alpha * np.sqrt(variances / variances.mean()) + 1 - alpha)
    return whitened
