from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from isocortex.cards import DatasetCard
from isocortex.errors import InputError, MismatchError, UnknownNameError
from isocortex.recordings import Recording
from isocortex.stimuli import StimulusSet

STIMULI = StimulusSet("three", ("a", "b", "c"), [np.full((2, 2, 3), i, np.uint8) for i in range(3)])
RESPONSES = xr.DataArray(
    np.arange(3 * 2 * 2, dtype=float).reshape(3, 2, 2),
    dims=("stimulus", "repeat", "neuroid"),
    coords={
        "stimulus": list("abc"),
        "neuroid": ["n1", "n2"],
        "subject": ("neuroid", ["s1", "s1"]),
    },
    attrs={"units": "spikes/second"},
)
DISSIMILARITIES = xr.DataArray(
    [[[0.0, 1, 2], [1, 0, 3], [2, 3, 0]]],
    dims=("subject", "stimulus", "other_stimulus"),
    coords={"subject": ["s1"], "stimulus": list("abc"), "other_stimulus": list("abc")},
    attrs={"units": "1 - Pearson correlation"},
)


def record(region, stimuli=STIMULI):
    recorded = "dissimilarities" if "other_stimulus" in region.dims else "responses"
    card = DatasetCard(
        name="made-up",
        summary="",
        version=1,
        species="",
        method="",
        recorded=recorded,
        regions=("V1",),
        benchmarks=(),
        source="",
        bibtex="",
        licence="",
    )
    return Recording(card=card, stimuli=stimuli, regions={"V1": region})


def changed(region, position, value):
    copy = region.copy(deep=True)
    copy.values[position] = value
    return copy


BAD_RESPONSES = {
    "dims are": RESPONSES.transpose("repeat", "stimulus", "neuroid"),
    "the neuroid ids are not unique": RESPONSES.assign_coords(neuroid=["n1", "n1"]),
    "the dim 'neuroid' has no coordinate": RESPONSES.drop_vars("neuroid"),
    "the dim 'stimulus' has no coordinate": RESPONSES.drop_vars("stimulus"),
    "each neuroid needs a `subject`": RESPONSES.drop_vars("subject"),
    "infinite responses; NaN marks a missing trial": changed(RESPONSES, (0, 0, 0), np.inf),
    "neuroid 'n2' has no trial of stimulus 'b'": changed(RESPONSES, (1, slice(None), 1), np.nan),
    "dtype is int64, expected float64 or float32": RESPONSES.astype(int),
    r"attrs\['units'\] is missing": RESPONSES.drop_attrs(),
    r"nothing was recorded; its shape is \(3, 0, 2\)": RESPONSES.isel(repeat=[]),
}
BAD_DISSIMILARITIES = {
    "dims are": DISSIMILARITIES.transpose("stimulus", "other_stimulus", "subject"),
    "is not symmetric": changed(DISSIMILARITIES, (0, 1, 2), 3.1),
    "the diagonal .* is not zero": changed(DISSIMILARITIES, (0, 1, 1), 0.1),
    "must be finite numbers": changed(DISSIMILARITIES, (0, 1, 2), np.nan),
    "the dim 'subject' has no coordinate": DISSIMILARITIES.drop_vars("subject"),
    r"attrs\['units'\] is missing": DISSIMILARITIES.drop_attrs(),
}


@pytest.mark.parametrize("message", BAD_RESPONSES)
def test_bad_responses_are_refused(message):
    with pytest.raises(InputError, match=rf"dataset 'made-up', region 'V1': .*{message}"):
        record(BAD_RESPONSES[message])


@pytest.mark.parametrize("message", BAD_DISSIMILARITIES)
def test_bad_dissimilarities_are_refused(message):
    with pytest.raises(InputError, match=rf"dataset 'made-up', region 'V1': .*{message}"):
        record(BAD_DISSIMILARITIES[message])


def test_missing_trial_is_allowed_where_another_is_left():
    assert np.isnan(record(changed(RESPONSES, (1, 0, 1), np.nan)).region("V1").values).sum() == 1


@pytest.mark.parametrize("dim", ["stimulus", "other_stimulus"])
def test_measurements_in_another_order_than_the_stimuli_are_refused(dim):
    shuffled = DISSIMILARITIES.assign_coords({dim: list("acb")})
    with pytest.raises(MismatchError, match=f"the {dim} coordinate differs from the ids"):
        record(shuffled)


def test_regions_must_be_those_of_the_card():
    recording = record(RESPONSES)
    with pytest.raises(MismatchError, match=r"names the regions \('V1',\).* holds \('V4',\)"):
        replace(recording, regions={"V4": RESPONSES})
    with pytest.raises(UnknownNameError, match="no region of made-up is named 'V4'"):
        recording.region("V4")


def test_stimulus_ids_must_be_unique_and_one_for_each_stimulus():
    with pytest.raises(InputError, match="id 'a' occurs more than once"):
        replace(STIMULI, ids=("a", "b", "a"))
    with pytest.raises(MismatchError, match="2 ids for 3 stimuli"):
        replace(STIMULI, ids=("a", "b"))


def test_content_hash_changes_with_a_value_an_id_or_a_stimulus():
    other_pixel = replace(STIMULI, sources=[*STIMULI.sources[:2], np.full((2, 2, 3), 9, np.uint8)])
    other_id = replace(STIMULI, ids=("a", "b", "d"))
    hashes = [
        record(RESPONSES).content_hash,
        record(changed(RESPONSES, (2, 1, 1), 11.5)).content_hash,
        record(RESPONSES.assign_coords(neuroid=["n1", "n3"])).content_hash,
        record(RESPONSES.assign_coords(subject=("neuroid", ["s1", "s2"]))).content_hash,
        record(RESPONSES, other_pixel).content_hash,
        record(RESPONSES.assign_coords(stimulus=list("abd")), other_id).content_hash,
    ]
    assert len(set(hashes)) == len(hashes)


def test_content_hash_does_not_change_with_names_and_remarks():
    renamed = replace(STIMULI, name="other", degrees=8.0, metadata={"category": [1, 2, 3]})
    remarked = RESPONSES.assign_attrs(provenance="a remark")
    in_memory_order = RESPONSES.copy(data=np.asfortranarray(RESPONSES.values))
    expected = record(RESPONSES).content_hash
    for region, stimuli in ((RESPONSES, renamed), (remarked, STIMULI), (in_memory_order, STIMULI)):
        assert record(region, stimuli).content_hash == expected
