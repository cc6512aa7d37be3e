import numpy as np
import pytest
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr

from isocortex.registry import dataset_card


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("region", "lower", "upper"), [("EVC", 0.2389, 0.3856), ("IT", 0.4486, 0.5346)]
)
def test_ceilings_are_those_of_the_published_matrices(load, region, lower, upper):
    matrices = load("cichy2014").region(region).values
    subjects = np.array([squareform(matrix, checks=False) for matrix in matrices])
    assert subjects.shape == (15, 92 * 91 / 2)
    others = (subjects.sum(axis=0) - subjects) / 14
    with_others = [spearmanr(one, rest)[0] for one, rest in zip(subjects, others, strict=True)]
    with_all = [spearmanr(one, subjects.mean(axis=0))[0] for one in subjects]
    assert round(np.mean(with_others), 4) == lower
    assert round(np.mean(with_all), 4) == upper


@pytest.mark.mirror
def test_objects_are_those_of_kriegeskorte2008_on_another_ground(load):
    ours, theirs = load("cichy2014").stimuli, load("kriegeskorte2008").stimuli
    assert ours.ids == theirs.ids
    assert ours.content_hash != theirs.content_hash
    # Colour without brightness: the grounds, white here and grey there, do not count.
    ours, theirs = (
        np.stack([colours(objects.read(position)) for position in range(92)])
        for objects in (ours, theirs)
    )
    likeness = np.corrcoef(ours, theirs)[:92, 92:]
    assert likeness.argmax(axis=1).tolist() == list(range(92))


def colours(image):
    return (image - image.mean(axis=-1, keepdims=True)).ravel()


def test_every_image_is_listed_with_its_own_checksum():
    files = dataset_card("cichy2014").files
    images = [file for key, file in files.items() if key.startswith("image")]
    assert len(images) == 92
    assert len({file.sha256 for file in images}) == 92
    assert files["image 07"].url.endswith("/92images/image_07.jpg")
