import numpy as np
import pytest
from scipy.io import loadmat
from scipy.spatial.distance import squareform
from scipy.stats import pearsonr, spearmanr

from isocortex.fetching import fetch
from isocortex.recordings import Recording

pytestmark = pytest.mark.mirror


@pytest.fixture(scope="module")
def recording(load) -> Recording:
    return load("kriegeskorte2008")


@pytest.fixture(scope="module")
def published(recording: Recording):
    path = fetch(recording.card.files["Kriegeskorte_Neuron2008_supplementalData"])
    return loadmat(path, squeeze_me=True)


def test_human_it_resembles_monkey_it_as_much_as_the_paper_says(recording):
    human = squareform(recording.region("human-IT").mean("subject").values)
    monkey = squareform(recording.region("monkey-IT").values[0])
    assert human.size == 92 * 91 / 2 == 4186
    assert round(pearsonr(human, monkey)[0], 4) == 0.4912
    assert round(spearmanr(human, monkey)[0], 4) == 0.4389


def test_mean_over_subjects_is_the_published_group_matrix(recording, published):
    _, group = published["RDMs_mIT_hIT_fig1"]
    assert group["name"] == "hITvisStim_316vx"
    mean = recording.region("human-IT").mean("subject").values
    np.testing.assert_allclose(squareform(mean), group["RDM"], rtol=1e-12)


def test_subjects_are_those_of_the_files(recording):
    assert recording.region("human-IT").subject.values.tolist() == ["BE", "KO", "SN", "TI"]
    assert recording.region("monkey-IT").sizes["subject"] == 1
    observers = [f"subject{number}" for number in range(1, 17)]
    assert recording.region("judgements").subject.values.tolist() == observers


def test_metadata_is_what_the_file_says_of_each_object(recording, published):
    for key, values in recording.stimuli.metadata.items():
        assert values == [item[key] for item in published["stimuli_92objs"]], key


def test_stimuli_are_the_photographs_in_the_order_of_the_matrices(recording, published):
    assert len(recording.stimuli) == 92
    assert recording.stimuli.ids[12] == "13-human-face"
    for position in (0, 91):
        image = recording.stimuli.read(position)
        assert image.shape == (175, 175, 3)
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, published["stimuli_92objs"][position]["image"])
