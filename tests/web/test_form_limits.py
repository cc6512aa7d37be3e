"""The form of a submission is refused before a byte of it is read, where it can't be taken."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from isocortex.web import form_limits
from isocortex.web.body_limits import MOST_FORM_BYTES
from tests.web.test_submission_pages import PASSWORD, browser, submit

from isocortex.store import Store

__all__ = ["browser"]

BOUNDARY = "limit"
FORM = b'--limit\r\nContent-Disposition: form-data; name="model"\r\n\r\nnet\r\n--limit--\r\n'


class Sent:
    """One request to /submit whose body is handed out bit by bit, and what came of it."""

    def __init__(self, app: Any, *, announced: int, cookie: str = "", **headers: str) -> None:
        self.app, self.read, self.status = app, 0, 0
        known = {"host": "testserver", "content-length": str(announced)}
        known["content-type"] = f"multipart/form-data; boundary={BOUNDARY}"
        if cookie:
            known["cookie"] = f"isocortex_session={cookie}"
        pairs = {**known, **headers}.items()
        self.headers = [(name.encode(), value.encode()) for name, value in pairs]

    def run(self, body: bytes = FORM, *, meanwhile: Callable[[], None] | None = None) -> int:
        """The status of the answer; `meanwhile` is done before the last part is handed out."""
        parts = [body[:40], body[40:]]

        async def receive() -> dict[str, Any]:
            if not parts:
                return {"type": "http.disconnect"}
            if meanwhile and len(parts) == 1:
                await asyncio.to_thread(meanwhile)
            part = parts.pop(0)
            self.read += len(part)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def send(message: dict[str, Any]) -> None:
            self.status = message.get("status", self.status)

        scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": "/submit"}
        scope |= {"raw_path": b"/submit", "query_string": b"", "root_path": "", "scheme": "http"}
        scope |= {"headers": self.headers, "client": ("10.0.0.1", 1), "server": ("testserver", 80)}
        asyncio.run(self.app(scope, receive, send))
        return self.status


@pytest.fixture
def cookie(store: Store) -> str:
    """The session of Ada, who may keep ten megabytes."""
    store.submissions.quotas = replace(store.submissions.quotas, stored_bytes=10**7)
    return store.accounts.sign_in(store.accounts.create("ada", password=PASSWORD))


def test_nothing_is_read_of_strangers(application: FastAPI) -> None:
    for headers in ({}, {"cookie": "wrong"}):
        sent = Sent(application, announced=MOST_FORM_BYTES, **headers)
        assert (sent.run(), sent.read) == (401, 0)


def test_nothing_is_read_of_a_form_of_another_site(application: FastAPI, cookie: str) -> None:
    sent = Sent(application, announced=1000, cookie=cookie, origin="https://evil.example.org")
    assert (sent.run(), sent.read) == (403, 0)


@pytest.mark.parametrize(("announced", "status"), [(2 * 10**7, 429), (MOST_FORM_BYTES + 1, 413)])
def test_nothing_is_read_of_a_form_that_is_too_large(
    application: FastAPI, cookie: str, announced: int, status: int
) -> None:
    sent = Sent(application, announced=announced, cookie=cookie)
    assert (sent.run(), sent.read) == (status, 0)


def test_forms_that_come_at_once_are_counted_together(application: FastAPI, cookie: str) -> None:
    """Six megabytes while six others are coming are too much for ten, and none are left after."""
    second = Sent(application, announced=6 * 10**6, cookie=cookie)
    first = Sent(application, announced=6 * 10**6, cookie=cookie)
    assert first.run(meanwhile=second.run) == 403  # without the form's token
    assert (second.status, second.read) == (429, 0)
    assert first.read == len(FORM)
    assert sum(application.state.forms_under_way.bytes.values()) == 0


def test_nothing_is_read_where_the_disk_has_no_room(
    application: FastAPI, cookie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=10**6))
    monkeypatch.setattr(form_limits, "shutil", full)
    sent = Sent(application, announced=1000, cookie=cookie)
    assert (sent.run(), sent.read) == (503, 0)


def test_more_than_was_announced_is_refused_as_it_comes(application: FastAPI, cookie: str) -> None:
    sent = Sent(application, announced=50, cookie=cookie)
    assert sent.run() == 400


def test_a_field_is_no_file(browser: TestClient) -> None:
    answer = submit(browser, **{"card.bibtex": "x" * (form_limits.MOST_TEXT_BYTES + 1)})
    assert answer.status_code == 400


def test_the_file_of_a_form_counts_only_once_it_is_kept(browser: TestClient, store: Store) -> None:
    ada = store.accounts.find("ada").id
    used = store.submissions.usage(ada).stored_bytes
    assert used == 0
    submit(browser, b"\x08\x0a" + bytes(500))
    assert store.submissions.usage(ada).stored_bytes == 502
