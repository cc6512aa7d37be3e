"""Random projection: near the exact geometry, with an error that is known and stored."""

import numpy as np
import pytest
from tests.core.test_extraction import candidate, images

from isocortex import runs
from isocortex.errors import InputError
from isocortex.extraction import extract_answers, extract_geometries
from isocortex.geometry import Geometry, gather_geometry
from isocortex.planning import plan_extraction
from isocortex.projection import PROJECTION_SEED, ProjectedRows, error_bound
from isocortex.store import open_store

IDS = [f"{each}" for each in range(40)]


def rows(units: int = 5000) -> np.ndarray:
    values = np.random.default_rng(0).normal(3, 1, (len(IDS), units))
    return values.astype(np.float32)


def projected(values: np.ndarray, *, dimensions: int, batch: int = 10) -> Geometry:
    room = ProjectedRows(len(values), values.shape[1], dimensions)
    for start in range(0, len(values), batch):
        room[start : start + batch] = values[start : start + batch]
    means = values.mean(axis=1, dtype=np.float64)
    return room.geometry(IDS[: len(values)], means, name="wide")


def squared_distances(geometry: Geometry) -> np.ndarray:
    diagonal = np.diagonal(geometry.gram)
    matrix = diagonal + diagonal[:, None] - 2 * geometry.gram
    return matrix[np.triu_indices(len(matrix), 1)]


def test_means_and_units_stay_exact():
    found, exact = projected(rows(), dimensions=300), gather_geometry(IDS, rows(), name="wide")
    np.testing.assert_allclose(found.means, exact.means, rtol=1e-12)
    assert (found.units, found.projection.dimensions) == (5000, 300)
    assert exact.projection is None


def test_what_all_units_of_a_stimulus_share_is_left_to_the_means():
    offsets = np.linspace(0, 50, len(IDS), dtype=np.float32)[:, None]
    found, shifted = (projected(each, dimensions=300) for each in (rows(), rows() + offsets))
    scale = np.abs(found.gram).max()
    np.testing.assert_allclose(shifted.gram, found.gram, rtol=0, atol=1e-4 * scale)


def test_squared_distances_stay_within_the_bound():
    exact = squared_distances(gather_geometry(IDS, rows(), name="wide"))
    found = projected(rows(), dimensions=1000)
    errors = np.abs(squared_distances(found) / exact - 1)
    assert errors.max() < found.projection.bound < 1
    assert errors.max() > 0.01


def test_the_error_that_is_stored_is_the_one_there_is():
    """The errors of pairs within a batch speak for those of all pairs; about √(2/k) each."""
    exact = squared_distances(gather_geometry(IDS, rows(), name="wide"))
    found = projected(rows(), dimensions=500)
    seen = np.sqrt(((squared_distances(found) / exact - 1) ** 2).mean())
    assert found.projection.error == pytest.approx(seen, rel=0.25)
    assert found.projection.error == pytest.approx((2 / 500) ** 0.5, rel=0.25)


def test_errors_halve_with_four_times_the_dimensions():
    few, many = (projected(rows(), dimensions=each).projection.error for each in (200, 800))
    assert few / many == pytest.approx(2, rel=0.3)


def test_a_projection_does_not_depend_on_the_batches():
    first, second = (projected(rows(), dimensions=100, batch=each) for each in (7, 40))
    scale = np.abs(first.gram).max()
    np.testing.assert_allclose(first.gram, second.gram, rtol=0, atol=1e-5 * scale)


def test_the_bound_is_that_of_johnson_and_lindenstrauss():
    error = error_bound(1000, 4096)
    assert 6 * np.log(1000) / (error**2 / 2 - error**3 / 3) == pytest.approx(4096)
    assert error_bound(1000, 64) == 1.0


def test_equal_responses_have_no_error_and_stay_equal():
    found = projected(np.repeat(rows()[:1], 6, axis=0), dimensions=100)
    assert found.is_constant
    assert np.isfinite(found.projection.error)


def test_a_response_that_is_not_finite_is_named():
    values = rows()
    values[3, 7] = np.nan
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(InputError, match="wide: the response to stimulus '3' is not finite"),
    ):
        projected(values, dimensions=100)


def test_an_extraction_reduces_wide_layers_only():
    plan = plan_extraction(candidate(), images(), memory=10**9, reduce=200)
    exact = extract_geometries(candidate(), images())
    for each in extract_answers(candidate(), images(), plan):
        if each.geometry.units > 200:
            assert each.geometry.projection.dimensions == 200
        else:
            np.testing.assert_array_equal(each.geometry.gram, exact[each.layer].gram)


def test_a_score_says_how_its_geometries_were_reduced(empty_home):
    engine = runs.Engine(reduce=200)
    with open_store() as store:
        runs.score(candidate(), "simulated/V1/cka", store=store, engine=engine)
        found = runs.score(candidate(), "simulated/V1/cka", store=store)
    facts = found.detail.sel(layer="0")
    assert (facts.layer_units, facts.layer_projected_to) == (3600, 200)
    assert 0 < facts.layer_error < facts.layer_error_bound == error_bound(64, 200)
    assert found.detail.sel(layer="5").layer_projected_to == 0


def test_an_exact_geometry_is_never_taken_for_a_reduced_one(empty_home):
    exact = runs.geometries(candidate(), images())
    reduced = runs.geometries(candidate(), images(), engine=runs.Engine(reduce=200))
    again = runs.geometries(candidate(), images(), engine=runs.Engine(reduce=200))
    assert exact["0"].projection is None
    assert reduced["0"].projection == again["0"].projection
    assert reduced["0"].projection.seed == PROJECTION_SEED
    assert runs.geometries(candidate(), images())["0"].projection is None
