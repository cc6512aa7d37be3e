"""Files of hubs: pinned for good, and kept as long as there is room for them."""

import os
import time
from pathlib import Path

import pytest

from isocortex.errors import InputError
from isocortex.fetching import FETCHING
from isocortex.submissions.hub_files import hub_file, prune_hub_files

HOST = "huggingface.co"


@pytest.fixture
def mirror(tmp_path: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub's files of 1,000 bytes each, as a mirror has them; a cap of three of them."""
    folder = tmp_path / "mirror"
    (folder / HOST).mkdir(parents=True)
    for name in "abcd":
        (folder / HOST / name).write_bytes(name.encode() * 1000)
    monkeypatch.setenv("ISOCORTEX_MIRROR", str(folder))
    monkeypatch.setenv("ISOCORTEX_HUB_BYTES", "3000")
    return folder


def reference(name: str, **facts: str) -> dict[str, str]:
    return {"url": f"https://{HOST}/{name}"} | facts


def used(name: str, *, ago: float) -> Path:
    """The file of that name, which was used so many seconds ago."""
    path = hub_file(reference(name))
    os.utime(path, (time.time() - ago,) * 2)
    return path


def kept(home: Path) -> str:
    return "".join(
        sorted(path.name for path in (home / "hub" / HOST).iterdir() if path.stat().st_size == 1000)
    )


def test_the_least_recently_used_make_room(mirror, empty_home):
    used("b", ago=30)
    used("a", ago=20)
    used("c", ago=10)
    assert kept(empty_home) == "abc"
    hub_file(reference("b"))
    hub_file(reference("d"))
    assert kept(empty_home) == "bcd"


def test_the_daily_tidying_prunes_them_too(mirror, empty_home, monkeypatch):
    for age, name in enumerate("abc"):
        used(name, ago=10 + age)
    monkeypatch.setenv("ISOCORTEX_HUB_BYTES", "1500")
    assert prune_hub_files() == 2
    assert kept(empty_home) == "a"


def test_a_file_that_is_larger_than_the_cap_lasts_as_long_as_it_is_the_last_one(
    mirror, empty_home, monkeypatch
):
    monkeypatch.setenv("ISOCORTEX_HUB_BYTES", "500")
    assert used("a", ago=10).exists()
    assert prune_hub_files() == 0
    used("b", ago=0)
    assert kept(empty_home) == "b"


def test_a_file_that_was_pruned_must_come_back_the_same(mirror, empty_home, monkeypatch):
    monkeypatch.setenv("ISOCORTEX_HUB_BYTES", "1000")
    used("a", ago=10)
    used("b", ago=0)
    assert kept(empty_home) == "b"
    (mirror / HOST / "a").write_bytes(bytes(1000))
    with pytest.raises(InputError, match="as a new version") as told:
        hub_file(reference("a"))
    assert str(empty_home) not in str(told.value)
    assert str(mirror) not in str(told.value)


def test_what_the_zoo_fetched_is_neither_fetched_again_nor_pruned(mirror, empty_home):
    path = empty_home / "files" / HOST / "a"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a" * 1000)
    assert hub_file(reference("a")) == path
    for name in "bcd":
        used(name, ago=1)
    assert prune_hub_files() == 0
    assert path.exists()


def test_what_a_killed_download_left_is_removed(mirror, empty_home):
    used("a", ago=0)
    for name, age in (("old", 90_000), ("new", 10)):
        arriving = empty_home / "hub" / HOST / f"{FETCHING}{name}" / "file"
        arriving.parent.mkdir()
        arriving.write_bytes(b"half")
        os.utime(arriving, (time.time() - age,) * 2)
    assert prune_hub_files() == 1
    assert (empty_home / "hub" / HOST / f"{FETCHING}new" / "file").exists()
    assert not (empty_home / "hub" / HOST / f"{FETCHING}old").exists()
