"""Whatever strangers send is refused for what it is, and nothing of it is run or believed."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from isocortex.web import problems
from isocortex.web.app import create_app
from isocortex.web.body_limits import MOST_BYTES, BodyLimited
from isocortex.web.serving import OPTIONS, Impatient
from sqlalchemy import update
from starlette.types import Message
from tests.made_up_scores import fill_store

from isocortex.store import open_store
from isocortex.store.opening import writing
from isocortex.store.schema import now
from isocortex.store.service import Token

API = "/api/v1"
SQL = [
    "' OR '1'='1",
    "'; DROP TABLE score; --",
    "x' UNION SELECT password_hash FROM account --",
    "%",
]
HTML = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "${7*7}"]
FIELDS = {
    "/models": ("search", "architecture", "objective", "sort", "property", "fields", "cursor"),
    "/scores": ("model", "benchmark", "dataset", "search", "diet", "sort", "fields", "cursor"),
    "/leaderboard": ("benchmark", "weight", "frozen", "as_of", "learning_rule", "sort", "fields"),
    "/comparisons": ("model", "benchmark"),
    "/correlations": ("benchmark",),
}
ASKED = [(path, field) for path, fields in FIELDS.items() for field in fields]


def store_of(client: TestClient) -> Any:
    return client.app.state.store  # type: ignore[attr-defined]


@pytest.mark.parametrize(("path", "field"), ASKED)
def test_no_text_is_taken_for_sql_or_html(client: TestClient, path: str, field: str) -> None:
    for text in SQL + HTML:
        response = client.get(API + path, params={field: [text, text + "2"]})
        assert response.status_code in (200, 404, 422)
        assert response.headers["content-type"].split(";")[0] in (
            *("application/json", "application/problem+json"),
        )
        if response.status_code == 200:
            found = response.json()
            assert found.get("items", found.get("rows")) == []
    assert len(client.get(f"{API}/scores").json()["items"]) == 6


@pytest.mark.parametrize("text", HTML)
def test_no_page_repeats_html_that_was_sent(client: TestClient, text: str) -> None:
    paths = ["/", "/models/x", "/benchmarks/x", "/compare", "/explore", "/nothing"]
    for path in paths:
        for name in ("q", "sort", "objective", "model", "data", "frozen", "weight", "col", "x"):
            html = client.get(path, params={name: text}).text
            assert text not in html or text.startswith(("{{", "$"))
            assert "49" not in html or "{{" not in text or "49" in client.get(path).text
    assert "<script>alert" not in client.get(f"/models/{text}").text


@pytest.mark.parametrize(
    "path",
    [
        *("/static/..%2f..%2fpyproject.toml", "/static/%2e%2e/%2e%2e/etc/passwd"),
        *("/static/....//app.py", "/static/..\\app.py", "/static//etc/passwd", "/static/%00"),
        *("/api/v1/models/..%2f..%2fetc%2fpasswd", "/api/v1/models/%00", "/api/v1/models/a%00b"),
        *("/api/v1/benchmarks/%00", "/api/v1/scores/%00", "/api/v1/scores/1%00/detail.nc"),
        *(
            "/api/v1/scores/1/detail.nc%00",
            "/api/v1/leaderboards/..%2f",
            "/api/v1/leaderboards/%00",
        ),
        *("/api/v1/models/" + "a" * 8_000, "/api/v1/benchmark-versions/" + "%C3%28" * 50),
        *("/models/..%2f..%2f", "/models/%00", "/benchmarks/%00", "/api/v1/components/..%2f"),
        *("/api/v1/datasets/..%2f..%2f/stimuli", "/api/v1/datasets/%00/stimuli"),
    ],
)
def test_tricks_with_paths_lead_nowhere(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code in (404, 422)
    assert "root:" not in response.text
    if path.startswith("/api/"):
        assert response.headers["content-type"] == "application/problem+json"


def test_parameters_that_are_too_long_or_hold_nul_are_refused(client: TestClient) -> None:
    for path, field in ASKED:
        for text in ("a" * 5_000, "a\0b"):
            response = client.get(API + path, params={field: ["b", text]})
            assert response.status_code in (404, 422), (path, field)
    many = client.get(f"{API}/leaderboard", params={"benchmark": ["x"] * 3_000})
    assert many.status_code == 422


@pytest.mark.parametrize("token", ["iso_none", "", "x" * 10_000, "é", "' OR 1=1 --", "a\tb"])
def test_a_token_that_is_none_is_refused(client: TestClient, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}".encode()}
    response = client.get(f"{API}/models", headers=headers)  # not the stranger's kept answer
    assert response.status_code == 401
    assert response.json()["type"].startswith("urn:isocortex:problem:")


def test_a_token_that_has_expired_or_was_revoked_is_refused(client: TestClient) -> None:
    accounts = store_of(client).accounts
    account = accounts.create("ann")
    tomorrow = now() + timedelta(days=1)
    secrets = {
        name: accounts.make_token(account.id, name, ["read"], tomorrow)
        for name in ("good", "old", "gone")
    }
    with writing(store_of(client).engine) as connection:
        old = Token.id == secrets["old"][1].id
        connection.execute(update(Token).where(old).values(expires_at=now()))
    accounts.revoke(account.id, secrets["gone"][1].id)
    found = {
        name: client.get(f"{API}/models", headers={"Authorization": f"Bearer {secret}"}).status_code
        for name, (secret, _) in secrets.items()
    }
    assert found == {"good": 200, "old": 401, "gone": 401}


def test_a_body_that_is_too_large_is_refused(client: TestClient) -> None:
    large = b'{"name": "' + b"x" * MOST_BYTES + b'"}'
    parts = (large[first : first + 2**16] for first in range(0, len(large), 2**16))
    for body in (large, parts):  # one that says how large it is, and one that does not
        response = client.post(
            f"{API}/leaderboards", content=body, headers={"Content-Type": "application/json"}
        )
        assert response.status_code == 413, response.text
        assert response.json()["type"] == "urn:isocortex:problem:content-too-large"


@pytest.mark.parametrize("path", ["/work/claims", "/work/beats", "/work/workers", "/work/jobs/1"])
def test_strangers_may_send_no_more_to_workers_routes(client: TestClient, path: str) -> None:
    """The body of a route that takes JSON is read before it is known who sends it."""
    large = (b" " * 2**16 for _ in range(0, 2 * MOST_BYTES, 2**16))
    headers = {"Content-Type": "application/json"}
    assert client.post(API + path, content=large, headers=headers).status_code == 413


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    sent: list[Message] = []

    async def unread() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/api/v1/x", "query_string": b""}
    scope |= {"headers": [(b"content-length", str(MOST_BYTES + 1).encode())]}
    asyncio.run(BodyLimited(FastAPI())(scope, unread, send))
    assert sent[0]["status"] == 413


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[]", b"null", b'{"name": "' + b"[" * 20_000])
def test_a_body_that_is_no_json_of_ours_is_refused(client: TestClient, body: bytes) -> None:
    accounts = store_of(client).accounts
    secret, _ = accounts.make_token(
        accounts.create("keeper", role="admin").id, "t", ["read", "submit", "admin"], None
    )
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    response = client.post(f"{API}/leaderboards", content=body, headers=headers)
    assert response.status_code in (400, 422)
    assert response.headers["content-type"] == "application/problem+json"


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    app = FastAPI()
    problems.handle_errors(app)
    app.add_middleware(BodyLimited, seconds=0.01)

    @app.post("/api/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    sent: list[Message] = []

    async def ask() -> None:
        async def silence() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/api/echo", "headers": []}
        scope |= {"query_string": b"", "root_path": "", "scheme": "http"}
        await app(scope | {"server": ("x", 80), "client": ("x", 1)}, silence, send)

    asyncio.run(asyncio.wait_for(ask(), 20))
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["type"] == "urn:isocortex:problem:request-timeout"


class Hasty(Impatient):
    """A connection that waits for its first request for a moment only."""

    seconds = 0.3


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a running server that has little patience."""
    with pytest.MonkeyPatch.context() as patch, socket.socket() as listening:
        patch.setenv("ISOCORTEX_HOME", str(tmp_path_factory.mktemp("served")))
        with open_store() as store:
            fill_store(store)
        listening.bind(("127.0.0.1", 0))
        listening.listen(500)
        options: dict[str, Any] = {**OPTIONS, "http": Hasty}
        server = uvicorn.Server(uvicorn.Config(create_app(), **options))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


def test_slow_clients_keep_nobody_waiting_and_are_let_go(port: int) -> None:
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
    for each in slow:
        each.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    with socket.create_connection(("127.0.0.1", port)) as quick:
        begun = time.monotonic()
        quick.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        quick.settimeout(20)
        assert quick.recv(100).startswith(b"HTTP/1.1 200")
        assert time.monotonic() - begun < 10
    for each in slow:
        each.settimeout(20)
        assert each.recv(100) == b""  # closed, with nothing said
        each.close()


def test_what_is_no_http_is_refused(port: int) -> None:
    for nonsense in (b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port)) as strange:
            strange.sendall(nonsense)
            strange.settimeout(20)
            answer = strange.recv(100)
            assert answer == b"" or b" 400 " in answer


def test_the_served_application_answers_after_all_that(port: int, tmp_path: Path) -> None:
    with socket.create_connection(("127.0.0.1", port)) as plain:
        plain.sendall(b"HEAD /api/v1/leaderboard HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        plain.settimeout(20)
        answer = b""
        while part := plain.recv(4096):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert body == b""
