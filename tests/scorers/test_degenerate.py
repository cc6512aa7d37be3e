"""Degenerate sides have a defined answer: a finite score, or a clear refusal, listed by case."""

from typing import Final

import numpy as np
import pytest
from tests.scorers.pairs import predictions, scorers, similarity

from isocortex import registry
from isocortex.errors import InputError

STIMULI = 24


def layer(units: int = 12, *, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.2, 1, (STIMULI, units))


def region(neuroids: int = 6) -> np.ndarray:
    return layer(neuroids, seed=2) + layer()[:, :neuroids]


def doubled(x: np.ndarray) -> np.ndarray:
    """The first half of the stimuli, each shown twice in turn."""
    return np.repeat(x[: STIMULI // 2], 2, axis=0)


CASES: Final[dict[str, tuple[np.ndarray, np.ndarray]]] = {
    "some units are constant": (np.where(np.arange(12) < 5, 2.0, layer()), region()),
    "all units are constant": (np.full((STIMULI, 12), 3.0), region()),
    "all neuroids are constant": (layer(), np.ones((STIMULI, 6))),
    "two stimuli": (layer()[:2], region()[:2]),
    "three stimuli": (layer()[:3], region()[:3]),
    "the model repeats its answers": (doubled(layer()), region()),
    "both repeat their answers": (doubled(layer()), doubled(region())),
    "one unit": (layer(1), region()),
    "one neuroid": (layer(), region(1)),
    "one unit and one neuroid": (layer(1), region(1)),
    "many more units than stimuli": (layer(600), region()),
    "units of rank two": (layer(2) @ layer(40, seed=3)[:2], region()),
    "float16 and float32": (layer().astype(np.float16), region().astype(np.float32)),
    "means of a million": (layer() + 1e6, region() + 1e6),
    "a response that is not a number": (np.where(layer() > 2, np.nan, layer()), region()),
    "a stimulus without any response": (
        np.where(np.arange(STIMULI)[:, None] == 3, 0, layer()),
        region(),
    ),
}

ALL: Final = frozenset(scorers("similarity") + scorers("encoding"))

ACROSS_UNITS: Final = {
    "algonauts2019",
    *("rsa", "rsa-bures", "rsa-cosine", "rsa-kendall", "rsa-kendall-b", "rsa-pearson"),
    *("rsa-rho-a", "rsa-spearman-distance"),
}
"""A correlation over units: of one unit there is none, nor where all units answer alike."""

MAPS: Final = {"topographic", "topographic-shape"}
"""A map has more than one unit."""

POPULATIONS: Final = {"activity-statistics", "activity-statistics-centred"}
"""How units differ from each other is not known of one unit."""

OF_DISSIMILARITIES: Final = {
    name for name in ALL if name.startswith(("rsa", "algonauts")) and name != "rsa-reweighted"
}
"""Three stimuli make three pairs, the fewest that have a correlation."""

REFUSED: Final[dict[str, frozenset[str] | set[str]]] = {
    "all units are constant": ALL,
    "all neuroids are constant": set(scorers("similarity")),
    "two stimuli": ALL,
    "three stimuli": ALL - OF_DISSIMILARITIES,
    "one unit": ACROSS_UNITS | MAPS | POPULATIONS,
    "one neuroid": ACROSS_UNITS | MAPS | POPULATIONS | {"rsa-reweighted", "rsa-riemannian"},
    "one unit and one neuroid": ACROSS_UNITS
    | MAPS
    | POPULATIONS
    | {"rsa-reweighted", "rsa-riemannian"},
    # All cosines are 1 up to rounding there: nothing is left to weigh.
    "means of a million": {"cknna"},
    "a response that is not a number": ALL,
    "a stimulus without any response": ACROSS_UNITS
    | {"cknna", "mutual-knn", "rsa-cosine-distance"},
}
"""Who refuses a case; all others answer. `rsa-riemannian` takes two dimensions of the brain."""


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", scorers("similarity"))
def test_a_similarity_of_degenerate_sides_is_within_its_range_or_refused(name, case):
    if name in REFUSED.get(case, ()):
        with pytest.raises(InputError):
            similarity(name, *CASES[case])
    else:
        low, high = registry.scorer_card(name).range
        assert low - 1e-9 <= similarity(name, *CASES[case]) <= high + 1e-9


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", scorers("encoding"))
def test_a_prediction_from_degenerate_sides_is_finite_or_refused(name, case):
    if name in REFUSED.get(case, ()):
        with pytest.raises(InputError):
            predictions(name, *CASES[case])
    else:
        assert np.isfinite(predictions(name, *CASES[case])).all()


def test_an_offset_of_a_million_changes_no_score_that_does_not_see_offsets():
    x, y = CASES["some units are constant"]
    for name in scorers("similarity"):
        if "translation" in registry.scorer_card(name).invariant_to:
            moved = similarity(name, x + 1e6, y + 1e6)
            assert moved == pytest.approx(similarity(name, x, y), abs=1e-5), name
