import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isocortex.errors import InputError
from isocortex.stimuli import StimulusSet, ZippedImage

PIXELS = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


def png(pixels=PIXELS, mode="RGB"):
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "PNG")
    return file.getvalue()


def read(source):
    return StimulusSet("one", ("a",), [source]).read(0)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as images:
        images.writestr("a.png", png())
        images.writestr("grey.png", png(mode="L"))
    return path


def test_file_member_and_array_of_one_picture_read_the_same(archive, tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(png())
    for source in (file, ZippedImage(archive, "a.png"), PIXELS):
        np.testing.assert_array_equal(read(source), PIXELS)


def test_grey_picture_becomes_three_equal_channels(archive):
    image = read(ZippedImage(archive, "grey.png"))
    assert image.shape == (4, 5, 3)
    np.testing.assert_array_equal(image[..., 0], image[..., 2])


def test_archive_that_was_replaced_is_read_anew(archive):
    read(ZippedImage(archive, "a.png"))
    with zipfile.ZipFile(archive, "w") as images:
        images.writestr("a.png", png(255 - PIXELS))
    np.testing.assert_array_equal(read(ZippedImage(archive, "a.png")), 255 - PIXELS)


def test_content_hash_depends_on_ids_contents_and_their_order():
    other = 255 - PIXELS
    sets = [(("a", "b"), [PIXELS, other]), (("a", "c"), [PIXELS, other])]
    sets += [(("a", "b"), [other, PIXELS]), (("b", "a"), [other, PIXELS])]
    hashes = {StimulusSet("two", ids, sources).content_hash for ids, sources in sets}
    assert len(hashes) == len(sets)


def test_unreadable_pictures_are_named(archive, tmp_path):
    text, cut, broken = (tmp_path / name for name in ("text.png", "cut.png", "broken.zip"))
    text.write_text("not a picture")
    cut.write_bytes(png(np.tile(PIXELS, (50, 50, 1)))[:-200])
    broken.write_text("not an archive")
    messages = {
        "text.png.* can't be read: cannot identify": text,
        "cut.png.* can't be read: .*truncated": cut,
        "gone.png does not exist": tmp_path / "gone.png",
        "gone.zip does not exist": ZippedImage(tmp_path / "gone.zip", "a.png"),
        "b.png can't be read from .*images.zip": ZippedImage(archive, "b.png"),
        "a.png can't be read from .*broken.zip": ZippedImage(broken, "a.png"),
        r"float64 of shape \(4, 5, 3\).* uint8": PIXELS / 255,
        r"uint8 of shape \(4, 5\)": PIXELS[..., 0],
    }
    for message, source in messages.items():
        with pytest.raises(InputError, match=message):
            read(source)
