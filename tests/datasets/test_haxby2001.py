from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from isocortex.errors import FetchError, InputError
from isocortex.registry import dataset_card, find_entry

SHAPE = (4, 5, 6)
AFFINE = np.array([[-3.5, 0, 0, 68], [0, 3.75, 0, -118], [0, 0, 3.75, -118], [0, 0, 0, 1.0]])
MASKS = {  # file: how many voxels, as nilearn's fetcher expects the files
    "mask4_vt": 40,
    "mask8b_face_vt": 12,
    "mask8b_house_vt": 11,
    "mask8_face_vt": 5,
    "mask8_house_vt": 4,
}
CARD = dataset_card("haxby2001")
CATEGORIES = list(CARD.options["pictures"])
DELAY = 2


@pytest.fixture
def unpacked(empty_home: Path) -> Path:
    """A small set of files in the form in which nilearn unpacks the original; two subjects."""
    folder = empty_home / "nilearn" / "haxby2001"
    for number, directory in enumerate(CARD.options["pictures"].values()):
        inner = folder / "stimuli" / directory / ("scrambled" if directory == "controls" else "")
        inner.mkdir(parents=True)
        for name, grey in (("b.jpg", 0), ("a.jpg", 20 * number)):
            Image.fromarray(np.full((8, 8), grey, np.uint8)).save(inner / name)
    for name in ("MD5SUMS", "stimuli/README"):
        (folder / name).touch()
    save(np.ones(SHAPE), folder / "mask.nii.gz")
    write_subject(folder / "subj1", unlabelled_run=None)
    write_subject(folder / "subj2", unlabelled_run=8)
    return folder


def save(values, path):
    nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), AFFINE), path)


def write_subject(folder, *, unlabelled_run):
    """Blocks of 4 volumes between 3 of rest; each run drifts and begins at another level."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    labels, series = [], []
    for run in range(12):
        order = rng.permutation(CATEGORIES)
        shown = ["rest"] * 3 + [name for each in order for name in [each] * 4 + ["rest"] * 3]
        delayed = ["rest"] * DELAY + shown[:-DELAY]
        drift = 100 * run + np.linspace(0, 50, len(shown))
        series += [tuning(name) + level for name, level in zip(delayed, drift, strict=True)]
        known = ["rest"] * len(shown) if run == unlabelled_run else shown
        labels += [(name, run) for name in known]
    pd.DataFrame(labels, columns=["labels", "chunks"]).to_csv(
        folder / "labels.txt", sep=" ", index=False
    )
    save(np.stack(series, axis=-1), folder / "bold.nii.gz")
    save(np.ones(SHAPE), folder / "anat.nii.gz")
    for name, count in MASKS.items():
        save(np.arange(np.prod(SHAPE)).reshape(SHAPE) < count, folder / f"{name}.nii.gz")


def tuning(category):
    """What each voxel answers to a category, and 0 at rest."""
    names = ["rest", *CATEGORIES]
    rng = np.random.default_rng(names.index(category))
    return rng.normal(size=SHAPE) * (category != "rest")


def load(**options):
    options = {**CARD.options, "subjects": (1, 2), **options}
    return find_entry("dataset", "haxby2001").load()(replace(CARD, options=options))


def likeness_to_tuning(recording):
    """How well each voxel's responses correlate with its true tuning, at worst."""
    region = recording.region("ventral-temporal")
    found = region.sel(neuroid=region.subject == "S1").mean("repeat").values
    true = np.array([tuning(name).ravel()[:40] for name in CATEGORIES])
    return min(np.corrcoef(found[:, i], true[:, i])[0, 1] for i in range(40))


def test_regions_are_the_voxels_of_both_subjects_masks(unpacked):
    recording = load()
    sizes = {name: region.sizes["neuroid"] for name, region in recording.regions.items()}
    expected = ("ventral-temporal", "face", "house", "face-small", "house-small")
    assert sizes == {name: 2 * MASKS[file] for name, file in zip(expected, MASKS, strict=True)}
    assert recording.region("face").shape == (8, 12, 2 * 12)
    assert recording.stimuli.ids == tuple(CATEGORIES)


def test_responses_follow_the_tuning_of_each_voxel(unpacked):
    assert likeness_to_tuning(load()) > 0.99


def test_responses_taken_without_the_delay_are_blurred(unpacked):
    assert likeness_to_tuning(load(lag=0)) < likeness_to_tuning(load()) - 0.01


def test_run_without_labels_is_missing_and_nothing_else(unpacked):
    region = load().region("ventral-temporal")
    missing = np.isnan(region.values)
    expected = np.zeros_like(missing)
    expected[:, 8, region.subject.values == "S2"] = True
    np.testing.assert_array_equal(missing, expected)


def test_voxels_know_their_place_in_millimetres(unpacked):
    voxel = load().region("house-small").isel(neuroid=3)
    assert str(voxel.neuroid.values) == "S1-0-0-3"
    place = [float(voxel.coords[axis]) for axis in ("x", "y", "z")]
    assert place == [68, -118, -118 + 3 * 3.75]


def test_first_picture_by_name_stands_for_its_category(unpacked):
    stimuli = load().stimuli
    assert [int(stimuli.read(position).mean()) for position in range(8)] == [
        20 * position for position in range(8)
    ]


def test_category_without_pictures_is_named(unpacked):
    for picture in (unpacked / "stimuli" / "cats").iterdir():
        picture.unlink()
    with pytest.raises(InputError, match="no picture in stimuli/cats"):
        load()


def test_missing_files_are_an_error_that_says_where_to_put_them(empty_home, monkeypatch):
    def refuse(**_):
        raise OSError("no route to host")

    monkeypatch.setattr("nilearn.datasets.fetch_haxby", refuse)
    with pytest.raises(FetchError, match=r"no route to host.*nilearn/haxby2001"):
        load()
