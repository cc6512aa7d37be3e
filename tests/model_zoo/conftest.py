"""What the tests of the zoo share."""

from collections.abc import Callable

import pytest

from isocortex.candidates import Candidate
from isocortex.registry import find_entry


@pytest.fixture(scope="session")
def load_candidate() -> Callable[[str], Candidate]:
    """A function from a name to its candidate; families are asked for their members."""

    def load(name: str) -> Candidate:
        family, _, member = name.partition("/")
        if family == "torchvision":
            return find_entry("candidate_family", family).load()(member)
        entry = find_entry("candidate", name)
        return entry.load()(entry.card)

    return load
