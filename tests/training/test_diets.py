"""Drawn images are the same each time, balanced, as their latents say, and in one half only."""

import hashlib
import zipfile
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from isocortex.model_zoo.diets._gratings import gratings
from isocortex.model_zoo.diets._shapes import SHAPES, coverage
from PIL import Image
from sklearn.linear_model import RidgeClassifier

from isocortex.errors import InputError
from isocortex.registry import find_entry
from isocortex.training import image_folder
from isocortex.training.loop import load_part

DRAWN = ("glyphs32", "gratings32", "leaves32", "noise32", "shapes32", "sweeps32")
LATENTS = {
    "gratings32": ["contrast", "frequency", "phase_cosine", "phase_sine"],
    "shapes32": ["angle", "contrast", "size", "x", "y"],
    "sweeps32": ["contrast", "velocity_x", "velocity_y"],
}


@cache
def drawn(name, *count):
    entry = find_entry("diet", name)
    return entry.load()(**{**entry.card.options, "count": count})


def content(diet):
    """A hash of all that a diet holds."""
    digest = hashlib.sha256("".join(diet.categories).encode())
    for images in (diet.train, diet.test):
        for values in (images.pixels, images.labels, images.sequences, *images.latents.values()):
            digest.update(b"" if values is None else values.tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("name", DRAWN)
def test_a_diet_is_drawn_the_same_each_time_and_by_its_seed(name):
    options = {**find_entry("diet", name).card.options, "count": (36, 18)}
    draw = find_entry("diet", name).load()
    assert content(draw(**options)) == content(draw(**options))
    assert content(draw(**options)) != content(draw(**{**options, "seed": 1}))


@pytest.mark.parametrize("name", DRAWN)
def test_no_image_is_both_to_train_and_to_test_on(name):
    diet = drawn(name, 180, 90)
    train, test = ({each.tobytes() for each in i.pixels} for i in (diet.train, diet.test))
    assert not train & test
    assert len(train) > 0.99 * 180  # and hardly any comes twice
    assert diet.image_size == (32, 32)
    assert (len(diet.train), len(diet.test)) == (180, 90)


@pytest.mark.parametrize("name", DRAWN)
def test_a_diet_has_what_its_card_offers_and_balanced_labels(name):
    diet, offers = drawn(name, 180, 90), find_entry("diet", name).card.offers
    for images in (diet.train, diet.test):
        assert (images.labels is not None) == ("labels" in offers)
        assert sorted(images.latents) == LATENTS.get(name, [])
        assert bool(images.latents) == ("latents" in offers)
        assert (images.sequences is not None) == ("sequence" in offers)
        if images.labels is not None:
            counts = np.bincount(images.labels, minlength=len(diet.categories))
            assert set(counts) <= {len(images) // len(counts), -(-len(images) // len(counts))}


def test_sizes_are_those_of_the_cards():
    sizes = {name: find_entry("diet", name).card.options["count"] for name in DRAWN}
    assert sizes["shapes32"] == sizes["leaves32"] == sizes["noise32"] == (8000, 1000)
    for name, count in sizes.items():
        categories = len(drawn(name, 180, 90).categories) or 1
        assert not any(each % categories for each in count), name


def test_pixels_do_not_tell_the_shapes():
    diet = drawn("shapes32", 2000, 500)
    train, test = (
        each.pixels[..., 0].reshape(len(each), -1) / 255 for each in (diet.train, diet.test)
    )
    readout = RidgeClassifier(alpha=100).fit(train, diet.train.labels)
    assert readout.score(test, diet.test.labels) < 0.18  # chance is .125


def test_shapes_lie_where_their_latents_say():
    x, y = np.float32([-8, 0, 6]), np.float32([5, 0, -7])
    size, angle = np.float32([5, 7, 9]), np.float32([0.3, 0, -0.7])
    along = np.arange(32) + 0.5 - 16
    for shape in ("disc", "ring", "square", "cross", "bar"):  # centred on themselves
        covered = coverage(shape, x, y, size=size, angle=angle, pixels=32)
        weights = covered.sum(axis=(1, 2))
        centre = (covered * along).sum(axis=(1, 2)) / weights
        np.testing.assert_allclose(centre, x, atol=0.15)
    disc = coverage("disc", x, y, size=size, angle=angle, pixels=32)
    np.testing.assert_allclose(disc.sum(axis=(1, 2)), np.pi * (0.85 * size) ** 2, rtol=0.03)


def test_a_quarter_turn_of_the_angle_turns_the_shape():
    still = np.float32([0])
    for shape in SHAPES:
        upright, turned = (
            coverage(shape, still, still, size=still + 9, angle=still + angle, pixels=32)[0]
            for angle in (0, np.pi / 2)
        )
        assert np.abs(np.rot90(upright, -1) - turned).mean() < 0.005, shape


def test_gratings_have_their_orientation_and_frequency():
    orientation = np.float32([0, np.pi / 2, np.pi / 4])
    frequency = np.float32([4, 4, 4 * np.sqrt(2)])
    spectra = np.abs(np.fft.fft2(gratings(orientation, frequency, np.zeros(3, "f4"), pixels=32)))
    peaks = [np.unravel_index(spectrum[:17].argmax(), (17, 32)) for spectrum in spectra]
    # bars that go down to the right have frequencies of opposite sign
    assert [(int(row), int(column)) for row, column in peaks] == [(4, 0), (0, 4), (4, 32 - 4)]


def test_noise_falls_off_as_one_over_the_frequency():
    pixels = drawn("noise32", 180, 90).train.pixels[..., 0] / 255
    power = (np.abs(np.fft.fft2(pixels - pixels.mean())) ** 2).mean(axis=0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(32)))
    inside = (frequency > 1.5 / 32) & (frequency < 0.4)
    slope = np.polyfit(np.log(frequency[inside]), np.log(power[inside]) / 2, 1)[0]
    assert slope == pytest.approx(-1, abs=0.05)


def test_leaves_have_edges_and_a_spectrum_like_photographs():
    pixels = drawn("leaves32", 180, 90).train.pixels.mean(axis=-1) / 255
    steps = np.diff(pixels, axis=2).ravel()
    assert ((steps / steps.std()) ** 4).mean() > 5  # a Gaussian image has 3
    window = np.hanning(32)[:, None] * np.hanning(32)
    power = (np.abs(np.fft.fft2((pixels - pixels.mean()) * window)) ** 2).mean(axis=0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(32)))
    inside = (frequency > 2.5 / 32) & (frequency < 0.35)
    slope = np.polyfit(np.log(frequency[inside]), np.log(power[inside]) / 2, 1)[0]
    assert -1.5 < slope < -0.7


def test_films_end_in_their_image_and_move_as_their_latents_say():
    images = drawn("sweeps32", 180, 90).train
    assert images.sequences.shape == (180, 8, 32, 32, 3)
    assert np.array_equal(images.sequences[:, -1], images.pixels)
    velocity = images.latents["velocity_x"], images.latents["velocity_y"]
    seen = np.abs(images.sequences[..., 0].astype(float) - 127.5) > 2
    along = np.arange(32)
    for film in np.flatnonzero(images.labels == 0):  # discs; the middle frames hold them whole
        centres = [(frame @ along).sum() / frame.sum() for frame in seen[film].swapaxes(1, 2)]
        across = [(frame @ along).sum() / frame.sum() for frame in seen[film]]
        assert np.diff(across)[3] == pytest.approx(velocity[0][film], abs=0.35)
        assert np.diff(centres)[3] == pytest.approx(velocity[1][film], abs=0.35)


def test_gratings_drift_to_where_their_velocity_points():
    images = drawn("sweeps32", 180, 90).train
    for film in np.flatnonzero(images.labels == 8):
        frames = images.sequences[film, ..., 0] / 255 - 0.5
        down, right = np.gradient(frames, axis=(1, 2))
        change = np.gradient(frames, axis=0)
        # brightness is kept along the motion: change = −velocity · slope
        slope = (
            images.latents["velocity_x"][film] * right + images.latents["velocity_y"][film] * down
        )
        inner = np.s_[1:-1, 1:-1, 1:-1]
        assert np.corrcoef(change[inner].ravel(), -slope[inner].ravel())[0, 1] > 0.95


def test_one_shot_tells_glyphs_better_than_chance():
    diet = drawn("glyphs32", 64, 640)
    train, test = (
        each.pixels[..., 0].reshape(len(each), -1) / 255 for each in (diet.train, diet.test)
    )
    nearest = ((test[:, None] - train[None]) ** 2).sum(axis=2).argmin(axis=1)
    found = (diet.train.labels[nearest] == diet.test.labels).mean()
    assert 4 / 64 < found < 0.6  # far above chance, and left to be learned


# photographs on disk


def photograph(number, size=(40, 32)):
    return Image.fromarray(
        np.random.default_rng(number).integers(256, size=(*size, 3), dtype=np.uint8)
    )


@pytest.fixture
def photographs(tmp_path):
    """Two categories of ten photographs each, beside a file that is none."""
    for number in range(20):
        path = tmp_path / "photographs" / ("cat", "dog")[number % 2] / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        photograph(number).save(path)
    (tmp_path / "photographs" / "cat" / "notes.txt").write_text("none")
    return tmp_path / "photographs"


def zipped(folder, path, inside=""):
    with zipfile.ZipFile(path, "w") as archive:
        for each in sorted(folder.rglob("*.png")):
            archive.write(each, f"{inside}{each.relative_to(folder)}")
    return path


def test_a_folder_of_photographs_is_a_diet(photographs):
    diet = image_folder(photographs, side=32)
    assert diet.categories == ("cat", "dog")
    assert np.bincount(diet.train.labels).tolist() == [8, 8]
    assert np.bincount(diet.test.labels).tolist() == [2, 2]
    # cut at the middle: 4 of 40 rows are left out above
    assert np.array_equal(diet.train.pixels[0], np.asarray(photograph(0))[4:36])
    assert image_folder(photographs, side=16).image_size == (16, 16)


def test_a_zip_is_the_same_diet_as_its_folder(photographs, tmp_path):
    assert content(image_folder(zipped(photographs, tmp_path / "a.zip"), side=32)) == content(
        image_folder(photographs, side=32)
    )


def test_folders_named_train_and_test_are_the_halves(photographs, tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    photographs.rename(whole / "train")
    for number, category in ((100, "cat"), (101, "dog"), (0, "cat")):
        path = whole / "test" / category / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        photograph(number).save(path)
    diet = image_folder(whole, side=32)
    assert len(diet.train) == 20
    assert len(diet.test) == 2  # number 0 is one of those to train on, too


def test_a_path_without_photographs_is_refused(photographs, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no folder and no zip"):
        image_folder(tmp_path / "nowhere", side=32)
    with pytest.raises(InputError, match="holds no images; expected a folder or zip of"):
        image_folder(tmp_path / "empty", side=32)
    for each in sorted((photographs / "dog").glob("*.png"))[:6]:
        each.unlink()
    with pytest.raises(InputError, match="no images to test on of dog"):
        image_folder(photographs, side=32)
    (photographs / "dog" / "99.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"99\.png can't be read"):
        image_folder(photographs, side=32)


def test_cifar10_is_read_from_a_zip(photographs, tmp_path, monkeypatch):
    path = tmp_path / "cifar.zip"
    zipped(photographs, path, inside="CIFAR-10-images-0/train/")
    with zipfile.ZipFile(path, "a") as archive:
        for number, category in ((100, "cat"), (101, "dog")):
            photograph(number).save(tmp_path / "one.png")
            archive.write(tmp_path / "one.png", f"CIFAR-10-images-0/test/{category}/1.png")
    monkeypatch.setenv("ISOCORTEX_CIFAR10", str(path))
    diet = load_part("diet", "cifar10")()
    assert (len(diet.train), len(diet.test), diet.categories) == (20, 2, ("cat", "dog"))


def test_cifar10_is_read_from_torchvisions_folder(tmp_path, monkeypatch):
    def original(root, *, train, download):
        assert (root, download) == (tmp_path, False)
        shape = (4 if train else 2, 32, 32, 3)
        targets = [each % 2 for each in range(shape[0])]
        return SimpleNamespace(data=np.zeros(shape, "u1"), targets=targets, classes=["cat", "dog"])

    monkeypatch.setattr("torchvision.datasets.CIFAR10", original)
    monkeypatch.setenv("ISOCORTEX_CIFAR10", str(tmp_path))
    (tmp_path / "cifar-10-batches-py").mkdir()
    diet = load_part("diet", "cifar10")()
    assert diet.train.labels.tolist() == [0, 1, 0, 1]
    assert (len(diet.test), diet.categories) == (2, ("cat", "dog"))


def test_a_missing_cifar10_is_told_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("ISOCORTEX_CIFAR10", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="set ISOCORTEX_CIFAR10 to root"):
        load_part("diet", "cifar10")()
