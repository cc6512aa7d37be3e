"""A model that is known only by activations that were handed in is marked wherever it is listed."""

import io
import json
from pathlib import Path

import pyarrow.parquet
import pytest
import xarray as xr
from fastapi.testclient import TestClient
from isocortex.web.app import create_app
from sqlalchemy import update
from tests.handed_in import new_account, stored
from tests.jobs.made_up_jobs import outcome
from tests.made_up_scores import benchmark_facts, candidate_facts, record_score
from tests.web.browsers import read_page

from isocortex.store import Store, open_store
from isocortex.store.opening import writing
from isocortex.store.service import Submission

API = "/api/v1"
MARK = "activations only</span>"
BENCHMARK = "faces/IT/rsa"
EVIDENCE = {"ada/given": "activations", "ada/graph": "network", "net": "network"}


def hand_in(store: Store, model: str, kind: str) -> None:
    """A public model of Ada's with a score, submitted as that kind."""
    key = stored(store, "ada", BENCHMARK, model=model).key
    with writing(store.engine) as connection:
        own = update(Submission).where(Submission.key == key)
        connection.execute(own.values(kind=kind))
    store.submissions.publish(key, "public")
    claim = store.queue.claim("worker")
    assert claim is not None
    store.queue.finish(claim.leases[0], outcome(claim))


@pytest.fixture
def client(empty_home: Path) -> TestClient:
    with open_store() as store:
        record_score(store, candidate_facts("net"), benchmark_facts(BENCHMARK))
        new_account(store)
        hand_in(store, "given", "activations")
        hand_in(store, "graph", "onnx")
    return TestClient(create_app())


@pytest.mark.parametrize(
    ("path", "marks"),
    [
        ("/", 1),
        (f"/benchmarks/{BENCHMARK}", 1),
        ("/embed", 1),
        (f"/explore?of={BENCHMARK}", 1),
        ("/models/ada/given", 1),
        ("/models/ada/graph", 0),
    ],
)
def test_pages_mark_it_in_words(client: TestClient, path: str, marks: int) -> None:
    assert read_page(client, path).count(MARK) == marks


@pytest.mark.parametrize("asked", ["", "network", "activations"])
def test_the_leaderboard_can_leave_it_out_or_show_it_alone(client: TestClient, asked: str) -> None:
    wanted = {name for name, found in EVIDENCE.items() if asked in ("", found)}
    html = read_page(client, f"/?evidence={asked}" if asked else "/")
    assert {name for name in EVIDENCE if f'href="/models/{name}"' in html} == wanted
    assert 'name="evidence"' in html
    for path, field in (("leaderboard", "rows"), ("models", "items"), ("scores", "items")):
        query = {"evidence": asked, "limit": 500}
        answer = client.get(f"{API}/{path}", params=query).json()[field]
        found = {one.get("candidate", one.get("name")): one["evidence"] for one in answer}
        assert {name: found[name] for name in found.keys() & EVIDENCE.keys()} == {
            name: EVIDENCE[name] for name in wanted
        }
    ranks = client.get(f"{API}/leaderboard", params={"evidence": asked}).json()["rows"]
    assert len(ranks) == len(wanted)


def test_who_has_only_one_kind_is_not_asked(empty_home: Path) -> None:
    with open_store() as store:
        record_score(store, candidate_facts("net"), benchmark_facts(BENCHMARK))
    assert 'name="evidence"' not in read_page(TestClient(create_app()), "/")


def test_versions_and_single_scores_say_it(client: TestClient) -> None:
    model = client.get(f"{API}/models/ada/given").json()
    assert [one["evidence"] for one in model["versions"]] == ["activations"]
    assert [one["evidence"] for one in model["scores"]] == ["activations"]
    score = client.get(f"{API}/scores/{model['scores'][0]['id']}").json()
    assert score["evidence"] == "activations"


@pytest.mark.parametrize("name", ["leaderboard", "scores"])
def test_files_say_it_of_each_score(client: TestClient, name: str) -> None:
    lines = json.loads(client.get(f"{API}/{name}.json").content)
    assert {line["model"]: line["evidence"] for line in lines} == EVIDENCE
    head, first, *_ = client.get(f"{API}/{name}.csv").text.splitlines()
    assert first.split(",")[head.split(",").index("evidence")] in EVIDENCE.values()
    table = pyarrow.parquet.read_table(io.BytesIO(client.get(f"{API}/{name}.parquet").content))
    assert set(table["evidence"].to_pylist()) == set(EVIDENCE.values())


def test_netcdf_says_it_of_each_model(client: TestClient) -> None:
    found = xr.load_dataset(io.BytesIO(client.get(f"{API}/leaderboard.nc").content))
    labels = {str(one.model.values): str(one.evidence.values) for one in found.model}
    assert labels == EVIDENCE


def test_a_version_that_is_run_here_later_is_no_longer_marked(client: TestClient) -> None:
    with open_store() as store:
        record_score(store, candidate_facts("ada/given", version=2), benchmark_facts(BENCHMARK))
    model = client.get(f"{API}/models/ada/given").json()
    assert [one["evidence"] for one in model["versions"]] == ["network", "activations"]
    assert MARK not in read_page(client, "/")
