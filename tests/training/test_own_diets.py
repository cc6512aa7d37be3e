"""Users' own images are those of their files, exactly, and memory does not hold them all."""

import pickle
import threading
import tracemalloc
import zipfile
from itertools import product

import numpy as np
import pytest
import torch
from PIL import Image

from isocortex import settings
from isocortex.budgets import BUDGETS, Budget
from isocortex.errors import InputError
from isocortex.registry import find_entry
from isocortex.training import Images, as_square, decoded, decoding, image_folder, train
from isocortex.training.loop import _diet, load_part

RNG = np.random.default_rng(0)
OWN = ("cifar10", "cifar100", "folder", "imagenet", "stl10", "stl10-unlabelled", "tiny-imagenet")


def pixels(*shape):
    return RNG.integers(256, size=(*shape, 3), dtype=np.uint8)


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, "PNG")  # exact, whatever the name says


def place(monkeypatch, name, path):
    monkeypatch.setenv(settings.own_images_variable(name), str(path))
    return path


@pytest.fixture
def trusting(monkeypatch):
    """Made-up files do not have the published checksums."""
    for module in ("cifar", "stl10"):
        monkeypatch.setattr(f"torchvision.datasets.{module}.check_integrity", lambda *_: True)


# CIFAR-100


def pickled_cifar100(root):
    folder = root / "cifar-100-python"
    folder.mkdir(parents=True)
    made = {}
    for split, count in (("train", 12), ("test", 6)):
        made[split] = pixels(count, 32, 32)
        labels = [(7 * each + 3) % 100 for each in range(count)]
        rows = made[split].transpose(0, 3, 1, 2).reshape(count, -1)  # red, green, blue planes
        content = {"data": rows, "fine_labels": labels, "coarse_labels": [0] * count}
        (folder / split).write_bytes(pickle.dumps(content))
    names = [f"kind {each}" for each in range(100)]
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": names}))
    return made


def test_cifar100_is_read_from_torchvisions_pickles(tmp_path, monkeypatch, trusting):
    made = pickled_cifar100(place(monkeypatch, "cifar100", tmp_path / "c"))
    diet = load_part("diet", "cifar100")()
    assert np.array_equal(diet.train.pixels, made["train"])
    assert np.array_equal(diet.test.pixels, made["test"])
    assert diet.test.labels.tolist() == [3, 10, 17, 24, 31, 38]
    assert diet.categories[99] == "kind 99"


def test_a_damaged_cifar100_is_told_by_its_checksums(tmp_path, monkeypatch):
    pickled_cifar100(place(monkeypatch, "cifar100", tmp_path / "c"))
    with pytest.raises(InputError, match=r"torchvision can't read .*cifar-100-python.*fetch it"):
        load_part("diet", "cifar100")()


# STL-10


def binary_stl10(root):
    folder = root / "stl10_binary"
    folder.mkdir(parents=True)
    made = {"train": pixels(10, 96, 96), "test": pixels(5, 96, 96), "unlabeled": pixels(7, 96, 96)}
    for split, images in made.items():
        images.transpose(0, 3, 2, 1).tofile(folder / f"{split}_X.bin")  # columns before rows
    (np.arange(10) % 10 + 1).astype(np.uint8).tofile(folder / "train_y.bin")
    (np.arange(5) % 10 + 1).astype(np.uint8).tofile(folder / "test_y.bin")
    (folder / "class_names.txt").write_text("\n".join(f"kind{each}" for each in range(10)) + "\n")
    return made


def test_stl10_is_what_torchvision_reads_and_stays_in_its_files(tmp_path, monkeypatch, trusting):
    from torchvision.datasets import STL10

    root = place(monkeypatch, "stl10", tmp_path / "s")
    made = binary_stl10(root)
    (root / "stl10_binary" / "fold_indices.txt").write_text("")
    diet = load_part("diet", "stl10")()
    oracle = STL10(root, split="train")
    assert np.array_equal(diet.train.pixels, made["train"])
    assert np.array_equal(diet.train.pixels, oracle.data.transpose(0, 2, 3, 1))
    assert diet.train.labels.tolist() == oracle.labels.tolist() == list(range(10))
    assert diet.categories == tuple(oracle.classes)
    assert isinstance(diet.train.pixels, np.memmap)


def test_unlabelled_stl10_has_no_labels_and_can_be_scaled(tmp_path, monkeypatch):
    made = binary_stl10(place(monkeypatch, "stl10", tmp_path / "s"))
    diet = load_part("diet", "stl10-unlabelled")()
    assert np.array_equal(diet.train.pixels, made["unlabeled"])
    assert diet.train.labels is diet.test.labels is None
    small = load_part("diet", "stl10-32")()
    assert small.image_size == (32, 32)
    expected = [as_square(Image.fromarray(each), 32) for each in made["train"]]
    assert np.array_equal(small.train.pixels, expected)
    # 96 to 32 pixels: a triangle as wide as two of the new ones
    triangle = np.array([1, 2, 3, 2, 1]) / 9
    expected = made["train"].astype(float)
    for axis in (1, 2):
        expected = np.apply_along_axis(np.convolve, axis, expected, triangle, "valid")
    inner = small.train.pixels[:, 1:31, 1:31]  # those at the edge see less
    assert np.abs(expected[:, 2::3, 2::3] - inner).max() <= 1  # rounded after each axis


def test_stl10_files_that_are_missing_or_cut_short_are_told(tmp_path, monkeypatch):
    root = place(monkeypatch, "stl10", tmp_path / "s")
    binary_stl10(root)
    path = root / "stl10_binary" / "train_X.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"train_X.bin is cut short"):
        load_part("diet", "stl10")()
    path.unlink()
    with pytest.raises(InputError, match=r"train_X.bin is missing; let torchvision.*STL10"):
        load_part("diet", "stl10")()


# Tiny ImageNet and ImageNet


@pytest.fixture
def tiny(tmp_path):
    """Three of the 200 categories, and the photographs' pixels by file."""
    root, made = tmp_path / "tiny-imagenet-200", {}
    for kind in ("n02", "n01", "n03"):
        for number in range(4):
            made[f"{kind}_{number}.JPEG"] = pixels(64, 64)
            path = root / "train" / kind / "images" / f"{kind}_{number}.JPEG"
            save(path, made[path.name])
        (root / "train" / kind / f"{kind}_boxes.txt").write_text("n01_0.JPEG\t0\t0\t9\t9\n")
    rows = []
    for number, kind in enumerate(("n03", "n01", "n02", "n01")):
        made[f"val_{number}.JPEG"] = pixels(64, 64)
        save(root / "val" / "images" / f"val_{number}.JPEG", made[f"val_{number}.JPEG"])
        rows.append(f"val_{number}.JPEG\t{kind}\t0\t32\t44\t62\n")
    (root / "val" / "val_annotations.txt").write_text("".join(rows))
    save(root / "test" / "images" / "test_0.JPEG", pixels(64, 64))
    (root / "wnids.txt").write_text("n02\nn01\nn03\n")
    return root, made


def zipped(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for each in sorted(folder.rglob("*")):
            archive.write(each, each.relative_to(folder.parent))
    return path


@pytest.mark.parametrize("archived", [False, True])
def test_tiny_imagenet_is_read_from_its_folder_and_archive(tiny, tmp_path, monkeypatch, archived):
    root, made = tiny
    place(monkeypatch, "tiny-imagenet", zipped(root, tmp_path / "t.zip") if archived else root)
    diet = load_part("diet", "tiny-imagenet")()
    assert diet.categories == ("n01", "n02", "n03")
    assert diet.train.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert diet.test.labels.tolist() == [2, 0, 1, 0]
    expected = [made[f"n0{kind}_{number}.JPEG"] for kind in (1, 2, 3) for number in range(4)]
    assert np.array_equal(diet.train.pixels, expected)
    assert np.array_equal(diet.test.pixels, [made[f"val_{number}.JPEG"] for number in range(4)])


def test_tiny_imagenet_without_its_annotations_is_refused(tiny, monkeypatch):
    root, _ = tiny
    place(monkeypatch, "tiny-imagenet", root)
    annotations = root / "val" / "val_annotations.txt"
    annotations.write_text(annotations.read_text().replace("val_3.JPEG", "val_9.JPEG"))
    with pytest.raises(InputError, match=r"does not say what val_3\.JPEG is"):
        load_part("diet", "tiny-imagenet")()
    annotations.write_text("val_0.JPEG n00000001\n")
    with pytest.raises(InputError, match=r"has a line 'val_0\.JPEG n00000001'; expected the name"):
        load_part("diet", "tiny-imagenet")()
    annotations.unlink()
    with pytest.raises(InputError, match=r"has no val/val_annotations.txt"):
        load_part("diet", "tiny-imagenet")()


def test_imagenet_is_read_as_torchvision_lays_it_out(tmp_path, monkeypatch):
    from torchvision.datasets import ImageFolder

    root = place(monkeypatch, "imagenet", tmp_path / "imagenet")
    for half, count in (("train", 3), ("val", 2)):
        for kind in ("n09", "n01"):
            for number in range(count):
                save(root / half / kind / f"{half}_{number}.JPEG", pixels(80, 64))
    (root / "meta.bin").write_bytes(b"of torchvision")
    save(root / "beside" / "cat" / "0.JPEG", pixels(64, 64))  # not of ImageNet
    diet = load_part("diet", "imagenet")()
    for images, half in ((diet.train, "train"), (diet.test, "val")):
        oracle = ImageFolder(root / half)
        assert images.labels.tolist() == oracle.targets
        # the middle: 8 of 80 rows are left out above
        assert np.array_equal(images.pixels, [np.asarray(each)[8:72] for each, _ in oracle])
    assert diet.categories == ("n01", "n09")


def test_imagenet_without_a_half_is_refused(tmp_path, monkeypatch):
    root = place(monkeypatch, "imagenet", tmp_path / "imagenet")
    save(root / "train" / "n01" / "0.JPEG", pixels(64, 64))
    with pytest.raises(InputError, match=r"lacks images in .* val/<category>.*ImageNet\(root\)"):
        load_part("diet", "imagenet")()


def test_imagenet_whose_test_images_are_not_sorted_is_refused(tmp_path, monkeypatch):
    root = place(monkeypatch, "imagenet", tmp_path / "imagenet")
    save(root / "train" / "n01" / "0.JPEG", pixels(64, 64))
    save(root / "val" / "ILSVRC2012_val_00000001.JPEG", pixels(64, 64))
    with pytest.raises(InputError, match=r"lacks images in .* val/<category>.*sort its archives"):
        load_part("diet", "imagenet")()


@pytest.mark.parametrize("name", OWN)
def test_what_is_not_there_is_told_with_the_setting_and_how_to_get_it(name, tmp_path, monkeypatch):
    place(monkeypatch, name.removesuffix("-unlabelled"), tmp_path / "nowhere")
    variable = settings.own_images_variable(name.removesuffix("-unlabelled"))
    with pytest.raises(
        InputError, match=f"not at .*nowhere; (let|put|fetch|sort) .*set {variable}"
    ):
        load_part("diet", name)()


def test_cards_offer_labels_where_there_are_labels():
    for name in OWN:
        assert ("labels" in find_entry("diet", name).card.offers) == ("unlabelled" not in name)


# a folder of one's own, through training


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 3, batch=8))
    _diet.cache_clear()
    yield
    _diet.cache_clear()


def test_a_folder_of_ones_own_is_trained_on_from_disk(tmp_path, monkeypatch, empty_home, brief):
    root = place(monkeypatch, "folder", tmp_path / "mine")
    for number in range(80):
        save(root / f"kind{number % 2}" / f"{number:02d}.png", pixels(32, 40))
    trained = train("mlp3/categorise/backprop@folder-32:brief#0")
    assert trained.history.sizes["step"] == 3
    assert isinstance(load_part("diet", "folder-32")().train.pixels, np.memmap)
    assert len(list((empty_home / "decoded").glob("*.npy"))) == 1


def test_photographs_that_change_are_decoded_anew(tmp_path):
    for number in range(10):
        save(tmp_path / "cat" / f"{number}.png", pixels(32, 32))
    before = image_folder(tmp_path, side=32).train.pixels.copy()
    fresh = pixels(32, 32)
    save(tmp_path / "cat" / "0.png", fresh)
    after = image_folder(tmp_path, side=32).train.pixels
    assert np.array_equal(after[0], fresh)
    assert np.array_equal(after[1:], before[1:])


def test_what_is_to_validate_or_to_test_on_is_never_trained_on(tmp_path):
    halves = {"train": 7, "val": 3, "test": 2}
    for half, kind in product(halves, ("cat", "dog")):
        for number in range(halves[half]):
            save(tmp_path / half / kind / f"{number}.png", pixels(8, 8))
    diet = image_folder(tmp_path, side=8)
    assert (len(diet.train), len(diet.test)) == (2 * 7, 2 * (3 + 2))


@pytest.mark.parametrize("damage", ["checksum", "chunk", "size"])
def test_images_that_cannot_be_read_are_named(damage, tmp_path, monkeypatch):
    for number in range(10):
        save(tmp_path / "mine" / "cat" / f"{number}.png", pixels(8, 8))
    path = tmp_path / "mine" / "cat" / "0.png"
    place_of_pixels = path.read_bytes().index(b"IDAT")
    if damage == "chunk":
        broken = bytearray(path.read_bytes())
        broken[place_of_pixels - 1] = 7  # shorter than it is
        path.write_bytes(broken)
    archive = zipped(tmp_path / "mine", tmp_path / "mine.zip")
    if damage == "checksum":
        broken = bytearray(archive.read_bytes())
        broken[broken.index(b"IDAT") + 9] ^= 255
        archive.write_bytes(broken)
    if damage == "size":
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 8)
    with pytest.raises(InputError, match=r"0\.png can't be read as an image: .* Remove or mend it"):
        image_folder(archive, side=8)


def test_large_jpegs_are_all_but_as_if_decoded_in_full(tmp_path):
    across = np.linspace(0, 20 * np.pi, 320)
    smooth = np.uint8(127 + 60 * np.sin(across)[:, None] + 60 * np.cos(across / 2))
    path = tmp_path / "cat" / "0.jpg"
    path.parent.mkdir()
    for number in range(10):
        Image.fromarray(np.stack([np.roll(smooth, 9 * number, 0)] * 3, -1)).save(
            path.with_name(f"{number}.jpg"), quality=95
        )
    found = image_folder(tmp_path, side=32).train.pixels[0]
    with Image.open(path) as whole:
        expected = as_square(whole, 32)
    assert np.abs(found.astype(int) - expected).max() <= 3


# pixels kept on disk


class KilledError(Exception):
    pass


@pytest.fixture
def chunks(monkeypatch):
    monkeypatch.setattr(decoding, "_CHUNK", 4)


def decoder(images, *, killed_at=None):
    """What decodes, and the positions that it was asked for."""
    asked, lock = [], threading.Lock()

    def decode(position):
        if position == killed_at:
            raise KilledError
        with lock:
            asked.append(position)
        return images[position]

    return decode, asked


def test_pixels_are_decoded_once(empty_home):
    images = pixels(10, 8, 8)
    decode, asked = decoder(images)
    for _ in range(2):
        found = decoded(decode, images.shape, key="once")
        assert np.array_equal(found, images)
    assert sorted(asked) == list(range(10))
    assert not found.flags.writeable
    assert not list((empty_home / "decoded").glob("*.part"))


# the last chunk that was begun may not have reached the disk
@pytest.mark.parametrize(("killed_at", "goes_on_from"), [(14, 12), (12, 8), (1, 0)])
def test_a_killed_decoding_goes_on_and_bears_its_name_only_when_whole(
    empty_home, chunks, killed_at, goes_on_from
):
    images = pixels(18, 8, 8)
    with pytest.raises(KilledError):
        decoded(decoder(images, killed_at=killed_at)[0], images.shape, key="killed")
    assert not (empty_home / "decoded" / "killed.npy").exists()
    decode, asked = decoder(images)
    assert np.array_equal(decoded(decode, images.shape, key="killed"), images)
    assert sorted(asked) == list(range(goes_on_from, 18))


def test_what_was_begun_of_other_images_is_not_gone_on_from(empty_home, chunks):
    images = pixels(18, 8, 8)
    with pytest.raises(KilledError):
        decoded(decoder(images, killed_at=14)[0], images.shape, key="other")
    images = pixels(18, 4, 16)  # as many bytes
    decode, asked = decoder(images)
    assert np.array_equal(decoded(decode, images.shape, key="other"), images)
    assert len(asked) == 18


@pytest.mark.parametrize("damage", ["cut short", "another header", "empty", "of another shape"])
def test_damaged_pixels_are_decoded_anew(empty_home, damage):
    images = pixels(10, 8, 8)
    decoded(decoder(images)[0], images.shape, key="damaged")
    path = empty_home / "decoded" / "damaged.npy"
    whole = path.read_bytes()
    if damage == "of another shape":
        np.save(path, images[:5])
    else:
        damaged = {"cut short": whole[:-1], "another header": b"x" * len(whole), "empty": b""}
        path.write_bytes(damaged[damage])
    decode, asked = decoder(images)
    assert np.array_equal(decoded(decode, images.shape, key="damaged"), images)
    assert len(asked) == 10


def test_two_that_begin_at_once_decode_once(empty_home):
    images = pixels(40, 8, 8)
    decode, asked = decoder(images)
    both = [
        threading.Thread(target=decoded, args=(decode, images.shape), kwargs={"key": "both"})
        for _ in range(2)
    ]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert sorted(asked) == list(range(40))


def test_a_disk_that_is_too_small_is_told_before(empty_home, monkeypatch):
    monkeypatch.setattr("isocortex.machine.free_disk", lambda folder: 1000)
    with pytest.raises(InputError, match=r"need 0.0 GB in .* to spare; make room"):
        decoded(decoder(pixels(10, 8, 8))[0], (10, 8, 8, 3), key="large")


def peak_memory(run):
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_holds_a_batch_and_not_all_images(empty_home, monkeypatch):
    monkeypatch.setattr(decoding, "_CHUNK", 64)
    image = pixels(64, 64)
    shape = (4096, 64, 64, 3)  # 50 MB
    found = []
    assert peak_memory(lambda: found.append(decoded(lambda _: image, shape, key="many"))) < 5e6
    images = Images(found[0], np.arange(len(found[0])) % 10)
    half = Images(images.pixels[: len(images) // 2])
    assert peak_memory(lambda: half.batch(np.arange(0, 2048, 32))) < 5e6  # 64 images: 786 kB
    batch = images.batch(np.array([4095, 0]))
    expected = torch.from_numpy((image.astype(np.float32) - 127.5) / 63.75).permute(2, 0, 1)
    assert torch.equal(batch.images[0], expected)
    assert torch.equal(batch.images[1], expected)
