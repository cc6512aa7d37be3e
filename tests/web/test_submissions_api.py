"""Submitting through the API: uploads, submissions, jobs, events, each for its owner alone."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.handed_in import BENCHMARK, new_account, onnx_form, small_onnx, stored
from tests.jobs.made_up_jobs import outcome
from tests.submissions.test_stored import CHECKED

from isocortex.errors import StoreError
from isocortex.store import Store
from isocortex.store.account_records import Scope
from isocortex.submissions.blobs import Blobs

API = "/api/v1"
FILE = b"not much of a file" * 10


@pytest.fixture
def ada(application: FastAPI) -> TestClient:
    """Somebody with a token."""
    return signed_in(application, "ada")


@pytest.fixture
def bob(application: FastAPI) -> TestClient:
    """Somebody else with a token."""
    return signed_in(application, "bob")


@pytest.fixture(scope="module")
def network() -> bytes:
    return small_onnx()


def signed_in(application: FastAPI, name: str, **scopes: Any) -> TestClient:
    _, token = new_account(application.state.store, name, **scopes)
    headers = {"Authorization": f"Bearer {token}"}
    return TestClient(application, headers=headers, raise_server_exceptions=False)


def announce(client: TestClient, content: bytes, kind: str = "onnx") -> dict[str, Any]:
    """A new upload of this content."""
    sha256 = hashlib.sha256(content).hexdigest()
    asked = {"kind": kind, "sha256": sha256, "bytes": len(content)}
    made = client.post(f"{API}/uploads", json=asked)
    assert made.status_code in (200, 201), made.text
    return made.json() | {"status": made.status_code}


def send(client: TestClient, key: str, content: bytes, offset: int = 0, **query: str) -> Any:
    headers = {"Upload-Offset": str(offset)}
    return client.patch(f"{API}/uploads/{key}", content=content, headers=headers, params=query)


def upload(client: TestClient, content: bytes) -> str:
    """The SHA-256 of content that is now there."""
    made = announce(client, content)
    if made["finished_at"] is None:
        assert send(client, made["key"], content).json()["finished_at"]
    return made["sha256"]


def problem(response: Any) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json", response.text
    return response.status_code, response.json()["type"].removeprefix("urn:isocortex:problem:")


def test_a_file_comes_in_pieces_and_goes_on_where_it_ended(ada: TestClient) -> None:
    key = announce(ada, FILE)["key"]
    assert send(ada, key, FILE[:50]).json()["received"] == 50
    again = send(ada, key, FILE[:50])
    assert problem(again) == (409, "conflict")
    assert again.headers["upload-offset"] == "50"
    assert ada.head(f"{API}/uploads/{key}").headers["upload-offset"] == "50"
    assert send(ada, key, FILE[50:], 50).json()["finished_at"] is not None


def test_a_file_that_is_there_need_not_be_sent(ada: TestClient, bob: TestClient) -> None:
    upload(ada, FILE)
    again = announce(ada, FILE)
    assert (again["status"], again["received"]) == (200, len(FILE))
    assert announce(bob, FILE)["received"] == 0  # knowing its checksum is not having it


def test_what_is_not_what_was_announced_is_not_kept(ada: TestClient) -> None:
    made = announce(ada, FILE)
    refused = send(ada, made["key"], FILE[::-1])
    assert problem(refused) == (422, "rejected")
    assert "announced" in refused.json()["faults"][0]
    assert announce(ada, FILE)["received"] == 0


def test_more_than_was_announced_is_refused(ada: TestClient) -> None:
    made = announce(ada, FILE)
    assert problem(send(ada, made["key"], FILE + b"more"))[0] == 422


def test_an_archive_is_refused_by_how_it_begins(ada: TestClient) -> None:
    archive = b"PK\x03\x04" + FILE
    refused = send(ada, announce(ada, archive)["key"], archive, kind="onnx")
    assert problem(refused) == (422, "rejected")
    assert "zip archive" in refused.json()["faults"][0]


def test_an_upload_is_its_owners_alone(ada: TestClient, bob: TestClient) -> None:
    key = announce(ada, FILE)["key"]
    assert problem(bob.get(f"{API}/uploads/{key}")) == (404, "unknown-name")
    assert problem(send(bob, key, FILE)) == (404, "unknown-name")


def test_a_model_is_checked_once_and_submitted_once(ada: TestClient, network: bytes) -> None:
    form = onnx_form(sha256=upload(ada, network))
    dry = ada.post(f"{API}/submissions?dry_run=true", json=form)
    assert (dry.status_code, dry.json()["model"]) == (200, "ada/small")
    assert ada.get(f"{API}/submissions").json()["items"] == []
    first = ada.post(f"{API}/submissions", json=form)
    assert first.status_code == 201
    assert [job["benchmark"] for job in first.json()["jobs"]] == [BENCHMARK]
    more = form | {"benchmarks": ["simulated/IT/cka"]}
    again = ada.post(f"{API}/submissions", json=more)
    assert (again.status_code, again.json()["key"]) == (200, first.json()["key"])
    assert len(again.json()["jobs"]) == 2


def test_a_dry_run_tells_what_it_would_take(
    ada: TestClient, bob: TestClient, store: Store, network: bytes
) -> None:
    stored(store, "bob", BENCHMARK)
    asked = onnx_form(sha256=upload(ada, network), benchmarks=[BENCHMARK, "simulated/IT/cka"])
    plan = ada.post(f"{API}/submissions?dry_run=true", json=asked).json()["plan"]
    (one,) = plan["sets"]
    assert (one["stimuli"], one["passes"], len(one["jobs"])) == ("simulated", 1, 2)
    assert (plan["seconds"], plan["untimed"]) == (0, asked["benchmarks"])
    assert plan["position"] == {"place": 2, "ahead": 1, "starts_in": None, "workers": 0}
    assert [job.model for job in store.queue.jobs()] == ["bob/m"]
    made = ada.post(f"{API}/submissions", json=asked).json()
    claims = [store.queue.claim("one"), store.queue.claim("two")]
    mine = next(claim for claim in claims if claim and claim.submission.key == made["key"])
    store.queue.finish(mine.leases[0], replace(outcome(mine), peak_bytes=2 * 10**9))
    again = ada.post(f"{API}/submissions?dry_run=true", json=asked).json()["plan"]
    assert again["submission"] == made["key"]
    states = [job["state"] for job in again["sets"][0]["jobs"]]
    assert (states, again["passes"], again["position"]) == (["done", "running"], 0, None)
    other = bob.post(
        f"{API}/submissions?dry_run=true", json=asked | {"sha256": upload(bob, network)}
    ).json()["plan"]
    assert (other["seconds"], other["peak_bytes"]) == (2 * 1.5 / 4, 2 * 10**9)
    assert (other["submission"], other["untimed"]) == (None, [])


def test_the_same_content_again_asks_within_the_quota(
    ada: TestClient, store: Store, network: bytes
) -> None:
    form = onnx_form(sha256=upload(ada, network))
    store.submissions.quotas = replace(store.submissions.quotas, queued_jobs=1)
    for status in (201, 200):  # what is there already is nothing more
        assert ada.post(f"{API}/submissions", json=form).status_code == status
    more = form | {"benchmarks": [BENCHMARK, "simulated/IT/cka"]}
    assert problem(ada.post(f"{API}/submissions", json=more)) == (429, "quota")
    assert len(store.queue.jobs()) == 1


def test_every_fault_is_told_at_once(ada: TestClient) -> None:
    form = onnx_form(model="a b", benchmarks=["nothing/IT/rsa"], visibility="secret")
    form["card"]["architecture"] = "residul"
    refused = ada.post(f"{API}/submissions", json=form)
    assert problem(refused) == (422, "rejected")
    places = {fault.partition(":")[0] for fault in refused.json()["faults"]}
    assert places == {"model", "benchmarks", "visibility", "card.architecture", "sha256"}


def test_a_file_of_somebody_else_can_not_be_submitted(
    ada: TestClient, bob: TestClient, network: bytes
) -> None:
    form = onnx_form(sha256=upload(ada, network))
    refused = bob.post(f"{API}/submissions", json=form)
    assert refused.json()["faults"] == [
        f"sha256: you uploaded no file with SHA-256 {form['sha256']}"
    ]


@pytest.mark.parametrize("document", [[], "text", 7, None, {"model": {"a": [1]}}])
def test_what_is_no_form_is_a_problem(ada: TestClient, document: object) -> None:
    assert problem(ada.post(f"{API}/submissions", json=document))[0] == 422


def test_a_request_is_carried_out_once_however_often_it_comes(
    ada: TestClient, store: Store
) -> None:
    key = stored(store).key
    asked = {"json": {"benchmarks": [BENCHMARK]}, "headers": {"Idempotency-Key": "one"}}
    first = ada.post(f"{API}/submissions/{key}/jobs", **asked)
    store.queue.cancel(key)
    again = ada.post(f"{API}/submissions/{key}/jobs", **asked)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    other = asked | {"json": {"benchmarks": ["simulated/IT/cka"]}}
    assert problem(ada.post(f"{API}/submissions/{key}/jobs", **other))[0] == 422


def test_text_that_is_no_text_is_a_fault_like_others(ada: TestClient) -> None:
    headers = {"Idempotency-Key": "one", "Content-Type": "application/json"}
    content = b'{"model": "\\ud800", "kind": "onnx", "card": {"summary": "a\\u0000b"}}'
    refused = ada.post(f"{API}/submissions", content=content, headers=headers)
    assert problem(refused) == (422, "rejected")


def test_a_request_that_failed_is_not_remembered(ada: TestClient, store: Store) -> None:
    key = stored(store).key
    asked = {"json": {"benchmarks": ["nothing/IT/rsa"]}, "headers": {"Idempotency-Key": "one"}}
    for _ in range(2):
        assert problem(ada.post(f"{API}/submissions/{key}/jobs", **asked)) == (422, "rejected")


def test_a_request_that_is_being_carried_out_is_not_begun_again(
    ada: TestClient, store: Store
) -> None:
    key = stored(store).key
    path, body = f"/api/v1/submissions/{key}/jobs", {"benchmarks": [BENCHMARK]}
    text = json.dumps([f"POST {path}?", body], sort_keys=True)
    request_hash = hashlib.sha256(text.encode()).hexdigest()
    assert store.remembered.begin(store.accounts.find("ada").id, "one", request_hash) is None
    waiting = ada.post(path, json=body, headers={"Idempotency-Key": "one"})
    assert problem(waiting) == (409, "conflict")
    assert store.queue.jobs(submission=key) == ()


def test_keys_of_two_accounts_are_two_keys(ada: TestClient, bob: TestClient, store: Store) -> None:
    paths = {name: f"{API}/submissions/{stored(store, name).key}/jobs" for name in ("ada", "bob")}
    asked = {"json": {"benchmarks": [BENCHMARK]}, "headers": {"Idempotency-Key": "one"}}
    for _ in range(2):
        for name, client in (("ada", ada), ("bob", bob)):
            made = client.post(paths[name], **asked)
            assert made.json()["items"][0]["model"] == f"{name}/m"


def test_a_submission_is_published_and_withdrawn(ada: TestClient, store: Store) -> None:
    path = f"{API}/submissions/{stored(store, 'ada', BENCHMARK).key}"
    shown = ada.patch(path, json={"visibility": "public"})
    assert shown.json()["visibility"] == "public"
    gone = ada.delete(path).json()
    assert gone["withdrawn_at"] is not None
    assert [job["state"] for job in gone["jobs"]] == ["cancelled"]
    assert ada.get(f"{API}/submissions").json()["items"] == []
    listed = ada.get(f"{API}/submissions", params={"withdrawn": True}).json()["items"]
    assert [one["key"] for one in listed] == [gone["key"]]


def test_the_file_of_a_withdrawn_submission_is_removed_at_once(
    ada: TestClient, bob: TestClient, store: Store
) -> None:
    for client in (ada, bob):
        sha256 = upload(client, FILE)
    paths = Blobs(store.submissions)
    for name, client in (("ada", ada), ("bob", bob)):
        owner = store.accounts.find(name).id
        key = store.submissions.add(owner, replace(CHECKED, kind="onnx", blob=sha256))[0].key
        assert paths.path(sha256).exists()
        assert client.delete(f"{API}/submissions/{key}").status_code == 200
    assert not paths.path(sha256).exists()


def test_no_answer_names_a_place_on_the_server(
    ada: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreError("the database sqlite:////srv/db.sqlite3 and '/srv/blobs/ab/cd' are full")

    monkeypatch.setattr(Blobs, "begin", full)
    asked = {"kind": "onnx", "sha256": "0" * 64, "bytes": 10}
    refused = ada.post(f"{API}/uploads", json=asked)
    assert problem(refused) == (503, "store-unavailable")
    assert refused.json()["detail"] == "the database of this server and '…/cd' are full"


def test_jobs_are_cancelled_and_run_again(ada: TestClient, store: Store) -> None:
    key = stored(store, "ada", BENCHMARK, "simulated/IT/cka").key
    first, second = ada.get(f"{API}/submissions/{key}/jobs").json()["items"]
    one = ada.post(f"{API}/submissions/{key}/cancel", json={"jobs": [first["id"]]})
    assert [job["id"] for job in one.json()["items"]] == [first["id"]]
    assert ada.get(f"{API}/jobs/{first['id']}").json()["state"] == "cancelled"
    assert ada.get(f"{API}/jobs/{second['id']}").json()["position"]["place"] == 1
    again = ada.post(f"{API}/submissions/{key}/rerun", json={})
    assert [job["state"] for job in again.json()["items"]] == ["queued"]


def test_submissions_and_jobs_come_in_pages_without_loss(ada: TestClient, store: Store) -> None:
    keys = [stored(store, "ada", BENCHMARK, model=f"m{n}").key for n in range(5)]
    assert followed(ada, f"{API}/submissions?limit=2", "key") == keys[::-1]
    jobs = followed(ada, f"{API}/jobs?limit=2&state=queued", "id")
    assert jobs == sorted(jobs, reverse=True)
    assert len(jobs) == 5


def followed(client: TestClient, url: str | None, name: str) -> list[Any]:
    found = []
    while url:
        page = client.get(url)
        found += [item[name] for item in page.json()["items"]]
        url = page.links.get("next", {}).get("url")
    return found


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"visibility": "public"}),
        ("DELETE", "", None),
        ("GET", "/jobs", None),
        ("POST", "/jobs", {"benchmarks": [BENCHMARK]}),
        ("POST", "/cancel", {}),
        ("POST", "/rerun", {}),
        ("GET", "/events", None),
    ],
)
def test_a_submission_is_its_owners_alone(
    bob: TestClient, ada: TestClient, store: Store, method: str, path: str, body: object
) -> None:
    key = stored(store, "ada", BENCHMARK).key
    asked = bob.request(method, f"{API}/submissions/{key}{path}", json=body)
    assert problem(asked) == (404, "unknown-name")
    assert store.submissions.find(key).withdrawn_at is None


def test_a_job_is_its_owners_alone(bob: TestClient, ada: TestClient, store: Store) -> None:
    stored(store, "ada", BENCHMARK)
    (job,) = store.queue.jobs(account=store.accounts.find("ada").id)
    assert problem(bob.get(f"{API}/jobs/{job.id}")) == (404, "unknown-name")
    assert bob.get(f"{API}/jobs").json()["items"] == []


def test_an_admin_sees_all(application: FastAPI, store: Store, ada: TestClient) -> None:
    key = stored(store, "ada").key
    eve = signed_in(application, "eve")
    store.accounts.set_role(store.accounts.find("eve").id, "admin")
    assert eve.get(f"{API}/submissions/{key}").json()["account"] == "ada"


def admin(application: FastAPI, store: Store, *scopes: Scope) -> TestClient:
    """Eve, an admin, with a token of these scopes."""
    account = store.accounts.create("eve", role="admin")
    secret, _ = store.accounts.make_token(account.id, "tests", scopes)
    headers = {"Authorization": f"Bearer {secret}"}
    return TestClient(application, headers=headers, raise_server_exceptions=False)


def test_an_admin_says_what_is_done_first(
    application: FastAPI, store: Store, ada: TestClient, bob: TestClient
) -> None:
    stored(store, "ada", BENCHMARK)
    key = stored(store, "bob", BENCHMARK).key
    eve = admin(application, store, "read", "admin")
    asked = eve.put(f"{API}/submissions/{key}/priority", json={"priority": 5})
    assert [job["priority"] for job in asked.json()["items"]] == [5]
    assert asked.json()["items"][0]["position"]["place"] == 1
    assert bob.get(f"{API}/submissions/{key}").json()["jobs"][0]["priority"] == 5
    claims = [store.queue.claim(name) for name in ("one", "two")]
    assert [claim and claim.submission.account for claim in claims] == ["bob", "ada"]
    (noted,) = store.accounts.audits(action="submission.priority")
    assert (noted.account, noted.target, noted.address) == ("eve", key, "testclient")


def test_nobody_else_says_what_is_done_first(
    application: FastAPI, store: Store, ada: TestClient
) -> None:
    key = stored(store, "ada", BENCHMARK).key
    path, body = f"{API}/submissions/{key}/priority", {"priority": 5}
    for refused in (ada, admin(application, store, "read", "submit")):
        assert problem(refused.put(path, json=body)) == (403, "not-allowed")
    stranger = TestClient(application, raise_server_exceptions=False)
    assert problem(stranger.put(path, json=body))[0] == 401
    assert [job.priority for job in store.queue.jobs()] == [0]
    assert store.accounts.audits(action="submission.priority") == ()


@pytest.mark.parametrize("priority", [1_001, -1_001, 2.5, "high", None])
def test_what_is_no_priority_is_refused(
    application: FastAPI, store: Store, ada: TestClient, priority: object
) -> None:
    path = f"{API}/submissions/{stored(store, 'ada', BENCHMARK).key}/priority"
    eve = admin(application, store, "admin")
    assert problem(eve.put(path, json={"priority": priority}))[0] == 422
    assert problem(eve.put(f"{API}/submissions/nothing/priority", json={"priority": 1}))[0] == 404


def test_jobs_of_others_are_listed_for_admins_alone(
    application: FastAPI, store: Store, ada: TestClient, bob: TestClient
) -> None:
    keys = {name: stored(store, name, BENCHMARK).key for name in ("ada", "bob")}
    eve = admin(application, store, "read")
    for asked in ({"account": "bob"}, {"submission": keys["bob"]}):
        for client in (eve, bob):
            items = client.get(f"{API}/jobs", params=asked).json()["items"]
            assert [job["submission"] for job in items] == [keys["bob"]]
    assert problem(ada.get(f"{API}/jobs", params={"account": "bob"}))[0] == 403
    assert problem(ada.get(f"{API}/jobs", params={"account": "nobody"}))[0] == 403
    assert problem(ada.get(f"{API}/jobs", params={"submission": keys["bob"]}))[0] == 404
    mixed = ada.get(f"{API}/jobs", params={"submission": keys["bob"], "account": "ada"})
    assert mixed.json()["items"] == []
    assert problem(eve.get(f"{API}/jobs", params={"account": "nobody"}))[0] == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/submissions"),
        ("POST", "/submissions"),
        ("POST", "/uploads"),
        ("GET", "/jobs"),
        ("GET", "/webhooks"),
        ("POST", "/webhooks"),
    ],
)
def test_strangers_are_asked_to_sign_in(application: FastAPI, method: str, path: str) -> None:
    stranger = TestClient(application, raise_server_exceptions=False)
    assert problem(stranger.request(method, API + path, json={}))[0] == 401


def test_a_token_that_may_only_read_changes_nothing(application: FastAPI, store: Store) -> None:
    reader = signed_in(application, "ada", scopes=("read",))
    assert reader.get(f"{API}/submissions").status_code == 200
    key = stored(store, "ada", BENCHMARK).key
    assert problem(reader.post(f"{API}/submissions/{key}/cancel", json={}))[0] == 403
    assert problem(reader.delete(f"{API}/submissions/{key}"))[0] == 403


def test_events_come_in_pages(ada: TestClient, store: Store) -> None:
    key = stored(store, "ada", BENCHMARK, "simulated/IT/cka").key
    path = f"{API}/submissions/{key}/events"
    first = ada.get(path, params={"limit": 1}).json()
    second = ada.get(path, params={"limit": 1, "after": first["next"]}).json()
    kinds = [one["kind"] for one in (*first["items"], *second["items"])]
    assert kinds == ["queued", "queued"]
    last = ada.get(path, params={"after": second["next"]}).json()
    assert (last["items"], last["next"]) == ([], second["next"])


def test_a_stream_tells_all_and_ends_with_the_jobs(ada: TestClient, store: Store) -> None:
    key = stored(store, "ada", BENCHMARK).key
    store.queue.cancel(key)
    told = messages(ada, key)
    assert [kind for kind, _, _ in told] == ["queued", "cancelled", "job", "end"]
    assert json.loads(told[2][2])["state"] == "cancelled"


def test_a_stream_goes_on_behind_the_last_event(ada: TestClient, store: Store) -> None:
    key = stored(store, "ada", BENCHMARK).key
    store.queue.cancel(key)
    first = messages(ada, key)[0]
    rest = messages(ada, key, **{"Last-Event-ID": first[1]})
    assert [kind for kind, _, _ in rest] == ["cancelled", "job", "end"]


def messages(client: TestClient, key: str, **headers: str) -> list[tuple[str, str, str]]:
    """The (event, id, data) of a stream that ends."""
    headers = {"Accept": "text/event-stream", **headers}
    answer = client.get(f"{API}/submissions/{key}/events", headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in answer.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line[1:])
        if "event" in fields:
            found.append((fields["event"], fields.get("id", ""), fields["data"]))
    return found
