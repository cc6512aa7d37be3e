"""Variance partitioning: parts that are built in are found, and all add up."""

import numpy as np
import pytest
import xarray as xr
from isocortex.scorers import variance
from isocortex.scorers.variance import Resampling, partition_variance
from sklearn.metrics import r2_score
from tests.synthetic import stimulus_ids

from isocortex.encoding import HeldOut
from isocortex.errors import InputError
from isocortex.geometry import Geometry, geometry_of
from isocortex.splits import Split

STIMULI = 120
FEW = Resampling(resamples=50)


def labelled(values: np.ndarray, dim: str) -> xr.DataArray:
    coords = {
        "stimulus": stimulus_ids(len(values)),
        dim: [f"{dim}-{n}" for n in range(values.shape[1])],
    }
    return xr.DataArray(values, dims=("stimulus", dim), coords=coords)


def sources() -> np.ndarray:
    """Orthonormal dimensions with a variance of 1."""
    x = np.random.default_rng(0).normal(size=(STIMULI, 6))
    return np.linalg.qr(x - x.mean(0))[0] * STIMULI**0.5


def models(*dimensions: list[int]) -> dict[str, Geometry]:
    return {
        name: geometry_of(labelled(sources()[:, chosen], "unit"))
        for name, chosen in zip("abc", dimensions, strict=False)
    }


def brain(*dimensions: list[int]) -> xr.DataArray:
    """Each neuroid is the sum of some dimensions."""
    return labelled(np.stack([sources()[:, each].sum(1) for each in dimensions], axis=1), "neuroid")


def test_the_parts_of_two_models_are_found():
    """Dimension 0 is a's, 1 is both models', 2 is b's: a neuroid of 0, 1 and 2 has a third each."""
    parts = partition_variance(
        models([0, 1], [1, 2]), brain([0], [1], [0, 1, 2], [5]), resampling=FEW
    )
    assert list(parts.part.values) == ["a", "b", "a & b"]
    expected = [[1, 0, 1 / 3, 0], [0, 0, 1 / 3, 0], [0, 1, 1 / 3, 0]]
    np.testing.assert_allclose(parts.explained, expected, atol=0.06)


def test_the_parts_of_three_models_are_found():
    held = models([0, 1, 2], [1, 2, 3], [2, 3, 4])
    neuroids = brain([0], [1], [2], [3], [4])
    parts = partition_variance(held, neuroids, draws=1, resampling=FEW).explained
    found = {
        str(part.part.values): int(np.argmax(part.values)) for part in parts if part.max() > 0.8
    }
    assert found == {"a": 0, "a & b": 1, "a & b & c": 2, "b & c": 3, "c": 4}
    np.testing.assert_allclose(parts.sel(part=["b", "a & c"]), 0, atol=0.1)


def test_parts_sum_to_what_each_subset_explains():
    held = models([0, 1, 2], [1, 2, 3], [2, 3, 4])
    noisy = brain([0, 1, 5], [2, 4, 5])
    parts = partition_variance(held, noisy, draws=2, resampling=FEW)
    for subset in parts.subset.values:
        inside = [part for part in parts.part.values if set(part) & set(subset) - set(" &+")]
        total = parts.explained.sel(part=inside).sum("part")
        np.testing.assert_allclose(total, parts.total.sel(subset=subset), atol=1e-12)


def test_explained_variance_is_r2_of_all_held_out_stimuli():
    generator = np.random.default_rng(1)
    y, predicted = generator.normal(3, 1, size=(2, 20, 4))
    tests = np.array_split(generator.permutation(20), 3)
    fits = [HeldOut(Split(np.setdiff1d(range(20), t), t), predicted[t], np.zeros(4)) for t in tests]
    expected = r2_score(y, predicted, multioutput="raw_values")
    found = variance._explained(fits, y, np.ones((1, 20)))[0]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    counts = generator.multinomial(20, np.full(20, 1 / 20), size=2).astype(float)
    drawn = [np.repeat(np.arange(20), row.astype(int)) for row in counts]
    expected = [r2_score(y[each], predicted[each], multioutput="raw_values") for each in drawn]
    np.testing.assert_allclose(variance._explained(fits, y, counts), expected, atol=1e-12)


def test_intervals_hold_the_parts_and_halve_with_four_times_the_stimuli():
    widths = []
    for stimuli in (60, 240):
        x = np.random.default_rng(2).normal(size=(stimuli, 4))
        held = {
            name: geometry_of(labelled(x[:, at : at + 2], "unit")) for at, name in enumerate("ab")
        }
        noise = 2 * np.random.default_rng(3).normal(size=(stimuli, 8))
        parts = partition_variance(
            held, labelled(x[:, :3].sum(1)[:, None] + noise, "neuroid"), draws=1
        )
        assert ((parts.low < parts.explained) & (parts.explained < parts.high)).all()
        assert (
            (parts.mean_low < parts.mean_explained) & (parts.mean_explained < parts.mean_high)
        ).all()
        np.testing.assert_allclose(
            parts.mean_explained, parts.explained.mean("neuroid"), atol=1e-12
        )
        widths.append((parts.high - parts.low).mean("neuroid").values)
        assert (parts.mean_high - parts.mean_low < widths[-1]).all()
    assert widths[1].mean() / widths[0].mean() == pytest.approx(1 / 2, abs=0.1)


def test_what_cannot_be_partitioned_is_refused():
    with pytest.raises(InputError, match="1 models; variance is partitioned among two or three"):
        partition_variance(models([0]), brain([0]))
    with pytest.raises(InputError, match="neuroid 1 is constant"):
        partition_variance(
            models([0], [1]), labelled(np.c_[sources()[:, 0], np.ones(STIMULI)], "neuroid")
        )
