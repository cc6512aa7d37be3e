"""The API answers what the store holds, in pages, with ETags, and errors as problems."""

import subprocess
import sys
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.made_up_scores import benchmark_facts, candidate_facts, record_score

from isocortex.errors import StoreError
from isocortex.store import open_store
from isocortex.store.opening import newest_revision

API = "/api/v1"


def get(client: TestClient, path: str, **params: Any) -> Any:
    response = client.get(API + path, params=params)
    assert response.status_code == 200, response.text
    return response.json()


def test_the_web_never_imports_torch() -> None:
    program = "import sys, isocortex.web.app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_leaderboard_has_standings_and_scores(client: TestClient) -> None:
    board = get(client, "/leaderboard")
    assert board["counted"] == ["faces/IT/rsa", "faces/V1/rsa"]
    assert [row["candidate"] for row in board["rows"]] == [
        *("family/best#0", "family/hebb", "family/partial"),
    ]
    assert [row["standing"] and row["standing"]["rank"] for row in board["rows"]] == [1, 2, None]
    assert board["rows"][0]["standing"]["mean"] == pytest.approx(0.6 / 0.8)
    assert board["rows"][0]["scores"]["monkey/IT/rsa"]["value"] is None


def test_the_leaderboard_is_filtered_by_components(client: TestClient) -> None:
    rows = get(client, "/leaderboard", objective="self-supervised", learning_rule="hebbian")["rows"]
    assert [row["candidate"] for row in rows] == ["family/hebb"]


def test_the_leaderboard_is_filtered_by_benchmarks(client: TestClient) -> None:
    board = get(client, "/leaderboard", benchmark=["faces/IT/rsa"])
    assert board["benchmarks"] == ["faces/IT/rsa"]
    assert [row["standing"]["rank"] for row in board["rows"]] == [1, 2, 3]


def test_the_leaderboard_comes_in_pages(client: TestClient) -> None:
    first = client.get(f"{API}/leaderboard", params={"limit": 2})
    second = client.get(first.links["next"]["url"])
    assert [row["candidate"] for row in second.json()["rows"]] == ["family/partial"]
    assert "next" not in second.links


def test_scores_come_in_pages_without_loss(client: TestClient) -> None:
    url, ids = f"{API}/scores?limit=2", []
    while url:
        page = client.get(url)
        ids += [score["id"] for score in page.json()["items"]]
        url = page.links.get("next", {}).get("url")
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 2 + 2 + 1 + 1


def test_scores_are_filtered_by_model_and_benchmark(client: TestClient) -> None:
    (score,) = get(client, "/scores", model="family/hebb", benchmark="faces/V1/rsa")["items"]
    assert (score["raw"], score["value"]) == (0.3, pytest.approx(0.3 / 0.8))
    assert score["ceiling"] == {"lower": 0.5, "upper": 0.8}


def test_a_name_with_slash_and_hash_is_found(client: TestClient) -> None:
    model = get(client, "/models/family/best%230")
    assert model["name"] == "family/best#0"
    assert [score["benchmark"] for score in model["scores"]] == [
        *("faces/IT/rsa", "faces/V1/rsa", "monkey/IT/rsa"),
    ]
    kinds = {part["kind"] for part in model["scores"][0]["parts"]}
    assert kinds == {"layer", "subject", "fold"}


def test_models_that_were_never_scored_are_listed(client: TestClient) -> None:
    items = get(client, "/models", limit=500)["items"]
    scored = {model["name"]: model["scores"] for model in items if model["scores"]}
    assert scored == {"family/best#0": 3, "family/hebb": 2, "family/partial": 1}
    assert [model["name"] for model in items] == sorted(model["name"] for model in items)


def test_models_come_in_pages_by_name(client: TestClient) -> None:
    first = client.get(f"{API}/models", params={"limit": 1})
    second = client.get(first.links["next"]["url"]).json()
    assert first.json()["items"][0]["name"] < second["items"][0]["name"]


def test_benchmarks_join_what_is_offered_with_what_was_used(client: TestClient) -> None:
    items = {one["name"]: one for one in get(client, "/benchmarks")["items"]}
    assert items["faces/IT/rsa"]["candidates"] == 3
    assert items["faces/IT/rsa"]["protocol"] == {"version": 1, "seed": 0}
    assert get(client, "/benchmarks/faces/IT/rsa") == items["faces/IT/rsa"]


@pytest.mark.parametrize(("path", "name"), [("/datasets", "faces"), ("/scorers", "rsa")])
def test_cards_are_listed_with_their_benchmarks(client: TestClient, path: str, name: str) -> None:
    cards = {card["name"]: card for card in get(client, path)["items"]}
    assert "faces/IT/rsa" in cards[name]["benchmarks"]
    assert cards[name]["card"]["name"] == name


def test_components_are_the_ontology(client: TestClient) -> None:
    items = get(client, "/components/learning_rule")["items"]
    assert items[0]["parent"] is None
    assert {"hebbian", "backprop"} <= {term["name"] for term in items}


def test_models_are_compared_pairwise(client: TestClient) -> None:
    models = ["family/best#0", "family/hebb", "family/partial"]
    found = get(client, "/comparisons", model=models)
    assert found["benchmarks"] == ["faces/IT/rsa"]  # the one that has scored all three
    assert [(pair["a"], pair["b"]) for pair in found["pairs"]] == [
        (models[0], models[1]),
        (models[0], models[2]),
        (models[1], models[2]),
    ]
    assert found["pairs"][0]["difference"] == pytest.approx(0.6 - 0.3)
    assert found["pairs"][0]["low"] == pytest.approx(0.3)  # equal draws: nothing varies


def test_health_names_version_and_schema(client: TestClient) -> None:
    assert get(client, "/health")["schema_revision"] == newest_revision()


@pytest.mark.parametrize(
    ("path", "status", "kind", "hint"),
    [
        ("/models/family/bets%230", 404, "unknown-name", "did you mean family/best#0"),
        ("/benchmarks/faces/IT/rsb", 404, "unknown-name", "did you mean faces/IT/rsa"),
        ("/leaderboard?objective=supervisd", 404, "unknown-name", "supervised"),
        ("/leaderboard?limit=0", 422, "invalid-request", "limit"),
        ("/scores?cursor=x", 422, "invalid-input", "cursor"),
        ("/comparisons?model=x", 422, "invalid-request", "model"),
        ("/components/flavour", 422, "invalid-request", "architecture"),
        ("/nothing", 404, "not-found", "openapi.json"),
    ],
)
def test_errors_are_problems(
    client: TestClient, path: str, status: int, kind: str, hint: str
) -> None:
    response = client.get(API + path)
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, problem["status"]) == (status, status)
    assert problem["type"] == f"urn:isocortex:problem:{kind}"
    assert hint in problem["detail"]


def test_writing_is_refused(client: TestClient) -> None:
    response = client.post(f"{API}/models")
    assert (response.status_code, response.headers["allow"]) == (405, "GET")
    assert response.json()["type"].endswith("method-not-allowed")


def test_a_store_that_fails_is_a_problem(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object, **__: object) -> None:
        raise StoreError("the database is locked")

    store = client.app.state.store  # type: ignore[attr-defined]
    for owner, method, path in (
        (store.browsing.watch, "version", "/models"),
        (store, "leaderboard", "/leaderboard"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, method, locked)
            response = client.get(API + path)
        assert (response.status_code, response.json()["detail"]) == (503, "the database is locked")


def test_a_fault_of_ours_tells_nothing(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(client.app.state.store, "leaderboard", broken)  # type: ignore[attr-defined]
    response = client.get(f"{API}/leaderboard")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text


def test_what_has_not_changed_is_not_sent_again(client: TestClient) -> None:
    first = client.get(f"{API}/leaderboard")
    again = client.get(f"{API}/leaderboard", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    with open_store() as store:
        record_score(store, candidate_facts("new"), benchmark_facts("faces/IT/rsa"))
    changed = client.get(f"{API}/leaderboard", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


def test_every_answer_is_protected(client: TestClient) -> None:
    for path in ("/", "/static/style.css", f"{API}/models", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'self'; script-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
