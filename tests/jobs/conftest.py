"""The stores of the store's own tests, on each kind of database; soaks run if asked for."""

import pytest
from tests.store.conftest import postgres, small_store, store, url

__all__ = ["postgres", "small_store", "store", "url"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "soak" not in config.getoption("markexpr"):
        for item in items:
            if item.get_closest_marker("soak"):
                item.add_marker(pytest.mark.skip(reason="takes minutes: make soak"))
