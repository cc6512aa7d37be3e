"""Who asks too often is told when to come again, and nobody is slowed by somebody else."""

import asyncio
import time
from typing import Any, ClassVar

import pytest
from fastapi import Request
from fastapi.testclient import TestClient
from isocortex.web import origins, rate_limits
from isocortex.web.app import create_app
from limits.errors import StorageError
from limits.storage import MemoryStorage
from tests.web.browsers import PASSWORD, Browser

from isocortex.errors import InputError

API = "/api/v1"


@pytest.fixture
def limited(empty_home, monkeypatch: pytest.MonkeyPatch):
    """The application that allows 3 readings, 2 changes and 2 sign-ins a minute."""
    monkeypatch.setenv("ISOCORTEX_READ_LIMIT", "3/minute")
    monkeypatch.setenv("ISOCORTEX_WRITE_LIMIT", "2/minute")
    monkeypatch.setenv("ISOCORTEX_SIGN_IN_LIMIT", "2/minute")
    with TestClient(create_app(), raise_server_exceptions=False) as client:
        yield client


def asked(peer: str, **headers: str) -> Request:
    """A request from this peer."""
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "client": (peer, 1), "headers": sent, "scheme": "http"})


def test_what_is_left_is_told_until_nothing_is(
    limited: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = time.time()
    monkeypatch.setattr(time, "time", lambda: start)
    left = [limited.get(f"{API}/health").headers["RateLimit-Remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    refused = limited.get(f"{API}/health")
    assert (refused.status_code, refused.json()["status"]) == (429, 429)
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["type"] == "urn:isocortex:problem:too-many-requests"
    assert refused.headers["RateLimit-Limit"] == "3"
    assert refused.headers["Retry-After"] == refused.headers["RateLimit-Reset"] == "60"
    assert "default-src" in refused.headers["content-security-policy"]
    monkeypatch.setattr(time, "time", lambda: start + 61)
    assert limited.get(f"{API}/health").status_code == 200


def test_accounts_are_counted_apart_from_their_address(limited: TestClient) -> None:
    accounts = limited.app.state.store.accounts
    headers = []
    for name in ("ada", "eve"):
        account = accounts.create(name)
        secret, _ = accounts.make_token(account.id, "x", ["read"])
        other, _ = accounts.make_token(account.id, "y", ["read"])
        headers.append([{"Authorization": f"Bearer {each}"} for each in (secret, other)])
    for _ in range(3):
        assert limited.get(f"{API}/account", headers=headers[0][0]).status_code == 200
    assert limited.get(f"{API}/account", headers=headers[0][1]).status_code == 429
    assert limited.get(f"{API}/account", headers=headers[1][0]).status_code == 200
    assert limited.get(f"{API}/health").status_code == 200


def test_forged_tokens_are_counted_by_their_address(limited: TestClient) -> None:
    statuses = [
        limited.get(f"{API}/account", headers={"Authorization": f"Bearer iso_{n}"}).status_code
        for n in range(4)
    ]
    assert statuses == [401, 401, 401, 429]


def test_sign_ins_are_counted_by_address_and_by_account(
    limited: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"ISOCORTEX_READ_LIMIT": "none", "ISOCORTEX_WRITE_LIMIT": "none"}
    for name, text in limits.items():
        monkeypatch.setenv(name, text)
    limited.app.state.rate_limits._limits = rate_limits.RateLimits()._limits
    limited.app.state.store.accounts.create("ada", password=PASSWORD)
    monkeypatch.setenv("ISOCORTEX_TRUSTED_PROXIES", ["testclient", "192.0.2.1"][1])

    def from_address(address: str, name: str) -> int:
        browser = Browser(limited)
        browser.client._transport.client = ("192.0.2.1", 1)
        browser.client.headers["X-Forwarded-For"] = address
        return browser.sign_in(name, "wrong").status_code

    assert [from_address("198.51.100.1", f"user-{n}") for n in range(3)] == [401, 401, 429]
    assert from_address("198.51.100.2", "ada") == 401
    assert from_address("198.51.100.3", "ada") == 401
    assert from_address("198.51.100.4", "ada") == 429
    assert from_address("198.51.100.4", "eve") == 401


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "address"),
    [
        ("", "192.0.2.1", "198.51.100.1", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1", "198.51.100.1", "198.51.100.1"),
        ("192.0.2.1", "192.0.2.2", "198.51.100.1", "192.0.2.2"),
        ("192.0.2.0/24", "192.0.2.1", "1.1.1.1, 198.51.100.1, 192.0.2.9", "198.51.100.1"),
        ("192.0.2.1", "192.0.2.1", "198.51.100.1, <script>", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1", "", "192.0.2.1"),
        ("::1", "::1", "2001:db8::7", "2001:db8::7"),
    ],
)
def test_an_address_is_believed_of_trusted_proxies_only(
    monkeypatch: pytest.MonkeyPatch, trusted: str, peer: str, forwarded: str, address: str
) -> None:
    monkeypatch.setenv("ISOCORTEX_TRUSTED_PROXIES", trusted)
    assert origins.client_address(asked(peer, x_forwarded_for=forwarded)) == address


def test_reading_from_this_computer_is_not_counted_but_through_a_proxy_is() -> None:
    assert origins.is_from_here(asked("127.0.0.1"))
    assert origins.is_from_here(asked("::1"))
    assert not origins.is_from_here(asked("127.0.0.1", x_forwarded_for="198.51.100.1"))
    assert not origins.is_from_here(asked("192.0.2.1"))


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("ISOCORTEX_READ_LIMIT", "many"),
        ("ISOCORTEX_TRUSTED_PROXIES", "localhost"),
        ("ISOCORTEX_PUBLIC_URL", "example.org"),
        ("ISOCORTEX_SIGN_UP", "maybe"),
    ],
)
def test_a_setting_that_makes_no_sense_stops_the_start(
    empty_home, monkeypatch: pytest.MonkeyPatch, variable: str, text: str
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(InputError, match=variable):
        create_app()


class Shared(MemoryStorage):
    """A storage that all who name it share, as processes share a server; it may be away."""

    STORAGE_SCHEME: ClassVar = ["shared"]
    known: ClassVar[dict[str, MemoryStorage]] = {}
    away: ClassVar[bool] = False

    def __init__(self, uri: str, wrap_exceptions: bool = False, **_: object) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        assert wrap_exceptions  # or errors of its driver would be answers
        self._same = self.known.setdefault(uri, MemoryStorage())

    def acquire_entry(self, *asked: Any, **how: Any) -> bool:
        self._require_there()
        return self._same.acquire_entry(*asked, **how)

    def get_moving_window(self, *asked: Any) -> tuple[float, int]:
        self._require_there()
        return self._same.get_moving_window(*asked)

    def _require_there(self) -> None:
        with pytest.raises(RuntimeError):  # an event loop never waits for another server
            asyncio.get_running_loop()
        if Shared.away:
            raise StorageError(ConnectionError("refused"))


@pytest.fixture
def two_processes(limited: TestClient, monkeypatch: pytest.MonkeyPatch, request) -> Any:
    """Clients of two applications that count together."""
    monkeypatch.setenv("ISOCORTEX_LIMIT_STORAGE", f"shared://{request.node.name}")
    monkeypatch.setattr(Shared, "away", False)
    with TestClient(create_app()) as one, TestClient(create_app()) as other:
        yield one, other


def test_processes_that_share_a_storage_count_together(two_processes: Any) -> None:
    one, other = two_processes
    left = [each.get(f"{API}/health").headers["RateLimit-Remaining"] for each in (one, other, one)]
    assert left == ["2", "1", "0"]
    assert [each.get(f"{API}/health").status_code for each in (one, other)] == [429, 429]


def test_without_a_storage_each_process_counts_for_itself(limited: TestClient) -> None:
    with TestClient(create_app()) as other:
        for each in (limited, other):
            assert [each.get(f"{API}/health").status_code for _ in range(4)] == [200] * 3 + [429]


def test_while_the_storage_is_away_each_process_counts_and_says_so(
    two_processes: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = two_processes
    monkeypatch.setattr(Shared, "away", True)
    for each in (one, other):
        assert [each.get(f"{API}/health").status_code for _ in range(4)] == [200] * 3 + [429]
    warnings = [each.getMessage() for each in caplog.records if "LIMIT_STORAGE" in each.message]
    assert len(warnings) == 2  # once for each process, not for each request
    monkeypatch.setattr(Shared, "away", False)
    later = time.monotonic() + 60
    monkeypatch.setattr(rate_limits.time, "monotonic", lambda: later)
    assert one.get(f"{API}/health").headers["RateLimit-Remaining"] == "2"
    assert other.get(f"{API}/health").headers["RateLimit-Remaining"] == "1"


@pytest.mark.parametrize("address", ["nowhere://secret@x", "//secret", "memcached://secret"])
def test_a_storage_that_can_not_count_stops_the_start_and_its_password_is_not_told(
    empty_home, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("ISOCORTEX_LIMIT_STORAGE", address)
    with pytest.raises(InputError, match="ISOCORTEX_LIMIT_STORAGE") as raised:
        create_app()
    assert "secret" not in str(raised.value)
