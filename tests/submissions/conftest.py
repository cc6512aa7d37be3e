"""Stores, an account, and small models that are submitted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from isocortex.benchmarks import Benchmark, load_benchmark
from isocortex.store.account_records import StoredAccount
from isocortex.submissions import checking
from isocortex.submissions.stimulus_sheets import sheet_folder, write_stimuli
from tests.store.conftest import postgres, small_store, store, url

__all__ = ["postgres", "small_store", "store", "url"]


@pytest.fixture
def ada(small_store) -> StoredAccount:
    """Somebody who may submit, in `small_store`."""
    return small_store.accounts.create("ada", password="correct horse battery")


@pytest.fixture(scope="session")
def benchmark() -> Benchmark:
    """A quick benchmark on simulated data."""
    return load_benchmark("simulated/IT/cka")


@pytest.fixture
def listed_stimuli(empty_home: Path) -> Iterator[tuple[str, ...]]:
    """The ids of the simulated stimuli, whose list is made here and not by another process."""
    checking.stimulus_ids.cache_clear()
    sheet = write_stimuli("simulated", sheet_folder("simulated"))
    yield tuple(each.id for each in sheet.stimuli)
    checking.stimulus_ids.cache_clear()
