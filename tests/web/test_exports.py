"""Leaderboards and scores as files say what the API says, in every format."""

import csv
import io
import json
import xml.etree.ElementTree as ElementTree
from typing import Any

import pyarrow.parquet
import pytest
import xarray as xr
from fastapi.testclient import TestClient
from safetensors.numpy import load
from tests.made_up_scores import benchmark_facts, candidate_facts, record_score

from isocortex.store import open_store

API = "/api/v1"
LINES = 3 + 2 + 1
ATOM = "{http://www.w3.org/2005/Atom}"


def fetch(client: TestClient, path: str, **headers: str) -> Any:
    response = client.get(API + path, headers=headers)
    assert response.status_code == 200, response.text
    return response


def read(suffix: str, content: bytes) -> list[dict[str, Any]]:
    if suffix == "csv":
        return list(csv.DictReader(io.StringIO(content.decode())))
    if suffix == "json":
        return json.loads(content)
    if suffix == "ndjson":
        return [json.loads(line) for line in content.splitlines()]
    return pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()


@pytest.mark.parametrize("name", ["leaderboard", "scores"])
@pytest.mark.parametrize("suffix", ["csv", "json", "ndjson", "parquet"])
def test_a_file_has_one_line_for_each_score(client: TestClient, name: str, suffix: str) -> None:
    answer = fetch(client, f"/{name}.{suffix}")
    lines = read(suffix, answer.content)
    assert len(lines) == LINES
    assert f'filename="isocortex-{name}.{suffix}"' in answer.headers["content-disposition"]
    found = {(line["model"], line["benchmark"]): float(line["raw"]) for line in lines}
    assert found["family/hebb", "faces/V1/rsa"] == 0.3


@pytest.mark.parametrize(
    ("accept", "suffix"), [("text/csv", "csv"), ("application/x-ndjson;q=1, */*", "ndjson")]
)
def test_the_format_may_be_asked_for_by_accept(
    client: TestClient, accept: str, suffix: str
) -> None:
    for name in ("leaderboard", "scores"):
        asked = fetch(client, f"/{name}", accept=accept)
        assert asked.content == fetch(client, f"/{name}.{suffix}").content
        assert asked.headers["content-type"].startswith(accept.partition(";")[0])
        assert "accept" in asked.headers["vary"].lower()
        assert fetch(client, f"/{name}").headers["content-type"] == "application/json"


def test_an_empty_leaderboard_is_an_empty_file(empty_client: TestClient) -> None:
    for name in ("leaderboard", "scores"):
        assert fetch(empty_client, f"/{name}.json").json() == []
        assert fetch(empty_client, f"/{name}.csv").content == b""
        assert read("parquet", fetch(empty_client, f"/{name}.parquet").content) == []
    fetch(empty_client, "/leaderboard.nc")


def test_filters_hold_for_files(client: TestClient) -> None:
    lines = fetch(client, "/leaderboard.json?learning_rule=hebbian").json()
    assert {line["model"] for line in lines} == {"family/hebb"}
    assert fetch(client, "/scores.json?model=family/partial").json()[0]["raw"] == -0.1


def test_netcdf_holds_models_by_benchmarks(client: TestClient) -> None:
    found = xr.load_dataset(io.BytesIO(fetch(client, "/leaderboard.nc").content), engine="scipy")
    assert dict(found.sizes) == {"model": 3, "benchmark": 3}
    cell = found.raw.sel(model="family/hebb", benchmark="faces/IT/rsa")
    assert float(cell) == 0.3
    assert bool(found.raw.sel(model="family/hebb", benchmark="monkey/IT/rsa").isnull())
    assert float(found["mean"].sel(model="family/best#0")) == pytest.approx(0.6 / 0.8)


def test_bibtex_cites_what_is_shown(client: TestClient) -> None:
    assert fetch(client, "/leaderboard.bib").text.startswith("@article{nobody2026,")


def test_the_arrays_behind_a_score_can_be_had(client: TestClient) -> None:
    score = fetch(client, "/scores?model=family/hebb").json()["items"][0]
    content = fetch(client, f"/scores/{score['id']}/detail.nc").content
    detail = xr.load_dataset(io.BytesIO(content), engine="scipy")
    assert detail.sizes["resample"] == 200
    arrays = load(fetch(client, f"/scores/{score['id']}/detail.safetensors").content)
    assert arrays["layer_score"].tolist() == detail.layer_score.values.tolist()


def test_no_field_is_a_formula_in_a_spreadsheet(client: TestClient) -> None:
    names = ["=1+1", "+cmd", "-2", "@sum", "\tx"]
    with open_store() as store:
        for name in names:
            record_score(store, candidate_facts(name), benchmark_facts())
    for path in ("leaderboard", "scores"):
        for line in read("csv", fetch(client, f"/{path}.csv").content):
            assert line["model"][0] not in "=+-@\t"
        listed = {line["model"] for line in fetch(client, f"/{path}.json").json()}
        assert set(names) <= listed  # other formats run nothing, and keep names as they are


def test_the_feed_tells_new_scores(client: TestClient) -> None:
    with open_store() as store:
        score_id = record_score(store, candidate_facts("<b>&x"), benchmark_facts(), 0.4)
    feed = ElementTree.fromstring(fetch(client, "/scores.atom").text)
    entries = feed.findall(f"{ATOM}entry")
    assert len(entries) == LINES + 1
    assert entries[0].findtext(f"{ATOM}title") == "<b>&x on faces/IT/rsa"
    assert entries[0].findtext(f"{ATOM}id") == f"http://testserver/api/v1/scores/{score_id}"
