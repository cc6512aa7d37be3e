"""What is asked again and what never is, and how answers become results and errors."""

import json
from typing import Any

import httpx2
import pytest

import isocortex
from isocortex.client import connecting
from isocortex.client.connecting import pause_after
from isocortex.errors import (
    AccessError,
    InputError,
    MismatchError,
    QuotaError,
    RejectedError,
    ServerError,
    StoreError,
    UnknownNameError,
)

SERVER = "http://brains.test"
LIST: dict[str, Any] = {"items": [], "next": None}
JOBS: dict[str, Any] = {"items": []}


class Wire:
    """Answers each request with the next of `answers`, and remembers them all."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, **options: Any) -> isocortex.Client:
        return isocortex.Client(SERVER, transport=httpx2.MockTransport(self), **options)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited for."""
    waited: list[float] = []
    monkeypatch.setattr(connecting.time, "sleep", waited.append)
    return waited


def good(document: object = LIST) -> httpx2.Response:
    return httpx2.Response(200, json=document)


def bad(status: int, kind: str = "internal", **headers: str) -> httpx2.Response:
    problem = {"type": f"urn:isocortex:problem:{kind}", "status": status, "detail": "so it is"}
    headers = {"content-type": "application/problem+json"} | headers
    return httpx2.Response(status, content=json.dumps(problem), headers=headers)


@pytest.mark.parametrize("failure", [bad(503), bad(502), bad(504), httpx2.ConnectError("no")])
def test_what_changes_nothing_is_asked_again(
    failure: httpx2.Response | Exception, pauses: list[float]
) -> None:
    wire = Wire(failure, failure, good())
    assert wire.client().list_jobs().items == []
    assert len(wire.requests) == 3
    assert 0.4 <= pauses[0] <= 0.6 < 0.8 <= pauses[1] <= 1.2


def test_the_server_says_when(pauses: list[float]) -> None:
    wire = Wire(bad(429, "quota-exceeded", **{"retry-after": "7"}), good())
    wire.client().list_jobs()
    assert pauses == [7.0]


def test_nobody_waits_for_ever(pauses: list[float]) -> None:
    wire = Wire(bad(503, **{"retry-after": "86400"}), good())
    wire.client().list_jobs()
    assert pauses == [60.0]
    assert pause_after(50, None) <= 72.0
    late = httpx2.Response(503, headers={"retry-after": "Thu, 01 Jan 2099 00:00:00 GMT"})
    assert pause_after(0, late) == 60.0


def test_tries_end() -> None:
    wire = Wire(*[bad(503, "store-unavailable")] * 9)
    with pytest.raises(StoreError, match="so it is"):
        wire.client(tries=3).list_jobs()
    assert len(wire.requests) == 3
    silent = Wire(*[httpx2.ConnectError("refused")] * 9)
    with pytest.raises(ServerError, match=r"brains\.test can't be reached"):
        silent.client(tries=2).list_jobs()


def test_a_post_that_may_come_once_only_is_never_sent_again() -> None:
    wire = Wire(httpx2.ReadError("broken"), good())
    with pytest.raises(ServerError):
        wire.client().create_webhook("https://example.org/hook")
    assert len(wire.requests) == 1
    assert "idempotency-key" not in wire.requests[0].headers


def test_a_post_with_a_key_is_sent_again_under_the_same_key() -> None:
    wire = Wire(httpx2.ReadError("broken"), bad(503), good(JOBS))
    wire.client().add_jobs("abc", ["faces/IT/rsa"])
    keys = {request.headers["idempotency-key"] for request in wire.requests}
    assert (len(wire.requests), len(keys)) == (3, 1)
    assert {request.content for request in wire.requests} == {b'{"benchmarks":["faces/IT/rsa"]}'}


def test_two_posts_have_two_keys() -> None:
    wire = Wire(good(JOBS), good(JOBS))
    client = wire.client()
    for _ in range(2):
        client.add_jobs("abc", ["faces/IT/rsa"])
    assert len({request.headers["idempotency-key"] for request in wire.requests}) == 2


def test_what_was_deleted_by_a_try_whose_answer_was_lost_is_deleted() -> None:
    Wire(httpx2.ReadError("broken"), bad(404, "unknown-name")).client().delete_webhook("abc")
    with pytest.raises(UnknownNameError):
        Wire(bad(404, "unknown-name")).client().delete_webhook("abc")


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (404, "unknown-name", UnknownNameError),
        (404, "not-found", UnknownNameError),
        (422, "invalid-request", InputError),
        (401, "not-allowed", AccessError),
        (403, "not-allowed", AccessError),
        (403, "forbidden", AccessError),
        (409, "conflict", MismatchError),
        (413, "content-too-large", QuotaError),
        (500, "internal", ServerError),
    ],
)
def test_a_problem_is_the_error_that_it_would_be_here(
    status: int, kind: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match="so it is") as raised:
        Wire(bad(status, kind)).client().list_jobs()
    assert type(raised.value) is error


def test_a_rejection_brings_all_faults() -> None:
    faults = ["card.summary: it is missing", "model: 'a b' is no name"]
    problem = {"type": "urn:isocortex:problem:rejected", "detail": "; ".join(faults)}
    answer = httpx2.Response(
        422,
        content=json.dumps(problem | {"faults": faults}),
        headers={"content-type": "application/problem+json"},
    )
    with pytest.raises(RejectedError) as raised:
        Wire(answer).client().create_submission({"model": "a b"})
    assert raised.value.faults == tuple(faults)


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(500, text="<html>Bad gateway of the cafeteria</html>"),
        httpx2.Response(404, text="nginx"),
        httpx2.Response(302, headers={"location": "https://elsewhere.test/"}),
        httpx2.Response(200, text="<html>Welcome</html>"),
        httpx2.Response(200, json={"something": "else"}),
        httpx2.Response(500, content=b"[", headers={"content-type": "application/problem+json"}),
    ],
)
def test_what_is_no_isocortex_is_told_plainly(answer: httpx2.Response) -> None:
    with pytest.raises(ServerError, match=r"brains\.test"):
        Wire(answer).client(tries=1).list_jobs()


def test_a_redirection_does_not_lead_the_token_astray() -> None:
    wire = Wire(httpx2.Response(307, headers={"location": "https://elsewhere.test/"}), good())
    with pytest.raises(ServerError):
        wire.client(token="iso_secret").list_jobs()
    assert [request.url.host for request in wire.requests] == ["brains.test"]
    with pytest.raises(ServerError, match="answered 302"):  # that nothing is read is no excuse
        Wire(httpx2.Response(302)).client().delete_webhook("abc")


def test_the_token_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(good(), good())
    wire.client(token="iso_secret").list_jobs()
    monkeypatch.setenv("ISOCORTEX_TOKEN", "iso_other")
    wire.client().list_jobs()
    shown = [request.headers["authorization"] for request in wire.requests]
    assert shown == ["Bearer iso_secret", "Bearer iso_other"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("brains.test", "https://brains.test"),
        ("http://brains.test:8000/", "http://brains.test:8000"),
        ("https://brains.test/lab/api/v1", "https://brains.test/lab"),
    ],
)
def test_a_server_is_named_as_people_name_it(address: str, expected: str) -> None:
    assert isocortex.Client(address).server == expected


@pytest.mark.parametrize("address", ["", "ftp://brains.test", "https://"])
def test_what_is_no_address_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISOCORTEX_SERVER", raising=False)
    with pytest.raises(InputError, match="server"):
        isocortex.Client(address)


def test_names_are_written_out_in_paths_and_queries() -> None:
    wire = Wire(good({}), good(LIST))
    client = wire.client(tries=1)
    with pytest.raises(ServerError):
        client.list_stimuli("a b#c:1/../x")
    assert wire.requests[0].url.raw_path.startswith(b"/api/v1/datasets/a%20b%23c:1%2F..%2Fx/")
    client.list_jobs(state=["queued", "done"], limit=3)
    assert wire.requests[1].url.query == b"state=queued&state=done&limit=3"


def test_importing_the_client_is_light() -> None:
    import subprocess
    import sys

    code = (
        "import sys, isocortex; isocortex.Client\n"
        "print([m for m in ('torch', 'fastapi', 'onnxruntime', 'starlette') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
