"""A score keeps the dissimilarities of its layer, pair by pair as the recording's are shown."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from tests.synthetic import recorded_rdms, recorded_trials, recording, responses

from isocortex import registry
from isocortex.benchmarks import Benchmark
from isocortex.evaluation import evaluate
from isocortex.geometry import Dissimilarities, Geometry, Projection, geometry_of
from isocortex.matrices import MOST_STIMULI, layer_matrix, layer_rdm, matrix_of, shown_positions
from isocortex.recordings import Recording
from isocortex.responses import Responses
from isocortex.scores import ALL_LAYERS, Score
from isocortex.store.artifacts import decode_detail, encode_detail

SINGLE = {"rtol": 0, "atol": 2 * float(np.finfo(np.float32).eps)}
"""Dissimilarities are kept in float32 and are 2 at most."""


def benchmark(measured: Recording, scorer: str = "rsa") -> Benchmark:
    """That scorer on the region IT."""
    entry, card = registry.find_entry("scorer", scorer), registry.scorer_card(scorer)
    return Benchmark(measured, "IT", card, entry.load(), code_hash="", resamples=20)


def shuffled(region: xr.DataArray, *, seed: int = 3) -> xr.DataArray:
    """A region whose stimuli were recorded in another order than that of their ids."""
    order = np.random.default_rng(seed).permutation(region.sizes["stimulus"])
    dims = {"stimulus", "other_stimulus"} & set(region.dims)
    return region.isel(dict.fromkeys(dims, order))


def brain_of(layer: xr.DataArray, *, noise: float = 0.5) -> xr.DataArray:
    """Trials of eight neuroids that see a layer, in a shuffled order."""
    return shuffled(recorded_trials(layer.values[:, :8], noise=noise))


def expected(layer: xr.DataArray, region: xr.DataArray) -> np.ndarray:
    """By numpy: 1 − r of the layer's answers, in the order in which the region was recorded."""
    shown = layer.sel(stimulus=region.stimulus.values[shown_positions(region.sizes["stimulus"])])
    matrix = 1 - np.corrcoef(shown.values)
    return matrix[np.triu_indices(len(matrix), k=1)]


@pytest.mark.parametrize("scorer", ["rsa", "cka", "ridge", "rsa-spearman-distance"])
@pytest.mark.parametrize("stimuli", [40, 150])
def test_the_kept_rdm_is_that_of_numpy_in_the_order_of_the_recording(scorer, stimuli):
    layer = responses(stimuli, 300, seed=1) + 5.0  # an offset must not cost digits
    region = brain_of(layer)
    sides = {"only": Responses(tuple(layer.stimulus.values), layer.values)}
    found = evaluate(benchmark(recording(region), scorer), sides).detail
    np.testing.assert_allclose(found.layer_rdm.values, expected(layer, region), **SINGLE)
    assert found.layer_rdm.dtype == np.float32
    assert found.sizes["rdm_stimulus"] == min(stimuli, MOST_STIMULI)


def test_pairs_lie_where_those_of_the_recordings_matrix_lie():
    """A layer that answers as the brain does has the brain's matrix, whatever order either has."""
    layer = responses(150, 8, seed=1)
    region = brain_of(layer, noise=0.0)
    brain = matrix_of("toy", "IT", region)
    given = shuffled(layer, seed=9)
    score = evaluate(benchmark(recording(region)), {"only": geometry_of(given)})
    found = layer_matrix(score.detail, score.layer, benchmark=score.benchmark, of=150)
    assert (found.dataset, found.region, found.of) == ("toy", "IT", brain.of)
    assert found.stimuli == brain.stimuli != tuple(sorted(brain.stimuli))
    np.testing.assert_allclose(found.values, brain.values, rtol=0, atol=0.5e-4 + 1e-6)


def test_dissimilarities_that_were_recorded_keep_the_order_as_well():
    layer = responses(30, 50, seed=2)
    region = shuffled(recorded_rdms((1 - np.corrcoef(layer.values))[None] * (1 - np.eye(30))))
    score = evaluate(benchmark(recording(region)), {"only": geometry_of(layer)})
    found = layer_matrix(score.detail, score.layer, benchmark=score.benchmark, of=30)
    brain = matrix_of("toy", "IT", region)
    assert found.stimuli == brain.stimuli
    np.testing.assert_allclose(found.values, brain.values, rtol=0, atol=0.5e-4 + 1e-6)


def test_it_is_of_the_layer_that_the_score_reports():
    """Noise is chosen here and there: the layer that is reported is that of most splits."""
    layers = {f"noise-{seed}": responses(60, 50, seed=seed) for seed in range(10, 16)}
    region = brain_of(responses(60, 200, seed=1))
    sides = {name: geometry_of(each) for name, each in layers.items()}
    score = evaluate(benchmark(recording(region)), sides)
    assert len(set(score.detail.fold_layer.values)) > 2
    found = score.detail.layer_rdm.values
    np.testing.assert_allclose(found, expected(layers[score.layer], region), **SINGLE)


def test_responses_and_their_geometry_keep_the_same():
    layer = responses(30, 40, seed=4)
    ids = tuple(layer.stimulus.values)
    one = layer_rdm(Responses(ids, layer.values), ids)
    other = layer_rdm(geometry_of(layer), ids)
    np.testing.assert_allclose(one["layer_rdm"].values, other["layer_rdm"].values, **SINGLE)
    assert one["rdm_stimulus"].values.tolist() == other["rdm_stimulus"].values.tolist() == list(ids)


def test_only_the_layers_that_were_looked_up_anyway_are_looked_up():
    looked_up: list[str] = []

    class Watched(dict[str, Geometry]):
        def __getitem__(self, name: str) -> Geometry:
            looked_up.append(name)
            return super().__getitem__(name)

    region = brain_of(responses(40, 60, seed=1))
    layers = {f"layer{seed}": geometry_of(responses(40, 60, seed=seed)) for seed in (1, 2, 3)}
    evaluate(benchmark(recording(region)), Watched(layers))
    assert max(looked_up.count(name) for name in layers) == 3  # to fit, as chosen, for its facts


def test_a_pattern_that_does_not_vary_has_no_dissimilarity():
    values = responses(12, 20, seed=1)
    values[4] = 3.0
    found = layer_rdm(geometry_of(values), tuple(values.stimulus.values))["layer_rdm"].values
    first, second = np.triu_indices(12, k=1)
    np.testing.assert_array_equal(np.isnan(found), (first == 4) | (second == 4))


def test_sides_without_patterns_keep_none():
    bare = Dissimilarities(("a", "b"), np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert layer_rdm(bare, ("a", "b")) == {}


def test_layers_that_were_fitted_together_have_none():
    layers = {f"layer{seed}": geometry_of(responses(40, 30, seed=seed)) for seed in (1, 2)}
    region = brain_of(responses(40, 30, seed=1))
    score = evaluate(benchmark(recording(region), "banded-ridge"), layers)
    assert score.layer == ALL_LAYERS
    assert "layer_rdm" not in score.detail
    assert layer_matrix(score.detail, score.layer, benchmark=score.benchmark, of=40) is None


def test_what_fits_no_stimuli_is_no_matrix():
    """A worker elsewhere may send any arrays as the detail of a score."""
    layer = responses(6, 20, seed=1)
    kept = xr.Dataset(layer_rdm(geometry_of(layer), tuple(layer.stimulus.values)))
    found = layer_matrix(kept, "conv1", benchmark="toy/IT/rsa", of=6)
    assert found is not None
    assert found.made == "1 − r between the answers of all units in conv1"
    for spoilt in (
        kept.drop_vars("rdm_stimulus"),
        kept.drop_vars("layer_rdm"),
        kept.isel(pair=slice(1, None)),
        kept.isel(rdm_stimulus=slice(1), pair=slice(0)),
    ):
        assert layer_matrix(spoilt, "conv1", benchmark="toy/IT/rsa", of=6) is None


def made_of(side: Geometry | Responses, scorer: str = "rsa") -> str:
    """What is said of a layer's matrix after its detail was written and read."""
    region = brain_of(responses(40, 60, seed=1))
    score = evaluate(benchmark(recording(region), scorer), {"conv1": side})
    detail = decode_detail(encode_detail(score.detail))
    found = layer_matrix(detail, score.layer, benchmark=score.benchmark, of=40)
    assert found is not None
    return found.made


def test_it_is_said_what_a_matrix_was_made_of():
    layer = responses(40, 60, seed=1)
    whole = geometry_of(layer)
    assert made_of(whole) == "1 − r between the answers of 60 units in conv1"
    projected = replace(whole, projection=Projection(4096, seed=0, bound=0.15, error=0.02))
    assert "60 units, estimated from a random projection to 4,096 dimensions," in made_of(projected)
    sampled = Responses(tuple(layer.stimulus.values), layer.values, total=7000)
    assert "60 of 7,000 units, a random sample," in made_of(sampled, "rsa-spearman-distance")


def test_a_kept_rdm_is_written_and_read_with_its_stimuli():
    layer = responses(40, 60, seed=1)
    score: Score = evaluate(benchmark(recording(brain_of(layer))), {"a": geometry_of(layer)})
    kept = decode_detail(encode_detail(score.detail))
    assert {"rdm_stimulus", "layer", "subject"} <= set(kept.coords)
    assert kept.layer_rdm.attrs["units"] == "1 - Pearson r"
    np.testing.assert_array_equal(kept.layer_rdm, score.detail.layer_rdm)
    assert kept.rdm_stimulus.values.tolist() == score.detail.rdm_stimulus.values.tolist()
