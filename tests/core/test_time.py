"""Recordings in bins of time: `V4@0.1` is one bin, `V4` the mean over all."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from tests.synthetic import layer, recorded_rdms, recorded_trials, recording, responses

from isocortex import registry
from isocortex.benchmarks import Benchmark, split_name
from isocortex.errors import InputError, UnknownNameError
from isocortex.evaluation import evaluate
from isocortex.recordings import Recording

N, TIMES = 16, (-0.05, 0.1, 0.25)


def in_time(region: xr.DataArray) -> xr.DataArray:
    """The region in three bins that differ in more than scale."""
    signs = np.where(np.arange(N) % 2, 1.0, -1.0)
    shift = xr.DataArray(signs, dims="stimulus")
    bins = xr.concat([region, 2 * region + shift, 3 * region - 5 * shift], "time")
    coords = {"time": list(TIMES), "start": ("time", [-0.1, 0.05, 0.2])}
    return bins.transpose(..., "time").assign_coords(coords).assign_attrs(region.attrs)


def trials(*, missing: bool = False) -> xr.DataArray:
    region = recorded_trials(responses(N, 6).values, noise=0.5, repeats=4)
    if missing:
        region[3, 2] = np.nan
    return in_time(region)


def rdms() -> xr.DataArray:
    x = responses(N, 6).values
    matrices = np.array([np.abs(np.subtract.outer(x[:, each], x[:, each])) for each in range(2)])
    region = recorded_rdms(matrices)
    bins = xr.concat([region, region**2, region**3], "time").transpose(..., "time")
    return bins.assign_coords(time=list(TIMES)).assign_attrs(region.attrs)


def benchmark(measured: Recording, region: str, scorer: str) -> Benchmark:
    entry = registry.find_entry("scorer", scorer)
    card = registry.scorer_card(scorer)
    if card.family == "similarity":  # one halving will do
        card = replace(card, splits={"kind": "halves", "scored": N, "seed": 0})
    return Benchmark(measured, region, card, entry.load(), "", resamples=10)


@pytest.mark.parametrize("region", [trials(missing=True), rdms()], ids=["responses", "rdms"])
def test_a_region_is_one_bin_or_the_mean_of_all(region):
    measured = recording(region)
    assert "time" not in measured.region("IT@0.1").coords
    np.testing.assert_array_equal(measured.region("IT@0.1"), region.values[..., 1])
    np.testing.assert_array_equal(measured.region("IT@-0.05"), region.values[..., 0])
    np.testing.assert_allclose(measured.region("IT"), region.values.mean(axis=-1))
    assert measured.region("IT").attrs == region.attrs


@pytest.mark.parametrize("scorer", ["rsa", "rsa-crossnobis", "ridge"])
def test_the_score_of_a_bin_is_that_of_a_dataset_of_it_alone(scorer):
    name = "IT@0.1"
    alone = recording(trials().isel(time=1, drop=True))
    model = {"layer": layer(N)}
    expected = evaluate(benchmark(alone, "IT", scorer), model)
    actual = evaluate(benchmark(recording(trials()), name, scorer), model)
    assert actual.raw == expected.raw
    assert actual.ceiling == expected.ceiling
    assert actual.benchmark == f"toy/IT@0.1/{scorer}"


def test_bins_are_versions_of_their_own():
    measured = recording(rdms())
    names = ("IT", "IT@0.1", "IT@0.25")
    prints = {benchmark(measured, name, "rsa").fingerprint for name in names}
    assert len(prints) == 3


def test_the_centres_of_bins_are_part_of_the_content():
    later = recording(trials().assign_coords(time=[0.0, 0.1, 0.25]))
    assert later.content_hash != recording(trials()).content_hash


@pytest.mark.parametrize("name", ["IT@0.3", "IT@", "IT@0.10", "IT@early"])
def test_an_unknown_bin_is_told_those_that_exist(name):
    with pytest.raises(UnknownNameError, match=r"no time bin of toy/IT is named .*0\.1"):
        recording(trials()).region(name)


def test_a_recording_without_time_has_no_bins():
    with pytest.raises(UnknownNameError, match=r"named '0\.1'; known are: none"):
        recording(trials().isel(time=0, drop=True)).region("IT@0.1")


def test_the_name_of_a_benchmark_may_hold_a_bin():
    assert split_name("cichy2014/IT@0.1/rsa") == ("cichy2014", "IT@0.1", "rsa")
    with pytest.raises(UnknownNameError, match="named 'TI'; did you mean IT"):
        split_name("cichy2014/TI@0.1/rsa")


def with_one_bin_missing() -> xr.DataArray:
    region = trials()
    region[2, 1, 0, 2] = np.nan
    return region


BAD = {
    "the time of a bin is its centre in seconds": trials().isel(time=[1, 0, 2]),
    r"got 0\.1, 0\.1000000001": trials().assign_coords(time=[0.1, 0.1000000001, 0.2]),
    "got nan": trials().assign_coords(time=[np.nan, 0.1, 0.2]),
    "got early": trials().assign_coords(time=["early", "mid", "late"]),
    "the dim 'time' has no coordinate": trials().drop_vars("time"),
    "dims are": trials().transpose("time", ...),
    r"missing \(NaN\) in some bins of time, but not in all": with_one_bin_missing(),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_times_are_refused(message):
    with pytest.raises(InputError, match=message):
        recording(BAD[message])
