"""What lives long is not looked at again and again by the garbage collector."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from isocortex.web import pauses
from isocortex.web.app import create_app


class Thing:
    """Something that can be referred to weakly."""


@pytest.fixture(autouse=True)
def nothing_frozen() -> Iterator[None]:
    """Nothing is left alone, before and after."""
    assert gc.get_freeze_count() == 0
    yield
    assert gc.get_freeze_count() == 0


def test_what_survived_a_long_collection_is_left_alone_until_the_end() -> None:
    with pauses.shortened(longest=0):
        gc.collect()
        assert gc.get_freeze_count() > 10_000


def test_a_short_collection_changes_nothing() -> None:
    with pauses.shortened(longest=60):
        gc.collect()
        assert gc.get_freeze_count() == 0


def test_what_is_left_alone_is_still_freed() -> None:
    thing = Thing()
    freed = weakref.ref(thing)
    with pauses.shortened(longest=0):
        gc.collect()
        del thing
        assert freed() is None


def test_a_cycle_that_was_left_alone_is_freed_after_the_end() -> None:
    thing = Thing()
    thing.own = thing  # type: ignore[attr-defined]
    freed = weakref.ref(thing)
    with pauses.shortened(longest=0):
        gc.collect()
        del thing
        gc.collect()
        assert freed() is not None
    gc.collect()
    assert freed() is None


def test_the_application_shortens_them_while_it_serves(empty_home: Path) -> None:
    before = list(gc.callbacks)
    with TestClient(create_app()):
        assert len(gc.callbacks) == len(before) + 1
    assert gc.callbacks == before
