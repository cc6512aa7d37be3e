"""Loads a dataset the way the core does: card from the registry, then the entry's function."""

from collections.abc import Callable

import pytest

from isocortex.recordings import Recording
from isocortex.registry import dataset_card, find_entry

Load = Callable[[str], Recording]


@pytest.fixture(scope="session")
def load() -> Load:
    """The recording of the dataset of a name; the files of each are read once."""
    loaded: dict[str, Recording] = {}

    def load_once(name: str) -> Recording:
        if name not in loaded:
            loaded[name] = find_entry("dataset", name).load()(dataset_card(name))
        return loaded[name]

    return load_once
