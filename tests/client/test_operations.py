"""Every operation of the API has a method, and each is answered in the form the client knows."""

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from isocortex.web.app import create_app
from tests.handed_in import BENCHMARK, new_account, served, stored
from tests.made_up_scores import fill_store

import isocortex
from isocortex import registry
from isocortex.client.schemas import FrozenRequest
from isocortex.errors import AccessError, InputError, UnknownNameError
from isocortex.store import Store, open_store
from isocortex.submissions import stimulus_sheets


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """The application on the made-up scores."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCORTEX_HOME", str(tmp_path_factory.mktemp("served")))
        with open_store() as store:
            fill_store(store)
        yield create_app()


@pytest.fixture(scope="module")
def store(application: FastAPI) -> Store:
    found: Store = application.state.store
    return found


@pytest.fixture(scope="module")
def client(application: FastAPI, store: Store) -> Iterator[isocortex.Client]:
    account, _ = new_account(store)
    store.accounts.set_role(account.id, "admin")
    scopes = ("read", "submit", "admin")
    secret, _ = store.accounts.make_token(account.id, "admin", scopes)
    with served(application) as address, isocortex.Client(address, token=secret) as opened:
        yield opened


def snake_case(operation: str) -> str:
    return re.sub("([A-Z])", r"_\1", operation).lower()


def operations(application: FastAPI) -> dict[str, Any]:
    paths = application.openapi()["paths"]
    return {one["operationId"]: one for path in paths.values() for one in path.values()}


def test_every_operation_has_a_method(application: FastAPI) -> None:
    missing = [
        name for name in operations(application) if not hasattr(isocortex.Client, snake_case(name))
    ]
    assert missing == []


def test_every_parameter_of_the_api_can_be_given(application: FastAPI) -> None:
    """By its own name, or in the singular or plural of it; headers are the client's business."""
    missing = []
    for name, operation in operations(application).items():
        known = arguments(getattr(isocortex.Client, snake_case(name)))
        for each in operation.get("parameters", []):
            names = {each["name"], each["name"] + "s"}
            if each["in"] == "query" and each["name"] != "fields" and not names & known:
                missing.append((name, each["name"]))
    assert missing == []


def arguments(method: Any) -> set[str]:
    """The names a method takes, those of its TypedDict as well."""
    found = set()
    for name, each in inspect.signature(method, eval_str=True).parameters.items():
        asked = getattr(each.annotation, "__args__", ()) if each.kind is each.VAR_KEYWORD else ()
        found |= set(asked[0].__annotations__) if asked else {name}
    return found


def test_models_and_their_scores_are_read(client: isocortex.Client) -> None:
    model = client.get_model("family/best#0")
    assert [score.benchmark for score in model.scores][:2] == ["faces/IT/rsa", "faces/V1/rsa"]
    names = [one.name for one in client.each(client.list_models, limit=7, search="made-up")]
    assert names == ["family/best#0", "family/hebb", "family/partial"]
    score = client.get_score(model.scores[0].id)
    assert {part.kind for part in score.parts} == {"layer", "subject", "fold"}
    detail = client.load_score_detail(score.id)
    assert detail.sizes["resample"] == 200
    assert client.get_score_detail(score.id, "safetensors")[8:9] == b"{"


def test_benchmarks_and_cards_are_read(client: isocortex.Client) -> None:
    names = {one.name for one in client.list_benchmarks()}
    assert {"faces/IT/rsa", BENCHMARK} <= names
    assert client.get_benchmark("faces/IT/rsa").candidates == 3
    assert {node.path for node in client.get_benchmark_tree()} == {"faces", "monkey"}
    assert len(client.list_benchmark_versions("faces/IT/rsa")) == 1
    assert "faces" in {card.name for card in client.list_datasets()}
    assert "rsa" in {card.name for card in client.list_scorers()}
    assert client.list_components("diet")[0].parent is None
    (found,) = client.correlate_benchmarks(["faces/IT/rsa", "faces/V1/rsa"])
    assert found.models == 2


def test_a_leaderboard_becomes_a_table_and_an_array(client: isocortex.Client) -> None:
    board = client.whole_leaderboard(benchmark=["faces/IT/rsa", "faces/V1/rsa"])
    table = board.table()
    assert list(table.index) == ["family/best#0", "family/hebb", "family/partial"]
    assert table.loc["family/best#0", "faces/IT/rsa"] == pytest.approx(0.6 / 0.8)
    assert table.loc["family/best#0", "rank"] == 1
    array = board.array()
    assert array.sizes == {"candidate": 3, "benchmark": 2, "statistic": 6}
    found = array.sel(candidate="family/hebb", benchmark="faces/V1/rsa", statistic="raw")
    assert float(found) == pytest.approx(0.3)
    assert np.isnan(array.sel(candidate="family/partial", benchmark="faces/V1/rsa")).all()


def test_pages_of_a_leaderboard_are_joined(client: isocortex.Client) -> None:
    first = client.get_leaderboard(limit=2)
    assert (len(first.rows), first.next is None) == (2, False)
    whole = client.whole_leaderboard()
    assert (len(whole.rows), whole.next) == (first.total, None)


def test_lists_become_tables(client: isocortex.Client) -> None:
    scores = client.list_scores(model="family/best#0", sort="benchmark").table()
    assert list(scores["benchmark"]) == ["faces/IT/rsa", "faces/V1/rsa", "monkey/IT/rsa"]
    assert scores["scored_at"].dt.tz is not None
    found = client.compare_models(["family/best#0", "family/hebb"])
    assert list(found.table()["difference"]) == pytest.approx([0.3, 0.3])
    with pytest.raises(InputError, match="Health lists nothing"):
        client.get_health().table()


def test_files_are_fetched(client: isocortex.Client) -> None:
    assert client.export_leaderboard("csv", learning_rule="hebbian").count(b"family/hebb") == 2
    assert client.export_scores("ndjson", model="family/hebb").count(b"\n") == 2
    assert client.get_score_feed().startswith("<?xml")
    assert "isocortex" in client.get_metrics()


def test_a_leaderboard_is_frozen(client: isocortex.Client) -> None:
    wanted = FrozenRequest(name="2026.11", summary="All there is.")
    made = client.freeze_leaderboard(wanted)
    assert client.get_frozen_leaderboard("2026.11") == made
    assert [one.name for one in client.list_frozen_leaderboards()] == ["2026.11"]
    assert len(client.whole_leaderboard(frozen="2026.11").rows) == 3


def test_tokens_are_made_and_revoked(client: isocortex.Client) -> None:
    assert client.get_account().name == "ada"
    made = client.make_token("laptop", ["read"])
    with isocortex.Client(client.server, token=made.secret) as other:
        assert other.list_submissions().items == []
        client.revoke_token(made.id)
        with pytest.raises(AccessError):
            other.list_submissions()
    assert {one.label for one in client.list_tokens()} >= {"laptop", "admin"}


def test_submissions_and_webhooks_are_looked_after(
    client: isocortex.Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = stored(store, "ada", BENCHMARK).key
    assert client.get_submission(key).model == "ada/m"
    assert [job.state for job in client.list_submission_jobs(key).items] == ["queued"]
    (job,) = client.cancel_jobs(key).items
    assert client.get_job(job.id).state == "cancelled"
    assert [one.id for one in client.rerun_jobs(key, [job.id]).items] == [job.id]
    assert len(client.add_jobs(key, ["simulated/IT/cka"]).items) == 1
    assert [one.priority for one in client.prioritise_jobs(key, -3).items] == [-3, -3]
    assert len(client.list_jobs(submission=key, account="ada").items) == 2
    assert {one.state for one in client.list_jobs(state=["queued"]).items} == {"queued"}
    assert [one.kind for one in client.list_events(key, limit=2).items] == ["queued", "cancelled"]
    assert client.change_visibility(key, "public").visibility == "public"
    assert client.withdraw_submission(key).withdrawn_at is not None
    monkeypatch.setenv("ISOCORTEX_PRIVATE_WEBHOOKS", "1")
    made = client.create_webhook("https://127.0.0.1:9/hook")
    assert len(made.secret) == 64
    assert [one.key for one in client.list_webhooks()] == [made.key]
    client.delete_webhook(made.key)
    assert client.list_webhooks() == []


def test_stimuli_are_listed_and_handed_out(client: isocortex.Client) -> None:
    listed = client.list_stimuli("simulated", limit=3)
    assert (listed.total, len(listed.items), listed.next) == (64, 3, 3)
    assert listed.handed_out
    first = listed.items[0]
    content = client.get_stimulus_file("simulated", first.position)
    assert content.startswith(b"\x89PNG")
    with pytest.raises(UnknownNameError):
        client.get_stimulus_file("simulated", 64)
    with pytest.raises(UnknownNameError, match="did you mean simulated"):
        client.list_stimuli("simulatd")


@pytest.mark.parametrize(
    ("dataset", "open_licence"),
    [
        *[("simulated", True), ("haxby2001", True), ("cichy2014", False)],
        *[("kriegeskorte2008", False), ("cowley2023", False)],
    ],
)
def test_images_are_handed_out_by_their_own_licence(dataset: str, open_licence: bool) -> None:
    assert stimulus_sheets.may_hand_out(registry.dataset_card(dataset)) is open_licence


def test_where_the_licence_does_not_allow_it_the_list_says_where_to_go(
    client: isocortex.Client,
) -> None:
    folder = stimulus_sheets.sheet_folder("cichy2014")
    folder.mkdir(parents=True)
    one = {"position": 0, "id": "01-face", "file": "00000.jpg", "sha256": "a" * 64}
    sheet = {"dataset": "cichy2014", "version": 1, "modality": "image", "degrees": 2.9}
    sheet |= {"content_hash": "b" * 64, "licence": "none", "handed_out": False}
    sheet |= {"obtained_from": ["https://example.org/images.zip"]}
    sheet |= {"stimuli": [one | {"width": 175, "height": 175}]}
    (folder / stimulus_sheets.LIST).write_text(json.dumps(sheet))
    listed = client.list_stimuli("cichy2014")
    assert (listed.items[0].address, listed.items[0].sha256) == (None, None)
    assert listed.obtained_from == ["https://example.org/images.zip"]
    with pytest.raises(UnknownNameError, match="no stimulus 0 of cichy2014"):
        client.get_stimulus_file("cichy2014", 0)
