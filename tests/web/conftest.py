"""The application on a store of made-up scores, and on an empty one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from isocortex.web.app import create_app
from tests.made_up_scores import fill_store
from tests.store.conftest import postgres

from isocortex.store import Store, open_store

__all__ = ["postgres"]


@pytest.fixture
def client(empty_home: Path) -> Iterator[TestClient]:
    """A client of the application on the made-up scores."""
    with open_store() as store:
        fill_store(store)
    with TestClient(create_app(), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def empty_client(empty_home: Path) -> Iterator[TestClient]:
    """A client of the application on an empty store."""
    with TestClient(create_app(), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def application(empty_home: Path) -> Iterator[FastAPI]:
    """The application on an empty store, started."""
    made = create_app()
    with TestClient(made):
        yield made


@pytest.fixture
def store(application: FastAPI) -> Store:
    """The store behind the application."""
    found: Store = application.state.store
    return found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's Chromium."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=Path("/usr/bin/chromium"), args=["--no-sandbox"]
        )
        yield browser
        browser.close()
