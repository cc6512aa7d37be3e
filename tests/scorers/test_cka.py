"""CKA against the formulas of Kornblith, Gretton and Song, written out plainly."""

from itertools import permutations

import numpy as np
import pytest
from isocortex.scorers.cka import cka
from scipy.spatial.distance import pdist
from sklearn.metrics.pairwise import rbf_kernel
from tests.synthetic import brain, layer, responses

from isocortex.benchmarks import load_scorer
from isocortex.errors import IncompatibleError, InputError, UnknownNameError
from isocortex.geometry import Brain, Dissimilarities, geometry_of
from isocortex.statistics import bootstrap_counts


def biased(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x - x.mean(0), y - y.mean(0)
    norm = np.linalg.norm
    return norm(x.T @ y) ** 2 / (norm(x.T @ x) * norm(y.T @ y))


def song(k: np.ndarray, l: np.ndarray) -> float:  # noqa: E741 - Song's letter
    n = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))  # noqa: E741
    one = np.ones(n)
    return (
        np.trace(k @ l)
        + (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
        - 2 / (n - 2) * (one @ k @ l @ one)
    ) / (n * (n - 3))


def unbiased(x: np.ndarray, y: np.ndarray) -> float:
    k, l = x @ x.T, y @ y.T  # noqa: E741
    return song(k, l) / np.sqrt(song(k, k) * song(l, l))


def pair(stimuli: int = 15):
    x = responses(stimuli, 40, seed=1)
    y = x[:, :25] + 0.5 * responses(stimuli, 25, seed=2)
    return x, y, Brain(("monkey",), (geometry_of(y),))


def test_biased_cka_equals_kornblith():
    x, y, monkey = pair()
    actual = cka(geometry_of(x), monkey, unbiased=False).item()
    assert actual == pytest.approx(biased(x.values, y.values), abs=1e-12)


def test_unbiased_cka_equals_song():
    x, y, monkey = pair()
    actual = cka(geometry_of(x), monkey).item()
    assert actual == pytest.approx(unbiased(x.values, y.values), abs=1e-12)


def u_centred(k: np.ndarray) -> np.ndarray:
    """Székely & Rizzo 2014, as in the code of Kornblith et al."""
    n = len(k)
    k = k - np.diag(np.diag(k))
    means = k.sum(0) / (n - 2)
    means -= means.sum() / (2 * (n - 1))
    k = k - means - means[:, None]
    return k - np.diag(np.diag(k))


def test_unbiased_cka_is_the_debiased_cka_of_others():
    x, y, monkey = pair()
    k, l = (u_centred(z.values @ z.values.T) for z in (x, y))  # noqa: E741
    expected = (k * l).sum() / (np.linalg.norm(k) * np.linalg.norm(l))
    assert cka(geometry_of(x), monkey).item() == pytest.approx(expected, abs=1e-12)


def test_biased_cka_is_escoufiers_rv_coefficient():
    x, y, monkey = pair()
    both = np.cov(x.values.T, y.values.T)
    sxx, syy, sxy = both[:40, :40], both[40:, 40:], both[:40, 40:]
    expected = np.trace(sxy @ sxy.T) / np.sqrt(np.trace(sxx @ sxx) * np.trace(syy @ syy))
    actual = cka(geometry_of(x), monkey, unbiased=False).item()
    assert actual == pytest.approx(expected, abs=1e-12)


def gaussian(z) -> np.ndarray:
    """Half the median distance wide: 1/(2σ²) = 2/median²."""
    return rbf_kernel(z.values, gamma=2 / np.median(pdist(z.values)) ** 2)


def centre_rows(k: np.ndarray) -> np.ndarray:
    return k - k.mean(0) - k.mean(1)[:, None] + k.mean()


def test_rbf_cka_equals_scikit_learns_kernel_in_kornbliths_and_songs_formulas():
    x, y, monkey = pair()
    k, l = gaussian(x), gaussian(y)  # noqa: E741
    expected = song(k, l) / np.sqrt(song(k, k) * song(l, l))
    actual = cka(geometry_of(x), monkey, kernel="rbf").item()
    assert actual == pytest.approx(expected, abs=1e-12)
    k, l = centre_rows(k), centre_rows(l)  # noqa: E741
    expected = (k * l).sum() / (np.linalg.norm(k) * np.linalg.norm(l))
    actual = cka(geometry_of(x), monkey, kernel="rbf", unbiased=False).item()
    assert actual == pytest.approx(expected, abs=1e-12)


def test_a_resample_of_rbf_cka_keeps_the_width_of_the_kernel():
    x, y, monkey = pair(10)
    counts = bootstrap_counts(10, 4, seed=2)
    actual = cka(geometry_of(x), monkey, counts=counts, unbiased=False, kernel="rbf").values[:, 0]
    expected = []
    for row in counts:
        drawn = np.repeat(np.arange(10), row.astype(int))
        k, l = (centre_rows(gaussian(z)[np.ix_(drawn, drawn)]) for z in (x, y))  # noqa: E741
        expected.append((k * l).sum() / (np.linalg.norm(k) * np.linalg.norm(l)))
    np.testing.assert_allclose(actual, expected, atol=1e-12)


def test_rbf_cka_of_mostly_equal_stimuli_has_no_width():
    x = responses(10, 5)
    x[2:] = x[1].values
    with pytest.raises(InputError, match=r"alike to most pairs.*use kernel=\"linear\""):
        cka(geometry_of(x), brain(10), kernel="rbf")


def test_an_unknown_kernel_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match="no kernel is named 'rbff'; did you mean rbf"):
        cka(layer(), brain(), kernel="rbff")


@pytest.mark.parametrize("unbiased", [True, False])
def test_three_stimuli_are_refused(unbiased):
    with pytest.raises(InputError, match="3 stimuli are too few to compare"):
        cka(layer(3), brain(3), unbiased=unbiased)


def test_cka_keeps_its_digits_on_a_large_offset():
    x, y, monkey = pair()
    actual = cka(geometry_of(x + 1e6), monkey).item()
    assert actual == pytest.approx(unbiased(x.values, y.values), abs=1e-9)


def test_unbiased_cka_of_unrelated_wide_layers_is_about_zero_and_biased_is_not():
    model, other = layer(30, 5000, seed=1), Brain(("a",), (layer(30, 5000, seed=2),))
    assert abs(cka(model, other).item()) < 0.1
    assert cka(model, other, unbiased=False).item() > 0.9


def test_a_resample_never_lets_copies_of_a_stimulus_meet():
    x, y, monkey = pair(7)
    counts = bootstrap_counts(7, 1, seed=2)
    centred = [a.values - a.values.mean(0) for a in (x, y)]
    kernels = [a @ a.T for a in centred]

    def dependence(k, l):  # noqa: E741
        return sum(
            counts[0, list(t)].prod()
            * (k[t[0], t[1]] * (l[t[0], t[1]] + l[t[2], t[3]] - 2 * l[t[0], t[2]]))
            for t in permutations(range(7), 4)
        )

    expected = dependence(*kernels) / np.sqrt(
        dependence(kernels[0], kernels[0]) * dependence(kernels[1], kernels[1])
    )
    assert cka(geometry_of(x), monkey, counts=counts).item() == pytest.approx(expected, abs=1e-12)


def test_a_biased_resample_equals_repeating_the_stimuli():
    x, y, monkey = pair(10)
    counts = bootstrap_counts(10, 4, seed=2)
    actual = cka(geometry_of(x), monkey, counts=counts, unbiased=False).values[:, 0]
    drawn = [np.repeat(np.arange(10), row.astype(int)) for row in counts]
    expected = [biased(x.values[rows], y.values[rows]) for rows in drawn]
    np.testing.assert_allclose(actual, expected, atol=1e-12)


def test_bare_dissimilarities_are_refused():
    flat = Brain(("a",), (Dissimilarities(layer(10).ids, 1 - np.eye(10)),))
    with pytest.raises(IncompatibleError, match="of subject a only dissimilarities are known"):
        cka(layer(10), flat)


def test_constant_responses_are_refused():
    constant = responses(10, 5) * 0 + np.arange(5)
    with pytest.raises(InputError, match="the model answers alike to all stimuli"):
        cka(geometry_of(constant), brain(10))


@pytest.mark.parametrize("name", ["cka", "cka-biased", "cka-rbf", "cka-rbf-biased"])
def test_the_arc_of_cka_is_a_metric(name):
    """All are cosines of centred kernels; a sum of kernels lies on the way between the two."""
    for seed in range(10):
        x, y = responses(9, 3, seed=seed), responses(9, 3, seed=50 + seed)
        both = responses(9, 6).copy(data=np.hstack([x.values, y.values]))
        sides = tuple(geometry_of(each) for each in (x, both, y))
        similarity = [load_scorer(name)(side, Brain(("a", "b", "c"), sides)) for side in sides]
        arc = np.arccos(np.clip(similarity, -1, 1))
        np.testing.assert_allclose(arc, arc.T, atol=1e-7)
        assert arc[0, 2] <= arc[0, 1] + arc[1, 2] + 1e-9
        if name in ("cka", "cka-biased"):  # the kernel of both is the sum: no detour
            assert arc[0, 2] == pytest.approx(arc[0, 1] + arc[1, 2], abs=1e-7)
