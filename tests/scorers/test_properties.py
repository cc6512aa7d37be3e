"""Properties over data that hypothesis makes up: small integers make ties and gaps common."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import ortho_group
from tests.scorers.pairs import predictions, scorers, similarity

from isocortex import registry
from isocortex.errors import InputError, IsocortexError

STIMULI = st.integers(12, 18)
TRIED = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
FEW = settings(TRIED, max_examples=8)


@st.composite
def small_integers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """A layer and a region on the same stimuli, with repeated and constant columns and rows."""
    stimuli = draw(STIMULI)
    sides = [
        draw(arrays(np.int8, (stimuli, draw(st.integers(1, 6))), elements=st.integers(-3, 3)))
        for _ in range(2)
    ]
    return sides[0].astype(np.float64), sides[1].astype(np.float64)


@pytest.mark.parametrize("name", scorers("similarity"))
def test_any_two_sides_have_a_similarity_within_the_range_or_a_clear_error(name):
    low, high = registry.scorer_card(name).range

    @TRIED
    @given(sides=small_integers())
    def holds(sides):
        try:
            found = similarity(name, *sides)
        except IsocortexError:
            return
        assert low - 1e-9 <= found <= high + 1e-9

    holds()


@pytest.mark.parametrize("name", scorers("encoding"))
def test_any_layer_predicts_finite_responses_or_gives_a_clear_error(name):
    @FEW
    @given(sides=small_integers())
    def holds(sides):
        try:
            found = predictions(name, *sides)
        except IsocortexError:
            return
        assert np.isfinite(found).all()

    holds()


def transformed(x: np.ndarray, claim: str, generator: np.random.Generator) -> np.ndarray:
    stimuli, units = x.shape
    if claim == "rotation":
        seed = int(generator.integers(1 << 31))
        return x @ ortho_group.rvs(units, random_state=seed) if units > 1 else -x
    if claim == "isotropic scale":
        return x * generator.uniform(0.01, 100)
    if claim == "translation":
        return x + generator.normal(0, 10, units)
    if claim == "unit translation":
        return x + generator.normal(0, 10, (stimuli, 1))
    if claim == "invertible linear":
        return x @ (np.eye(units) + np.triu(generator.uniform(-1, 1, (units, units)), 1))
    return x[:, generator.permutation(units)]


@pytest.mark.parametrize("name", scorers("similarity"))
def test_a_claimed_invariance_holds_for_sides_of_any_size(name):
    claims = [each for each in registry.scorer_card(name).invariant_to if each != "stimulus order"]

    @FEW
    @given(
        claim=st.sampled_from(claims),
        stimuli=STIMULI,
        units=st.tuples(st.integers(2, 30), st.integers(2, 30)),
        seed=st.integers(0, 1 << 20),
    )
    def holds(claim, stimuli, units, seed):
        assume(not (claim == "invertible linear" and units[0] >= stimuli // 2))
        generator = np.random.default_rng(seed)
        x, y = (generator.normal(1, 1, (stimuli, width)) for width in units)
        try:
            before = similarity(name, x, y)
        except InputError:  # two units are too few for some measures
            return
        assert similarity(name, transformed(x, claim, generator), y) == pytest.approx(
            before, abs=1e-7
        )

    holds()
