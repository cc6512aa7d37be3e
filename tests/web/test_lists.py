"""Lists are filtered, sorted, thinned and cut into pages."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from isocortex.web.app import create_app
from tests.made_up_scores import benchmark_facts, candidate_facts, record_score

from isocortex.store import open_store, schema
from isocortex.store.opening import writing

API = "/api/v1"
HEBB, BEST = "family/hebb", "family/best#0"


def get(client: TestClient, path: str, **params: Any) -> Any:
    response = client.get(API + path, params=params)
    assert response.status_code == 200, response.text
    return response.json()


def scored(client: TestClient, **params: Any) -> list[str]:
    items = get(client, "/models", limit=500, **params)["items"]
    return [model["name"] for model in items if model["scores"]]


def test_models_are_filtered_by_components_size_and_words(client: TestClient) -> None:
    assert scored(client, learning_rule="hebbian") == [HEBB]
    assert scored(client, search="HEBB") == [HEBB]
    assert len(scored(client, min_params=1_234_567)) == 3
    assert scored(client, max_params=1_234_566) == []
    assert get(client, "/models", min_params=10**15)["items"] == []  # and nothing of unknown size


def test_models_are_filtered_by_plausibility(client: TestClient) -> None:
    local = {model["learning_rule"] for model in get(client, "/models", property="local")["items"]}
    assert "hebbian" in local
    assert "backprop" not in local
    assert HEBB not in scored(client, property="!local")
    assert BEST in scored(client, property="!local")


def test_scores_are_sorted_by_what_is_asked(client: TestClient) -> None:
    items = get(client, "/scores", sort="-score,name")["items"]
    values = [item["value"] for item in items]
    assert values[-1] is None  # what has no ceiling comes last
    assert values[:-1] == sorted(values[:-1], reverse=True)
    turned = get(client, "/scores", sort="score")["items"]
    assert turned[-1]["value"] is None
    assert turned[0]["value"] == min(values[:-1])


def test_only_the_asked_fields_come(client: TestClient) -> None:
    for path, key in (("/scores", "items"), ("/models", "items")):
        assert all(
            set(one) == {"licence"} or set(one) == {"id"}
            for one in get(client, path, fields="licence" if path == "/models" else "id")[key]
        )
    row = get(client, "/leaderboard", fields="candidate,standing")["rows"][0]
    assert set(row) == {"candidate", "standing"}
    refused = client.get(f"{API}/models?fields=name,flavour")
    assert (refused.status_code, "flavour" in refused.json()["detail"]) == (404, True)


@pytest.mark.parametrize("path", ["/scores", "/models", "/leaderboard"])
def test_pages_hold_each_row_once(client: TestClient, path: str) -> None:
    key = "rows" if path == "/leaderboard" else "items"
    whole = get(client, path, limit=500)[key]
    url, found = f"{API}{path}?limit=2", []
    while url:
        page = client.get(url)
        found += page.json()[key]
        assert (page.json()["next"] is None) == ("next" not in page.links)
        url = page.links.get("next", {}).get("url")
    assert found == whole


def test_a_cursor_holds_for_its_own_request_only(client: TestClient) -> None:
    cursor = get(client, "/scores", limit=1)["next"]
    assert get(client, "/scores", limit=2, fields="id", cursor=cursor)["items"]
    for other in ({"sort": "value"}, {"model": HEBB}):
        assert client.get(f"{API}/scores", params={"cursor": cursor, **other}).status_code == 422
    assert client.get(f"{API}/models", params={"cursor": cursor}).status_code == 422


def test_weights_move_the_mean(client: TestClient) -> None:
    board = get(client, "/leaderboard", weight=["faces/IT~3", "faces~2"])
    assert board["weights"] == {"faces/IT/rsa": 2 * 3, "faces/V1/rsa": 2}
    row = board["rows"][0]
    values = {name: cell["value"] for name, cell in row["scores"].items()}
    mean = (6 * values["faces/IT/rsa"] + 2 * values["faces/V1/rsa"]) / (6 + 2)
    assert row["standing"]["mean"] == pytest.approx(mean)


def test_what_weighs_nothing_is_shown_and_not_counted(client: TestClient) -> None:
    board = get(client, "/leaderboard", weight="faces/V1/rsa~0")
    assert board["counted"] == ["faces/IT/rsa"]
    assert "faces/V1/rsa" in board["rows"][0]["scores"]
    assert [row["standing"]["rank"] for row in board["rows"]] == [1, 2, 3]


@pytest.mark.parametrize("weight", ["faces", "faces~x", "faces~-1", "faces~nan", "faces~inf", "~1"])
def test_weights_that_are_none_are_refused(client: TestClient, weight: str) -> None:
    assert client.get(f"{API}/leaderboard", params={"weight": weight}).status_code in (404, 422)


def test_the_leaderboard_stands_as_of_a_time(client: TestClient) -> None:
    before = get(client, "/scores", limit=1)["items"][0]["scored_at"]
    with open_store() as store:
        record_score(store, candidate_facts("late"), benchmark_facts("faces/IT/rsa"), 0.9)
        record_score(store, candidate_facts(HEBB), benchmark_facts("faces/IT/rsa"), 0.99)
    then = get(client, "/leaderboard", as_of=before)
    assert [row["candidate"] for row in then["rows"]] == [BEST, HEBB, "family/partial"]
    hebb = {row["candidate"]: row for row in then["rows"]}[HEBB]
    assert hebb["scores"]["faces/IT/rsa"]["raw"] == 0.3  # what was replaced since
    assert "late" in {row["candidate"] for row in get(client, "/leaderboard")["rows"]}
    assert get(client, "/leaderboard", as_of="2001-01-01T00:00:00Z")["rows"] == []


@pytest.fixture
def admin(client: TestClient) -> dict[str, str]:
    """The credentials of an administrator."""
    accounts = client.app.state.store.accounts  # type: ignore[attr-defined]
    account = accounts.create("keeper", role="admin")
    secret, _ = accounts.make_token(account.id, "tests", ["read", "submit", "admin"], None)
    return {"Authorization": f"Bearer {secret}"}


def test_a_frozen_leaderboard_stays(client: TestClient, admin: dict[str, str]) -> None:
    wish = {"name": "2026.11", "summary": "All.", "weights": {"faces/IT": 3}}
    made = client.post(f"{API}/leaderboards", json=wish, headers=admin)
    assert made.status_code == 201, made.text
    first = get(client, "/leaderboard", frozen="2026.11")
    with open_store() as store:
        newer = benchmark_facts("faces/IT/rsa", version=2)
        record_score(store, candidate_facts("late"), newer, 0.9)
        record_score(store, candidate_facts(HEBB), benchmark_facts("faces/V1/rsa"), 0.99)
    again = get(client, "/leaderboard", frozen="2026.11")
    assert again["rows"] == first["rows"]
    assert again["weights"] == {"faces/IT/rsa": 3, "faces/V1/rsa": 1}
    assert get(client, "/leaderboards")["items"] == [get(client, "/leaderboards/2026.11")]


def test_only_administrators_freeze(client: TestClient, admin: dict[str, str]) -> None:
    wish = {"name": "mine", "summary": ""}
    assert client.post(f"{API}/leaderboards", json=wish).status_code == 401
    accounts = client.app.state.store.accounts  # type: ignore[attr-defined]
    secret, _ = accounts.make_token(accounts.create("ann").id, "t", ["read", "submit"], None)
    other = {"Authorization": f"Bearer {secret}"}
    assert client.post(f"{API}/leaderboards", json=wish, headers=other).status_code == 403
    assert client.post(f"{API}/leaderboards", json=wish, headers=admin).status_code == 201
    assert client.post(f"{API}/leaderboards", json=wish, headers=admin).status_code == 422


def test_a_score_is_told_down_to_its_parts(client: TestClient) -> None:
    one = get(client, "/scores", model=BEST, benchmark="faces/IT/rsa")["items"][0]
    found = get(client, f"/scores/{one['id']}")
    assert {part["kind"] for part in found["parts"]} == {"layer", "subject", "fold"}
    assert {key: found[key] for key in one} == one
    for bad in (0, 10**6, 2**63, -1, "x"):
        assert client.get(f"{API}/scores/{bad}").status_code in (404, 422)


def test_benchmarks_are_a_tree_with_versions(client: TestClient) -> None:
    tree = get(client, "/benchmark-tree")["items"]
    assert [node["path"] for node in tree] == ["faces", "monkey"]
    assert [node["path"] for node in tree[0]["children"]] == ["faces/IT", "faces/V1"]
    assert tree[0]["benchmarks"] == ["faces/IT/rsa", "faces/V1/rsa"]
    (version,) = get(client, "/benchmark-versions/faces/IT/rsa")["items"]
    assert (version["candidates"], version["protocol"]["version"]) == (3, 1)


def test_benchmarks_are_correlated_over_models(client: TestClient) -> None:
    with open_store() as store:
        for number in range(5):
            for name in ("faces/IT/rsa", "faces/V1/rsa"):
                raw = 0.1 * number
                record_score(store, candidate_facts(f"m{number}"), benchmark_facts(name), raw)
    (found,) = get(client, "/correlations", benchmark=["faces/IT/rsa", "faces/V1/rsa"])["items"]
    assert found["models"] == 5 + 2  # the third of the others lacks one
    assert found["rho"] == pytest.approx(1)  # both rank them alike
    few = get(client, "/correlations", benchmark=["faces/IT/rsa", "monkey/IT/rsa"])["items"]
    assert few[0]["rho"] is None


def test_terms_count_their_models(client: TestClient) -> None:
    terms = {term["name"]: term for term in get(client, "/components/learning_rule")["items"]}
    below = [name for name, term in terms.items() if term["parent"] == "any-rule"]
    whole = get(client, "/models", limit=500)["items"]
    assert terms["any-rule"]["models"] == len(whole)
    assert sum(terms[name]["models"] for name in below) == len(whole)


def test_bulk_rows_that_others_wrote_are_seen(client: TestClient) -> None:
    """New scores are added to what was read before; whatever does not fit is read anew."""
    first = get(client, "/scores", limit=500)["items"]
    with open_store() as store, writing(store.engine) as connection:
        connection.execute(schema.Score.__table__.update().values(is_current=False))
        connection.execute(schema.Revision.__table__.update().values(number=99))
    assert len(first) == 6
    assert get(client, "/scores", limit=500)["items"] == []


def test_a_score_that_is_replaced_is_read_once(client: TestClient) -> None:
    get(client, "/scores")
    with open_store() as store:
        record_score(store, candidate_facts(HEBB), benchmark_facts("faces/V1/rsa"), 0.7)
    items = get(client, "/scores", model=HEBB)["items"]
    assert sorted(item["raw"] for item in items) == [0.3, 0.7]


def test_the_store_that_is_served_is_the_one_asked_for(tmp_path: Path) -> None:
    with TestClient(create_app(f"sqlite:///{tmp_path / 'other.sqlite3'}")) as client:
        assert get(client, "/scores")["items"] == []
