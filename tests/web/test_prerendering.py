"""Answers are kept for strangers until the data change, and for nobody else."""

import gzip
import os
from typing import Any

import pytest
from fastapi.testclient import TestClient
from isocortex.web import prerendering
from tests.made_up_scores import benchmark_facts, candidate_facts, record_score
from tests.owned import own

from isocortex.store import open_store

API = "/api/v1"
SECRET = "ann/secret"


def store_of(client: TestClient) -> Any:
    return client.app.state.store  # type: ignore[attr-defined]


@pytest.fixture
def ann(client: TestClient) -> dict[str, str]:
    """The credentials of Ann, who has a private model with scores, alone on one benchmark."""
    store = store_of(client)
    account = store.accounts.create("ann")
    facts = candidate_facts(SECRET, learning_rule="hebbian")
    for name in ("faces/IT/rsa", "faces/V1/rsa", "hidden/IT/rsa"):
        record_score(store, facts, benchmark_facts(name), 0.77)
    own(store, SECRET, account.id, "private")
    secret, _ = store.accounts.make_token(account.id, "tests", ["read"], None)
    return {"Authorization": f"Bearer {secret}"}


PATHS = [
    *("/models?limit=500", "/components/learning_rule", "/benchmarks", "/benchmark-tree"),
    *("/datasets", "/scorers", "/scores", "/scores?benchmark=hidden/IT/rsa", "/leaderboard"),
    *("/leaderboard?benchmark=hidden/IT/rsa", "/leaderboard.csv", "/leaderboard.bib"),
    *("/leaderboard.json", "/leaderboard.ndjson", "/scores.csv", "/scores.json", "/scores.ndjson"),
    *("/scores.atom", "/metrics", "/leaderboards", "/benchmark-versions/hidden/IT/rsa"),
    *("/benchmarks/hidden/IT/rsa", "/correlations?benchmark=faces/IT/rsa&benchmark=faces/V1/rsa"),
    f"/models/{SECRET}",
    f"/scores?model={SECRET}",
    f"/scores.json?model={SECRET}",
    f"/comparisons?model={SECRET}&model=family/hebb",
    f"/comparisons?model={SECRET}&model=family/hebb&benchmark=faces/IT/rsa",
    "/models/ann/secre",
    "/benchmark-versions/hidden/IT/rs",
    "/leaderboard?as_of=2099-01-01T00:00:00Z",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_private_model_leaks_nowhere(client: TestClient, ann: dict[str, str], path: str) -> None:
    """What strangers read is, to the byte, what they would read were the model not there."""
    client.get(API + path, headers=ann)  # whatever is kept of this must not be told
    text = client.get(API + path).text
    echoed = path.replace("%20", " ")
    for trace in ("ann/secret", "0.77"):
        assert text.count(trace) <= (1 + echoed.count(trace) if trace in echoed else 0), text
    if "hidden" in text:
        assert "hidden" in path  # only what was asked for comes back, in the refusal
        assert client.get(API + path).status_code == 404 or '"items":[]' in text


def test_the_parts_of_a_private_score_are_not_told(client: TestClient, ann: dict[str, str]) -> None:
    own = client.get(f"{API}/scores?model={SECRET}", headers=ann).json()["items"]
    assert len(own) == 3
    for path in (f"/scores/{own[0]['id']}", f"/scores/{own[0]['id']}/detail.nc"):
        for query in ("", f"?model={SECRET}"):
            assert client.get(API + path + query, headers=ann).status_code == 200
            assert client.get(API + path + query).status_code == 404


def test_an_unlisted_model_alone_on_a_benchmark_has_its_page(
    client: TestClient, ann: dict[str, str]
) -> None:
    """Its benchmark is told to who knows the model's name, and to nobody else."""
    submissions = store_of(client).submissions
    (submission,) = submissions.of_model(SECRET)
    submissions.publish(submission.key, "unlisted")
    page = client.get(f"/models/{SECRET}")
    assert page.status_code == 200
    assert "hidden/IT/rsa" in page.text
    assert client.get(f"{API}/benchmarks/hidden/IT/rsa").status_code == 404
    assert "hidden/IT/rsa" not in client.get("/models/family/hebb").text


def test_the_owner_sees_her_own(client: TestClient, ann: dict[str, str]) -> None:
    client.get(f"{API}/leaderboard")
    answer = client.get(f"{API}/leaderboard", headers=ann)
    assert SECRET in {row["candidate"] for row in answer.json()["rows"]}
    assert answer.headers["cache-control"] == "private, no-store"
    assert "etag" not in answer.headers
    assert SECRET in client.get(f"{API}/scores.csv", headers=ann).text
    assert client.get(f"{API}/models/{SECRET}", headers=ann).status_code == 200


def test_counts_do_not_tell_of_private_models(client: TestClient, ann: dict[str, str]) -> None:
    benchmark = client.get(f"{API}/benchmarks/faces/IT/rsa").json()
    assert benchmark["candidates"] == 3
    assert client.get(f"{API}/benchmarks/faces/IT/rsa", headers=ann).json()["candidates"] == 4
    terms = client.get(f"{API}/components/learning_rule").json()["items"]
    own = client.get(f"{API}/components/learning_rule", headers=ann).json()["items"]
    seen = {term["name"]: term["models"] for term in terms}["hebbian"]
    assert {term["name"]: term["models"] for term in own}["hebbian"] == seen + 1
    assert "isocortex_models 3.0" in client.get(f"{API}/metrics").text


def test_a_kept_answer_is_the_same_to_the_byte(client: TestClient) -> None:
    for path in ("/leaderboard", "/models", "/leaderboard.csv"):
        first, second = client.get(API + path), client.get(API + path)
        assert first.content == second.content
        kept = {"content-type", "etag", "content-encoding", "content-length", "vary"}
        assert {k: v for k, v in first.headers.items() if k in kept} == {
            k: v for k, v in second.headers.items() if k in kept
        }


def test_it_is_made_once_for_all_strangers(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get(f"{API}/leaderboard")
    monkeypatch.setattr(store_of(client), "leaderboard", None)  # whoever calls it fails
    assert client.get(f"{API}/leaderboard").status_code == 200
    assert client.get(f"{API}/leaderboard?limit=3").status_code == 500


def test_a_kept_answer_goes_with_the_next_score(client: TestClient) -> None:
    client.get(f"{API}/scores")
    with open_store() as store:
        score_id = record_score(store, candidate_facts("new"), benchmark_facts())
    assert client.get(f"{API}/scores").json()["items"][0]["id"] == score_id


def test_compressed_and_plain_are_kept_apart(client: TestClient) -> None:
    answers = {}
    for encoding in ("gzip", "identity", "gzip", "identity"):
        with client.stream(
            "GET", f"{API}/models?limit=500", headers={"Accept-Encoding": encoding}
        ) as answer:
            raw = b"".join(answer.iter_raw())
            zipped = answer.headers.get("content-encoding") == "gzip"
            assert zipped == (encoding == "gzip")
            answers[encoding] = gzip.decompress(raw) if zipped else raw
    assert answers["gzip"] == answers["identity"]


@pytest.mark.parametrize(
    "path", ["/api/v1/leaderboard", "/api/v1/models", "/api/v1/health", "/", "/api/v1/scores.csv"]
)
def test_head_is_get_without_a_body(client: TestClient, path: str) -> None:
    head, got = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "etag", "cache-control"):
        assert head.headers.get(name) == got.headers.get(name)
    assert client.head("/api/v1/models/none").status_code == 404


def test_other_sites_may_read(client: TestClient) -> None:
    origin = {"Origin": "https://lab.example"}
    answer = client.get(f"{API}/leaderboard", headers=origin)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    asked = {**origin, "Access-Control-Request-Method": "GET"}
    assert client.options(f"{API}/leaderboard", headers=asked).status_code == 200


def test_requests_are_counted_by_operation(client: TestClient) -> None:
    client.get(f"{API}/models/family/hebb")
    client.get(f"{API}/models/none")
    client.get("/wp-admin.php")
    text = client.get(f"{API}/metrics").text
    route = 'method="GET",operation="getModel"'
    assert f'isocortex_requests_total{{{route},process="{os.getpid()}",status="200"}} 1.0' in text
    assert f'isocortex_requests_total{{{route},process="{os.getpid()}",status="404"}} 1.0' in text
    assert "wp-admin" not in text
    assert "isocortex_request_seconds_bucket" in text


def test_the_documentation_is_served_by_us(client: TestClient) -> None:
    html = client.get("/api").text
    assert "GET /api/v1/leaderboard" in html.replace("<wbr>", "")
    assert "https://cdn" not in html
    assert "<script" not in html


def test_cookies_in_a_second_line_are_known_as_well(
    client: TestClient, ann: dict[str, str]
) -> None:
    """Else whoever is signed in could have her own page kept for all strangers."""
    accounts = store_of(client).accounts
    session = accounts.sign_in(accounts.find("ann"))
    own = [("Cookie", "theme=dark"), ("Cookie", f"isocortex_session={session}")]
    for path in (f"{API}/models", "/leaderboard.csv"):
        assert SECRET in client.get(path, headers=own).text
        assert client.get(path, headers=own).headers["cache-control"] == "private, no-store"
        client.cookies.clear()
        assert SECRET not in client.get(path).text


def test_long_addresses_count_as_what_is_kept(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prerendering, "_MOST_BYTES", 200_000)
    for number in range(30):
        client.get(f"{API}/benchmarks/faces/IT/rsa?{number}={'x' * 20_000}")
    layer = client.app.middleware_stack  # type: ignore[attr-defined]
    while not isinstance(layer, prerendering.Prerendered):
        layer = layer.app
    assert 0 < sum(len("".join(key)) for key in layer._kept) <= 200_000
