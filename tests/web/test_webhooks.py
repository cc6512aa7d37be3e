"""Webhooks: signed, in order, until they are told, and never inside our own network."""

import hashlib
import hmac
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from isocortex.web import delivering
from isocortex.web.delivering import Delivering, is_public, reachable_address, signature
from tests.handed_in import new_account, stored

from isocortex.errors import InputError, QuotaError
from isocortex.store import Store, open_store
from isocortex.store.webhooks import MOST_FAILURES, MOST_WEBHOOKS

URL = "https://example.org/hook"


@pytest.fixture
def store(empty_home: Path) -> Iterator[Store]:
    """A store with two accounts."""
    with open_store() as opened:
        new_account(opened, "ada")
        new_account(opened, "bob")
        yield opened


class Post:
    """Remembers what is sent, and answers the next of `statuses`, at last 200."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.sent: list[tuple[str, dict[str, Any], dict[str, str]]] = []

    def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        self.sent.append((url, json.loads(body), headers))
        return self.statuses.pop(0) if self.statuses else 200

    @property
    def kinds(self) -> list[list[str]]:
        return [[event["kind"] for event in body["events"]] for _, body, _ in self.sent]


def hook(store: Store, name: str = "ada") -> Any:
    return store.webhooks.add(store.accounts.find(name).id, URL)


def look(deliverer: Delivering) -> int:
    """Two looks: what the first one saw has settled at the second."""
    return deliverer.deliver() + deliverer.deliver()


def test_a_webhook_is_told_what_happens_to_its_owners_submissions(store: Store) -> None:
    stored(store, "ada", "simulated/V1/cka", model="before")
    made, post = hook(store), Post()
    submission = stored(store, "ada", "simulated/V1/cka")
    stored(store, "bob", "simulated/V1/cka")
    deliverer = Delivering(store, send=post)
    assert [deliverer.deliver() for _ in range(2)] == [0, 1]  # what it saw settles first
    store.queue.cancel(submission.key)
    assert look(deliverer) == 1
    assert look(deliverer) == 0
    assert post.kinds == [["queued"], ["cancelled"]]
    url, body, _ = post.sent[0]
    assert (url, body["webhook"]) == (URL, made.key)
    assert body["events"][0]["submission"] == submission.key


def test_a_disabled_account_is_told_nothing(store: Store) -> None:
    made, post = hook(store), Post()
    submission = stored(store, "ada", "simulated/V1/cka")
    owner = store.submissions.find(submission.key).account_id
    store.accounts.disable(owner)
    deliverer = Delivering(store, send=post)
    assert (look(deliverer), post.sent) == (0, [])
    store.accounts.enable(owner)
    assert look(deliverer) == 1
    assert post.sent[0][1]["webhook"] == made.key


def test_a_delivery_is_signed(store: Store) -> None:
    made, sent = hook(store), []
    stored(store, "ada", "simulated/V1/cka")
    look(Delivering(store, send=lambda *posted: sent.append(posted) or 200))
    _, body, headers = sent[0]
    signed = f"{headers['Isocortex-Timestamp']}.".encode() + body
    expected = hmac.new(made.secret.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["Isocortex-Signature"] == f"sha256={expected}"
    assert signature("other", headers["Isocortex-Timestamp"], body) != f"sha256={expected}"


def test_what_failed_comes_again_later_and_later(store: Store) -> None:
    made, post, time = hook(store), Post(500, 302), [0.0]
    stored(store, "ada", "simulated/V1/cka")
    deliverer = Delivering(store, send=post, clock=lambda: time[0])
    assert look(deliverer) == 0
    look(deliverer)
    assert len(post.sent) == 1  # it waits ten seconds
    time[0] = 10.0
    look(deliverer)
    assert len(post.sent) == 2
    time[0] = 10.0 + 19.9
    assert look(deliverer) == 0
    time[0] = 10.0 + 20.0
    assert look(deliverer) == 1
    assert post.kinds == [["queued"]] * 3
    (left,) = store.webhooks.of_account(made.account_id)
    assert left.failures == 0


def test_a_webhook_that_never_answers_is_given_up(store: Store) -> None:
    made, time = hook(store), [0.0]
    stored(store, "ada", "simulated/V1/cka")
    post = Post(*[500] * 100)
    deliverer = Delivering(store, send=post, clock=lambda: time[0])
    for _ in range(MOST_FAILURES + 3):
        look(deliverer)
        time[0] += 1e6
    assert len(post.sent) == MOST_FAILURES
    (left,) = store.webhooks.of_account(made.account_id)
    assert left.disabled_at is not None


def test_an_address_that_is_not_reached_does_not_stop_others(store: Store) -> None:
    hook(store)
    second = store.webhooks.add(store.accounts.find("ada").id, f"{URL}/2")
    stored(store, "ada", "simulated/V1/cka")
    told = []

    def send(url: str, body: bytes, headers: dict[str, str]) -> int:
        if url == URL:
            raise OSError("no route")
        told.append(json.loads(body)["webhook"])
        return 204

    look(Delivering(store, send=send))
    assert told == [second.key]


def test_lines_of_log_are_not_told(store: Store) -> None:
    made, post = hook(store), Post()
    submission = stored(store, "ada", "simulated/V1/cka")
    store.queue.log(submission.key, "log", "a line")
    look(Delivering(store, send=post))
    assert post.kinds == [["queued"]]
    (left,) = store.webhooks.of_account(made.account_id)
    assert left.last_event_id == store.webhooks.newest_event()


def test_an_account_has_ten_webhooks_at_most(store: Store) -> None:
    for _ in range(MOST_WEBHOOKS):
        hook(store)
    with pytest.raises(QuotaError, match="delete one first"):
        hook(store)
    hook(store, "bob")


@pytest.mark.parametrize(
    "number",
    [
        *("127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("0.0.0.0", "100.64.0.1", "224.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "2002:7f00:1::", "64:ff9b::a00:1"),
    ],
)
def test_private_addresses_are_not_public(number: str) -> None:
    assert not is_public(number)


@pytest.mark.parametrize("number", ["93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet_are_public(number: str) -> None:
    assert is_public(number)


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("https://localhost/hook", "not a public address"),
        ("https://127.1/hook", "not a public address"),
        ("https://2130706433/hook", "not a public address"),
        ("https://[::1]/hook", "not a public address"),
        ("https://[::ffff:169.254.169.254]/latest", "not a public address"),
        ("http://93.184.216.34/hook", "only https"),
        ("ftp://93.184.216.34/hook", "only https"),
        ("https://user:word@93.184.216.34/", "no address of a webhook"),
        ("https://93.184.216.34:99999/", "not found"),
        ("https://", "no address of a webhook"),
    ],
)
def test_a_webhook_leads_outside(url: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        reachable_address(url)


def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(host: str, port: int, **_: object) -> list[Any]:
        numbers = ("1.1.1.1", "10.0.0.7")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in numbers]

    monkeypatch.setattr(delivering.socket, "getaddrinfo", answer)
    with pytest.raises(InputError, match=r"10\.0\.0\.7, which is not a public address"):
        reachable_address("https://two-faced.example.org/")


def test_an_operator_may_allow_private_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCORTEX_PRIVATE_WEBHOOKS", "1")
    assert reachable_address("http://127.0.0.1:9/hook") == ("127.0.0.1", "127.0.0.1")


def test_redirections_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCORTEX_PRIVATE_WEBHOOKS", "1")
    asked = []

    class Redirecting(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append((self.path, self.headers["Host"], self.headers["Isocortex-Signature"]))
            self.send_response(302)
            self.send_header("Location", "/secret")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Redirecting) as server:
        Thread(target=server.handle_request).start()
        port = server.server_address[1]
        headers = {"Isocortex-Signature": "sha256=1"}
        status = delivering.post(f"http://localhost:{port}/hook?a=b", b"{}", headers)
    assert status == 302
    assert asked == [("/hook?a=b", f"localhost:{port}", "sha256=1")]


def test_an_answer_that_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """One address that never ends its answer would silence all others."""
    monkeypatch.setenv("ISOCORTEX_PRIVATE_WEBHOOKS", "1")
    monkeypatch.setattr(delivering, "_TIMEOUT", 0.3)
    done = Event()

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            for _ in range(40):
                connection.sendall(b"x")
                if done.wait(0.05):
                    return
            connection.sendall(b"\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=drip, args=(listening,))
        thread.start()
        try:
            with pytest.raises(TimeoutError):
                delivering.post(f"http://localhost:{listening.getsockname()[1]}/", b"{}", {})
        finally:
            done.set()
            thread.join()
