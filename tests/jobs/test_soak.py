"""200 jobs while workers and server are killed, the disk is full and the database locked."""

import pytest
from tests.jobs.soaking import Soak, check_books

from isocortex.store import Store


def test_nothing_is_lost_and_nothing_twice_whatever_is_killed(store: Store) -> None:
    soak = Soak(store)
    soak.run(24, harms=8, pause=0.5, seconds=180)
    check_books(store, 24)
    assert sum(soak.done.values()) == 8


@pytest.mark.soak
def test_nothing_is_lost_and_nothing_twice_in_the_long_run(store: Store) -> None:
    soak = Soak(store, seed=1)
    soak.run(200, harms=100, pause=2.0, seconds=3600)
    check_books(store, 200)
    harm = ", ".join(f"{count} {kind}" for kind, count in soak.done.items())
    print(f"\n{store.engine.dialect.name}: 200 scores of 200 jobs; {harm}; {soak.run_again} rerun")
    assert sum(soak.done.values()) == 100
