"""Comparisons of similarity scorers with their peers, as `cases` defines them."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
from isocortex.scorers._compared import compared
from isocortex.scorers._riemannian import riemannian
from isocortex.scorers._second_moments import bures
from isocortex.scorers.rsa import rsa_of_models

from isocortex.geometry import Brain, Dissimilarities
from isocortex.statistics import bootstrap_counts, pair_counts, upper_triangle

from .timing import Measurement, timed

RESAMPLES: Final = 1000
MODELS: Final = 20
SUBJECTS: Final = 10


def bootstrap_of_many(
    stimuli: int, *, comparisons: dict[str, str], timed_resamples: int
) -> list[Measurement]:
    """1,000 resamples of the stimuli, 20 models × 10 subjects, against rsatoolbox's bootstrap.

    `comparisons` maps our names to theirs. Theirs is timed on a few resamples, without its noise
    ceilings, and scaled up; the difference is that of their comparison on our draws.
    """
    sides = _dissimilarities(stimuli, MODELS + SUBJECTS)
    brain = Brain(tuple(f"subject-{each}" for each in range(SUBJECTS)), tuple(sides[MODELS:]))
    counts = bootstrap_counts(stimuli, RESAMPLES, seed=0)
    measurements = []
    for comparison, method in comparisons.items():
        score = partial(rsa_of_models, sides[:MODELS], brain, comparison=comparison)
        ours, mine = timed(partial(score, counts=counts), repeats=2)  # the first one warms up
        drawn = counts[:timed_resamples]
        their = _compared_by_rsatoolbox(sides, drawn, method)
        theirs = _seconds_of_rsatoolbox(sides, timed_resamples, method)
        if comparison == "kendall":
            their *= _without_copies(drawn)
        difference = float(np.abs(mine.values[:timed_resamples] - their).max())
        name = f"rsatoolbox, {method}, {stimuli} stimuli"
        measurements.append(
            Measurement(ours, theirs * RESAMPLES / timed_resamples, name, difference)
        )
    return measurements


def _dissimilarities(stimuli: int, sides: int) -> list[Dissimilarities]:
    """Pearson RDMs of noise in 50 units."""
    generator = np.random.default_rng(0)
    names = tuple(f"stimulus-{position:05}" for position in range(stimuli))
    found = []
    for _ in range(sides):
        matrix = 1 - np.corrcoef(generator.normal(size=(stimuli, 50)))
        np.fill_diagonal(matrix, 0)
        found.append(Dissimilarities(names, matrix))
    return found


def _seconds_of_rsatoolbox(sides: list[Dissimilarities], resamples: int, method: str) -> float:
    from rsatoolbox.inference import eval_bootstrap_pattern
    from rsatoolbox.model import ModelFixed
    from rsatoolbox.rdm import RDMs

    vectors = _vectors(sides)
    models = [ModelFixed(f"{each}", RDMs(vectors[each][None])) for each in range(MODELS)]
    bootstrap = partial(
        eval_bootstrap_pattern, models, RDMs(vectors[MODELS:]), method=method, N=resamples
    )
    with warnings.catch_warnings():  # of few resamples: no confidence intervals are read from them
        warnings.simplefilter("ignore")
        return timed(partial(bootstrap, boot_noise_ceil=False), repeats=1)[0]


def _compared_by_rsatoolbox(
    sides: list[Dissimilarities], counts: np.ndarray, method: str
) -> np.ndarray:
    """Their comparison of the drawn stimuli: (resample, model, subject)."""
    from rsatoolbox.rdm import RDMs, compare

    vectors = _vectors(sides)
    models, subjects = RDMs(vectors[:MODELS]), RDMs(vectors[MODELS:])
    similarity = []
    for row in counts.astype(int):
        drawn = np.repeat(np.arange(len(row)), row)
        first, second = (each.subsample_pattern("index", drawn) for each in (models, subjects))
        similarity.append(compare(first, second, method))
    return np.array(similarity)


def _without_copies(counts: np.ndarray) -> np.ndarray:
    """What turns their τ-a, for which copies of a pair are ties, into ours: (resample, 1, 1)."""
    weights = pair_counts(counts)
    total = weights.sum(axis=1)
    factor = (total**2 - total) / (total**2 - (weights**2).sum(axis=1))
    return factor[:, None, None]


def comparison_of_many(stimuli: int, *, others: int = 100) -> list[Measurement]:
    """One RDM compared with 100 others, from vectors, against rsatoolbox's `compare`."""
    vectors = _vectors(_dissimilarities(stimuli, 1 + others))
    ways: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
        theirs: partial(compared, comparison=ours)
        for theirs, ours in {
            "corr": "pearson",
            "spearman": "spearman",
            "tau-a": "kendall",
            "cosine_cov": "cosine-whitened",
            "corr_cov": "correlation-whitened",
        }.items()
    }
    ways["bures"] = bures
    return [_compared(vectors, method, way, stimuli) for method, way in ways.items()]


def riemannian_of_five(stimuli: int) -> list[Measurement]:
    """One RDM of as many units as it takes compared with five, against rsatoolbox's search."""
    generator = np.random.default_rng(0)
    scale = np.linspace(0.1, 2, 2 * stimuli)
    responses = generator.normal(size=(6, stimuli, 2 * stimuli)) * scale
    responses[1:] += responses[0]  # what they share, they share with noise
    vectors = np.array([upper_triangle(1 - np.corrcoef(each)) for each in responses])

    def similarity(models: np.ndarray, subjects: np.ndarray) -> np.ndarray:
        return -riemannian(models, subjects)[0]

    return [_compared(vectors, "neg_riem_dist", similarity, stimuli)]


def _compared(
    vectors: np.ndarray,
    method: str,
    way: Callable[[np.ndarray, np.ndarray], np.ndarray],
    stimuli: int,
) -> Measurement:
    from rsatoolbox.rdm import RDMs, compare

    ours, mine = timed(partial(way, vectors[:1], vectors[1:]))
    theirs, their = timed(partial(compare, RDMs(vectors[:1]), RDMs(vectors[1:]), method), repeats=2)
    name = f"rsatoolbox, {method}, 1 with {len(vectors) - 1}, {stimuli} stimuli"
    return Measurement(ours, theirs, name, float(np.abs(mine - their).max()))


def _vectors(sides: list[Dissimilarities]) -> np.ndarray:
    return np.array([upper_triangle(side.matrix) for side in sides])


CASES: Final[dict[str, Callable[[], list[Measurement]]]] = {
    "rsa-bootstrap-92": partial(
        bootstrap_of_many,
        92,
        comparisons={
            "pearson": "corr",
            "spearman": "spearman",
            "kendall": "tau-a",
            "cosine-whitened": "cosine_cov",
            "correlation-whitened": "corr_cov",
        },
        timed_resamples=4,
    ),
    "rsa-bootstrap-300": partial(
        bootstrap_of_many,
        300,
        comparisons={"pearson": "corr", "spearman": "spearman"},
        timed_resamples=2,
    ),
    "rsa-comparisons-92": partial(comparison_of_many, 92),
    "rsa-comparisons-300": partial(comparison_of_many, 300),
    "rsa-riemannian": partial(riemannian_of_five, 92),
}
