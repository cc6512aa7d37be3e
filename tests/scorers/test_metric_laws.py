"""What cards claim of two sides by themselves: symmetry, and a metric made of the similarity."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
import pytest
from tests.scorers.pairs import scorers, similarity

from isocortex import registry
from isocortex.cards import ScorerCard
from isocortex.errors import InputError

STIMULI = 14
SIMILARITIES = scorers("similarity")

DISTANCES: dict[str, Callable[[float], float]] = {
    "arccos": lambda s: float(np.arccos(np.clip(s, -1, 1))),
    "one-minus": lambda s: 1 - s,
}


def made(seed: int, units: int, *, rank: int | None = None) -> np.ndarray:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(STIMULI, rank or units))
    return x if rank is None else x @ generator.normal(size=(rank, units))


def triples() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Unrelated sides, and ones between the two others, where a triangle is nearly flat."""
    for seed in range(0, 24, 3):
        first, last = made(seed, 9), made(seed + 1, 9)
        yield first, made(seed + 2, 3 + seed), last
        yield first, first + last, last
        yield first, np.hstack([first, last]), last
        yield first[:, :2], np.hstack([first[:, :2], last[:, :2]]), last[:, :2]
        yield made(seed, 9, rank=2), made(seed, 9, rank=2) + 0.3 * made(seed + 1, 9), last
    yield drifting(264)


def drifting(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Units that share a signal, more in the first side than in the second, in the last not."""
    generator = np.random.default_rng(seed)
    shared = generator.normal(size=(STIMULI, 1))
    first = generator.normal(size=(STIMULI, 9)) + generator.uniform(0, 2) * shared
    last = generator.normal(size=(STIMULI, 9))
    return first, np.hstack([first, last]), last


def distances(name: str, distance: Callable[[float], float], *sides: np.ndarray) -> list[float]:
    """The distances of first to second, second to third, first to third."""
    first, second, third = sides
    pairs = ((first, second), (second, third), (first, third))
    return [distance(similarity(name, x, y)) for x, y in pairs]


def excess(name: str, distance: Callable[[float], float]) -> float:
    """By how much the worst triangle violates the inequality; negative if none does."""
    worst = []
    for sides in triples():
        with suppress(InputError):  # two units are too few for some measures
            there, onward, direct = distances(name, distance, *sides)
            worst.append(direct - there - onward)
    return max(worst)


def asymmetry(name: str) -> float:
    """The largest difference that exchanging the two sides makes."""
    found = []
    for x, y, _ in triples():
        with suppress(InputError):
            found.append(abs(similarity(name, x, y) - similarity(name, y, x)))
    return max(found)


def self_distance(name: str, distance: Callable[[float], float]) -> float:
    doubled = np.repeat(made(2, 3)[: STIMULI // 2], 2, axis=0)  # ties among dissimilarities
    return max(abs(distance(similarity(name, x, x))) for x in (made(1, 9), doubled))


@pytest.mark.parametrize("name", SIMILARITIES)
def test_a_scorer_is_symmetric_if_and_only_if_it_claims_to_be(name):
    if registry.scorer_card(name).symmetric:
        assert asymmetry(name) < 1e-9
    else:
        assert asymmetry(name) > 1e-6


@pytest.mark.parametrize("name", SIMILARITIES)
def test_a_metric_is_symmetric_has_no_distance_to_itself_and_keeps_the_triangle(name):
    card: ScorerCard = registry.scorer_card(name)
    if card.metric:
        distance = DISTANCES[card.metric]
        assert card.symmetric
        # arccos turns a rounding of 1e-15 into 1e-7
        assert self_distance(name, distance) < 1e-6
        assert excess(name, distance) < 1e-9
    else:
        for distance in DISTANCES.values():
            assert (
                not card.symmetric
                or self_distance(name, distance) > 1e-6
                or excess(name, distance) > 1e-6
            )


def test_encoding_scorers_claim_neither():
    for name in scorers("encoding"):
        card = registry.scorer_card(name)
        assert not card.symmetric
        assert not card.metric
