import re
from dataclasses import replace

import numpy as np
import pytest

from isocortex.errors import MismatchError
from isocortex.fetching import RemoteFile, fetch
from isocortex.registry import dataset_card, entries, find_entry

README = RemoteFile(
    "https://raw.githubusercontent.com/cowleygroup/V4_compact_models/"
    "f4552ad9d34a466ebc66658f72a08a8e5038f1cf/data_V4_responses/readme.txt",
    "85e03e02327dff4e64cc247127bb6092e84fb376ccb2949987341c564dd0561e",
)
SHAPES = {  # (cells, images), as the files have them
    "190925": (36, 1200),
    "201025": (89, 1200),
    "210224": (67, 800),
    "210322": (59, 1200),
    "210325": (50, 640),
    "210621": (51, 1200),
}


def session_cards():
    return [e.card for e in entries("dataset") if e.name.startswith("cowley2023:")]


@pytest.mark.mirror
def test_mean_over_trials_is_the_averaged_file(load):
    trials, averaged = load("cowley2023"), load("cowley2023:210325")
    assert trials.region("V4").shape == (640, 10, 50)
    assert averaged.region("V4").shape == (640, 1, 50)
    mean = trials.region("V4").mean("repeat", skipna=True).values
    np.testing.assert_allclose(mean, averaged.region("V4").values[:, 0], rtol=1e-12)


@pytest.mark.mirror
def test_trials_are_whole_spikes_in_a_tenth_of_a_second(load):
    region = load("cowley2023").region("V4")
    assert region.attrs["units"] == "spikes/second"
    present = region.values[~np.isnan(region.values)]
    np.testing.assert_array_equal(present * 0.1, np.round(present * 0.1))
    trials = (~np.isnan(region.values)).sum(axis=1)
    assert (trials.min(), trials.max()) == (6, 10)


@pytest.mark.mirror
def test_response_stands_beside_its_image_and_its_cell(load):
    recording = load("cowley2023")
    published = np.load(fetch(recording.card.files["responses"]))  # (cell, image, trial)
    region = recording.region("V4").sel(stimulus="210325/image0008", neuroid="PE-210325-03")
    np.testing.assert_array_equal(region.values, published[3, 7] * 10)
    assert recording.stimuli.sources[7].member == "image0008.jpg"


@pytest.mark.mirror
def test_half_of_the_trials_predicts_the_other_half(load):
    trials = load("cowley2023").region("V4").values
    odd, even = np.nanmean(trials[:, ::2], axis=1), np.nanmean(trials[:, 1::2], axis=1)
    r = np.array([np.corrcoef(odd[:, cell], even[:, cell])[0, 1] for cell in range(50)])
    assert np.median(2 * r / (1 + r)) == pytest.approx(0.75, abs=0.03)


@pytest.mark.mirror
@pytest.mark.parametrize("session", SHAPES)
def test_sessions_have_the_cells_and_images_of_their_files(load, session):
    recording = load(f"cowley2023:{session}")
    region = recording.region("V4")
    assert (region.sizes["neuroid"], len(recording.stimuli)) == SHAPES[session]
    assert recording.stimuli.ids[1] == f"{session}/image0002"
    assert recording.stimuli.read(len(recording.stimuli) - 1).shape == (112, 112, 3)
    animal = recording.card.options["animal"]
    assert region.neuroid.values[7] == f"{animal}-{session}-07"
    assert set(region.subject.values) == {animal}


@pytest.mark.mirror
def test_table_of_sessions_is_that_of_the_readme():
    row = re.compile(r"^(\d{6})\s+(\w\w)\s+(\w+)\s+\d+\s+(\d+)\s", re.MULTILINE)
    expected = row.findall(fetch(README).read_text())
    options = [card.options for card in session_cards()]
    keys = ("session", "animal", "role", "repeats")
    assert [tuple(str(each[key]) for key in keys) for each in options] == expected
    assert len(expected) == 50


def test_every_session_names_its_own_files():
    for card in session_cards():
        session = card.options["session"]
        for key, file in card.files.items():
            assert f"{key}_{session}." in file.url
            assert (file.sha256 is not None) == (session in SHAPES)


@pytest.mark.mirror
def test_responses_of_another_session_are_refused():
    card = dataset_card("cowley2023:210325")
    other = dataset_card("cowley2023:210224").files["responses"]
    mixed = replace(card, files={**card.files, "responses": other})
    with pytest.raises(MismatchError, match="800 columns of responses for 640 images"):
        find_entry("dataset", card.name).load()(mixed)
