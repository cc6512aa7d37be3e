"""What all tests share: a home folder of their own, and the mirror of real data."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home folder for the whole run, so that no test sees or leaves anything on this computer."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCORTEX_HOME", str(folder))
        patch.delenv("ISOCORTEX_DATABASE", raising=False)
        yield folder


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with nothing in it."""
    folder = tmp_path / "home"
    monkeypatch.setenv("ISOCORTEX_HOME", str(folder))
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mirror = os.environ.get("ISOCORTEX_MIRROR")
    if mirror and not Path(mirror).is_dir():
        raise pytest.UsageError(f"ISOCORTEX_MIRROR is {mirror!r}, which is not a folder")
    missing = {
        "mirror": None if mirror else "needs real recordings and weights: set ISOCORTEX_MIRROR",
        "browser": None if Path("/usr/bin/chromium").exists() else "needs Debian's chromium",
    }
    for item in items:
        for mark, reason in missing.items():
            if reason and item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))
