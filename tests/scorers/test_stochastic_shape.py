"""Stochastic shapes against Wasserstein and energy distances written out, rotations by search."""

from itertools import permutations

import numpy as np
import pytest
from isocortex.scorers.shape import procrustes
from isocortex.scorers.stochastic_shape import energy_shape, stochastic_shape
from scipy.linalg import sqrtm
from scipy.optimize import minimize_scalar
from scipy.spatial.distance import cdist
from scipy.stats import energy_distance, ortho_group
from tests.synthetic import stimulus_ids

from isocortex.errors import IncompatibleError, InputError, MismatchError
from isocortex.geometry import Brain, geometry_of
from isocortex.responses import Responses, Trials

BOTH = pytest.mark.parametrize("similarity", [stochastic_shape, energy_shape])


def trials(seed: int, units: int = 5, *, stimuli: int = 12, repeats: int = 6) -> np.ndarray:
    """Trials (stimulus, repeat, unit) whose noise has another covariance for each stimulus."""
    generator = np.random.default_rng(seed)
    means = 2 * generator.normal(size=(stimuli, 1, units)) + 5
    mixing = generator.normal(size=(stimuli, units, units)) / units**0.5
    return means + generator.normal(size=(stimuli, repeats, units)) @ mixing


def noisy(values: np.ndarray) -> Trials:
    return Trials(tuple(stimulus_ids(len(values))), values)


def silent(values: np.ndarray) -> Responses:
    return Responses(tuple(stimulus_ids(len(values))), values)


def score(similarity, model, *recorded, **options) -> np.ndarray:
    names = tuple(f"monkey-{each}" for each in range(len(recorded)))
    return similarity(model, Brain(names, recorded), **options).values


def rotated(values: np.ndarray, seed: int = 1) -> np.ndarray:
    """The same trials turned, moved and scaled, in another order."""
    rotation = ortho_group.rvs(values.shape[2], random_state=seed)
    return (3 * values @ rotation + 4)[:, ::-1]


def moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    means = values.mean(1)
    return means - means.mean(0), np.array([np.cov(each.T) for each in values])


def wasserstein(x, y, rotation, alpha: float) -> float:
    """Duong et al.'s squared distance, summed over stimuli, both sides scaled to size 1."""
    (a, s), (b, t) = (moments(z) for z in (x, y))
    sizes = [
        alpha * (m**2).sum() + (2 - alpha) * c.trace(axis1=1, axis2=2).sum()
        for m, c in ((a, s), (b, t))
    ]
    total = 0.0
    for mean, cov, other_mean, other_cov in zip(a, s, b, t, strict=True):
        moved = rotation @ other_cov @ rotation.T
        root = sqrtm(cov).real
        cross = 2 * np.trace(sqrtm(root @ moved @ root).real)
        total -= alpha * 2 * mean @ rotation @ other_mean + (2 - alpha) * cross
    return 2 + total / np.sqrt(sizes[0] * sizes[1])


def energy(x, y, rotation) -> float:
    """Half the squared distance of the clouds under |x| + |y| − |x − y|, scaled to length 1."""
    x, y = (z - z.mean((0, 1)) for z in (x, y))
    x, y = (z / np.sqrt((z**2).sum(2).mean()) for z in (x, y))
    y = y @ rotation.T

    def kernel(first, second):
        norm = np.linalg.norm
        return sum(
            (norm(a, axis=1)[:, None] + norm(b, axis=1) - cdist(a, b)).mean()
            for a, b in zip(first, second, strict=True)
        )

    return 2 - 2 * kernel(x, y) / np.sqrt(kernel(x, x) * kernel(y, y))


def least(distance) -> float:
    """The least of a distance over all rotations and reflections of the plane, by search."""

    def at(angle: float, flip: int) -> float:
        turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        return distance(np.array(turn) @ np.diag([1, flip]))

    found = []
    for flip in (1, -1):
        grid = np.linspace(0, 2 * np.pi, 24)
        start = grid[int(np.argmin([at(angle, flip) for angle in grid]))]
        bounds = (start - 0.3, start + 0.3)
        options = {"xatol": 1e-9}
        found.append(
            minimize_scalar(at, args=(flip,), bounds=bounds, method="bounded", options=options).fun
        )
    return min(found)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.6])
def test_the_cosine_is_that_of_the_least_wasserstein_distance(alpha):
    x, y = trials(1, 2, stimuli=6), trials(2, 2, stimuli=6)
    expected = 1 - least(lambda rotation: wasserstein(x, y, rotation, alpha)) / 2
    actual = score(stochastic_shape, noisy(x), noisy(y), alpha=alpha)
    assert actual == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("repeats", [1, 6])
def test_the_cosine_is_that_of_the_least_energy_distance(repeats):
    x, y = trials(1, 2, stimuli=6)[:, :repeats], trials(2, 2, stimuli=6)
    expected = 1 - least(lambda rotation: energy(x, y, rotation)) / 2
    model = silent(x[:, 0]) if repeats == 1 else noisy(x)
    assert score(energy_shape, model, noisy(y)) == pytest.approx(expected, abs=1e-10)


def test_the_energy_of_single_units_is_scipys():
    """Theirs is √(2E|x − y| − E|x − x′| − E|y − y′|); our kernel gives its square."""
    x, y = trials(1, 1), trials(2, 1)
    x, y = (z - z.mean() for z in (x, y))
    x, y = (z / np.sqrt((z**2).mean()) for z in (x, y))
    lengths = [2 * np.abs(z).mean(1).sum() for z in (x, y)]
    spread = [sum(cdist(each, each).mean() for each in z) for z in (x, y)]
    own = [length - apart for length, apart in zip(lengths, spread, strict=True)]
    squared = min(
        sum(energy_distance(a.ravel(), b.ravel()) ** 2 for a, b in zip(x, turned, strict=True))
        for turned in (y, -y)
    )
    expected = (sum(own) - squared) / 2 / np.sqrt(own[0] * own[1])
    assert score(energy_shape, noisy(x), noisy(y)) == pytest.approx(expected, abs=1e-9)


@BOTH
@pytest.mark.parametrize("units", [1, 5, 12, 20])
def test_a_rotation_of_means_and_noise_together_is_not_seen(similarity, units):
    x = trials(1, units)
    found = score(similarity, noisy(x), noisy(rotated(x)))
    assert found == pytest.approx(1, abs=1e-7)  # distances of 0 are the roots of roundings


@BOTH
def test_directions_that_no_mean_takes_do_not_start_the_search_by_chance(similarity):
    x, y = (trials(seed, 9, stimuli=5, repeats=4) for seed in (1, 2))
    found = score(similarity, noisy(x), noisy(y), noisy(rotated(y)))
    assert found[1] == pytest.approx(found[0], abs=1e-9)


@BOTH
def test_brains_with_equal_means_and_other_noise_are_told_apart(similarity):
    x = trials(1)
    means = x.mean(1, keepdims=True)
    shuffled = means + (x - means)[np.roll(np.arange(12), 1)]
    doubled = means + 2 * (x - means)
    same, other, louder = score(similarity, noisy(x), *map(noisy, (x, shuffled, doubled)))
    assert same == pytest.approx(1, abs=1e-7)
    assert max(other, louder) < 0.99


@BOTH
def test_of_two_models_the_one_with_the_brains_noise_is_more_alike(similarity):
    x = trials(1, repeats=40)
    with_noise, without = noisy(rotated(x[:, 20:])), silent(x[:, 20:].mean(1))
    brain = noisy(x[:, :20])
    assert score(similarity, with_noise, brain) > score(similarity, without, brain) + 0.02


def test_to_a_model_without_noise_the_brains_noise_is_missing():
    x, y = trials(1).mean(1), trials(2)
    means, covariances = moments(y)
    signal = (means**2).sum()
    share = signal / (signal + covariances.trace(axis1=1, axis2=2).sum())
    whole = procrustes(geometry_of(silent(x)), Brain(("a",), (geometry_of(silent(means)),))).item()
    found = score(stochastic_shape, silent(x), noisy(y))
    assert found == pytest.approx(whole * np.sqrt(share), abs=1e-9)


def test_means_alone_are_compared_as_procrustes_does():
    x, y = trials(1), trials(2, 8)
    sides = [geometry_of(silent(z.mean(1))) for z in (x, y)]
    expected = procrustes(sides[0], Brain(("a",), (sides[1],))).item()
    found = score(stochastic_shape, noisy(x), noisy(y), alpha=2)
    assert found == pytest.approx(expected, abs=1e-9)


def test_noise_alone_is_compared_without_the_means():
    x = trials(1)
    moved = x + 5 * np.random.default_rng(3).normal(size=(12, 1, 5))
    assert score(stochastic_shape, noisy(x), noisy(x), alpha=0) == pytest.approx(1, abs=1e-12)
    found = score(stochastic_shape, noisy(x), noisy(moved), alpha=0)
    assert found > score(stochastic_shape, noisy(x), noisy(moved), alpha=1) + 0.1


def test_two_sides_without_noise_share_none():
    x, y = (silent(trials(seed).mean(1)) for seed in (1, 2))
    assert score(stochastic_shape, x, y, alpha=0) == 0


@BOTH
def test_the_narrower_side_is_padded_with_zeros(similarity):
    x, y = trials(1, 7), trials(2, 4)
    padded = np.concatenate([y - y.mean((0, 1)), np.zeros((12, 6, 3))], axis=2)
    found = score(similarity, noisy(x), noisy(y), noisy(padded))
    assert found[1] == pytest.approx(found[0], abs=1e-9)


@BOTH
def test_wide_sides_are_compared_in_the_dimensions_they_span(similarity):
    x, y = trials(1), trials(2)
    wide = x @ ortho_group.rvs(300, random_state=1)[:5]
    found = score(similarity, noisy(y), noisy(x), noisy(wide))
    assert found[1] == pytest.approx(found[0], abs=1e-9)


@BOTH
def test_between_sides_of_trials_the_arc_is_a_metric(similarity):
    x, y = trials(1), trials(2)
    means = x.mean(1, keepdims=True)
    sides = [noisy(z) for z in (x, y, x + y, rotated(means + 3 * (x - means)), trials(3, 8))]
    arcs = np.array([np.arccos(score(similarity, side, *sides)) for side in sides])
    np.testing.assert_allclose(arcs, arcs.T, atol=1e-9)
    np.testing.assert_allclose(np.diag(arcs), 0, atol=1e-4)  # roots of roots of roundings
    for i, j, k in permutations(range(len(sides)), 3):
        assert arcs[i, k] <= arcs[i, j] + arcs[j, k] + 1e-9


@BOTH
def test_a_trial_that_is_missing_counts_for_nothing(similarity):
    x, y = trials(1), trials(2)
    fewer = np.delete(x, 2, axis=1)
    gone = x.copy()
    gone[:, 2] = np.nan
    found = score(similarity, noisy(y), noisy(fewer), noisy(gone))
    assert found[1] == pytest.approx(found[0], abs=1e-12)


def test_a_trial_of_some_neuroids_counts_for_their_variance():
    x, y = trials(1), trials(2)
    y[0, 3, 1] = y[4, :2, 3] = np.nan
    means = np.nanmean(y, axis=1)
    signal, noise = ((means - means.mean(0)) ** 2).sum(), np.nanvar(y, axis=1, ddof=1).sum()
    sides = [geometry_of(silent(z)) for z in (x.mean(1), means)]
    whole = procrustes(sides[0], Brain(("a",), (sides[1],))).item()
    found = score(stochastic_shape, silent(x.mean(1)), noisy(y))
    assert found == pytest.approx(whole * np.sqrt(signal / (signal + noise)), abs=1e-9)
    with pytest.raises(InputError, match="subject monkey-0 has trials of which only some neuroids"):
        score(energy_shape, noisy(x), noisy(y))


@BOTH
def test_offsets_and_low_precision_change_nothing(similarity):
    x, y = trials(1), trials(2)
    before = score(similarity, noisy(x), noisy(y))
    assert score(similarity, noisy(x), noisy(y + 1e6)) == pytest.approx(before, abs=1e-7)
    low = x.astype(np.float16)
    widened = score(similarity, noisy(low.astype(np.float64)), noisy(y))
    assert score(similarity, noisy(low), noisy(y)) == pytest.approx(widened, abs=1e-12)


@BOTH
def test_duplicated_stimuli_and_constant_units_are_no_obstacle(similarity):
    x, y = (trials(seed)[np.arange(12) // 2] for seed in (1, 2))
    x[..., 0], y[..., 1] = 5, 0
    assert 0 < score(similarity, noisy(x), noisy(y)) < 1


@BOTH
def test_each_subject_is_scored_as_if_alone(similarity):
    x, others = noisy(trials(1)), [noisy(trials(seed, seed)) for seed in (2, 3, 30)]
    alone = [score(similarity, x, each).item() for each in others]
    np.testing.assert_allclose(score(similarity, x, *others), alone, atol=1e-14)


@BOTH
def test_what_has_no_clouds_is_refused(similarity):
    x = trials(1)
    flat = x * 0 + np.arange(5)
    with pytest.raises(InputError, match="the model answers alike to all stimuli"):
        score(similarity, silent(flat.mean(1)), noisy(x))
    with pytest.raises(InputError, match="subject monkey-0 answers alike to all stimuli"):
        score(similarity, silent(x.mean(1)), noisy(flat))
    with pytest.raises(InputError, match="3 stimuli are too few"):
        score(similarity, noisy(x[:3]), noisy(x[:3]))
    with pytest.raises(MismatchError, match="12 and 4"):
        score(similarity, noisy(x), noisy(x[:4]))
    with pytest.raises(IncompatibleError, match="of the model they got a Geometry"):
        score(similarity, geometry_of(silent(x.mean(1))), noisy(x))


def test_a_single_trial_has_no_variance():
    x = trials(1)
    x[4, 1:, 2] = np.nan
    with pytest.raises(InputError, match=r"trial of stimulus 'stimulus-004' for .* number 2"):
        score(stochastic_shape, noisy(x), noisy(x))


@pytest.mark.parametrize("alpha", [-0.1, 2.1])
def test_the_weight_of_means_lies_between_0_and_2(alpha):
    with pytest.raises(InputError, match=f"alpha is {alpha}, expected from 0"):
        score(stochastic_shape, noisy(trials(1)), noisy(trials(2)), alpha=alpha)
