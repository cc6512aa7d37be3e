"""The pages of submissions, without a script: form, faults beside their fields, live status."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from isocortex.web.plan_views import plan_view
from isocortex.web.rendering import anchor
from isocortex.web.submission_forms import (
    EMPTY,
    FIELD_LABELS,
    document_of,
    faults_by_field,
    read_typed,
)
from isocortex.web.submission_views import duration, job_view, size
from sqlalchemy import update
from tests.handed_in import BENCHMARK, onnx_form, small_onnx, stored
from tests.jobs.made_up_jobs import outcome

from isocortex.client.submission_schemas import Job, SubmissionPlan
from isocortex.store import Store
from isocortex.store.opening import writing
from isocortex.store.service import Submission

PASSWORD = "correct horse battery"


@pytest.fixture
def browser(application: FastAPI, store: Store) -> TestClient:
    """A browser in which Ada is signed in."""
    account = store.accounts.create("ada", password=PASSWORD)
    browser = TestClient(application, raise_server_exceptions=False, follow_redirects=False)
    browser.cookies.set("isocortex_session", store.accounts.sign_in(account))
    return browser


def csrf(browser: TestClient, path: str = "/submit") -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get(path).text)
    assert found is not None
    return found[1]


def typed(**changes: Any) -> dict[str, Any]:
    """The form of the small network, as a browser sends it."""
    form = onnx_form()
    fields = {f"card.{name}": text for name, text in form["card"].items()}
    fields |= {f"preprocessing.{name}": str(n) for name, n in form["preprocessing"].items()}
    chosen = {"preprocessing.channels": "RGB", "input.layout": "NCHW", "reference.hub": "timm"}
    named = {"model": "small", "kind": "onnx", "layers": "rectified", "visibility": "private"}
    return {**fields, **chosen, **named, "benchmarks": [BENCHMARK], **changes}


def submit(browser: TestClient, content: bytes | None = None, **changes: Any) -> Any:
    files = {"file": ("small.onnx", content or b"", "application/octet-stream")}
    fields = typed(**changes) | {"csrf": csrf(browser)}
    return browser.post("/submit", data=fields, files=files if content else {"file": ("", b"")})


def test_the_form_offers_the_terms_and_the_benchmarks(browser: TestClient) -> None:
    page = browser.get("/submit").text
    assert '<option value="hebbian">' in page
    assert f'value="{BENCHMARK}"' in page
    assert 'value="plugin"' not in page  # for approved accounts only
    assert 'value="onnx" selected' in page


def test_a_model_is_submitted_by_a_form(browser: TestClient, store: Store) -> None:
    answer = submit(browser, small_onnx())
    assert answer.status_code == 303, answer.text
    page = browser.get(answer.headers["location"]).text
    assert "ada/small" in page
    assert "Of one benchmark: 1 waiting." in page
    (found,) = store.submissions.of_account(store.accounts.find("ada").id)
    assert (found.source["layers"], found.visibility) == (["rectified"], "private")


def test_a_form_can_be_checked_before_it_is_submitted(browser: TestClient, store: Store) -> None:
    answer = submit(browser, small_onnx(), dry_run="yes")
    assert answer.status_code == 200, answer.text
    page = " ".join(answer.text.split())
    assert "No fault was found, and nothing was submitted yet" in page
    assert "It takes one pass of the network to make one score; how long is not known" in page
    assert "If it came now: no worker is running now; it starts when one does." in page
    assert '<th scope="row">simulated</th><td>–</td><td>1</td><td>1</td>' in page
    assert store.submissions.of_account(store.accounts.find("ada").id) == ()
    sha256 = re.search(r'name="sha256" value="([0-9a-f]{64})"', answer.text)
    assert sha256 is not None  # the file need not be sent again
    assert submit(browser, sha256=sha256[1]).status_code == 303
    again = submit(browser, sha256=sha256[1], dry_run="yes").text
    assert "Nothing is left to be scored." in again
    assert "The same content was submitted before; its jobs stay as they are." in again
    assert "1 waiting" in again


def test_a_faulty_form_is_not_planned(browser: TestClient) -> None:
    answer = submit(browser, small_onnx(), model="a b", dry_run="yes")
    assert answer.status_code == 422
    assert "No fault was found" not in answer.text


PLANNED = {"benchmark": BENCHMARK, "state": None, "seconds": 90.0, "peak_bytes": 10**9}


@pytest.mark.parametrize(
    ("jobs", "says"),
    [
        ([], "No benchmark is asked for yet."),
        ([PLANNED | {"state": "done"}], "Nothing is left to be scored."),
        ([PLANNED], "by earlier jobs, about 2 minutes of one worker and 1 GB of memory."),
        ([PLANNED, PLANNED], "by earlier jobs, about 3 minutes of one worker and 1 GB"),
        ([PLANNED | {"seconds": None}], "nothing like it was timed here."),
    ],
)
def test_a_plan_is_told_in_words(jobs: list[dict[str, Any]], says: str) -> None:
    fresh = [one for one in jobs if one["state"] is None]
    untimed = [one["benchmark"] for one in fresh if one["seconds"] is None]
    facts = {"submission": None, "passes": 1, "untimed": untimed, "position": None}
    facts |= {"seconds": sum(one["seconds"] or 0 for one in fresh)}
    facts |= {"peak_bytes": max((one["peak_bytes"] for one in fresh), default=None)}
    sets = [{"stimuli": "simulated", "count": 64, "passes": 1, "jobs": jobs}] if jobs else []
    view = plan_view(SubmissionPlan.model_validate(facts | {"sets": sets}))
    assert says in view.sentences[0]


def test_all_faults_stand_beside_their_fields_and_nothing_typed_is_lost(
    browser: TestClient,
) -> None:
    wrong = {"model": "a b", "card.summary": "<b>bold</b>", "preprocessing.crop": "many"}
    answer = submit(browser, b"PK\x03\x04" + bytes(40), **wrong)
    assert answer.status_code == 422
    for field in ("model", "card-summary", "preprocessing-crop", "file"):
        assert f'id="{field}-fault"' in answer.text
        assert f'href="#{field}"' in answer.text
    assert 'value="many"' in answer.text
    assert 'value="&lt;b&gt;bold&lt;/b&gt;"' in answer.text
    assert "<b>bold" not in answer.text
    assert re.search(rf'value="{BENCHMARK}" checked', answer.text)
    assert "rectified</textarea>" in answer.text


def test_the_summary_of_faults_calls_fields_as_the_form_does_and_leads_to_them(
    browser: TestClient,
) -> None:
    wrong = {"card.licence": "", "preprocessing.resize": "16", "model": "a b"}
    page = submit(browser, small_onnx(), **wrong, **{"reference.name": "x/y"}).text
    summary = page[page.index('id="faults"') : page.index("</section>")]
    told = re.findall(r'<a href="#([^"]+)">([^<]+)</a>: ([^<]+)', summary)
    assert [(place, label) for place, label, _ in told] == [
        ("model", "Name"),
        ("reference", "Where it lies"),
        ("reference-revision", "Revision"),
        ("preprocessing", "From an image to its input"),
        ("card-licence", "Licence"),
    ]
    assert {label: text.strip() for _, label, text in told}["Licence"] == "it is missing"
    for place, _, _ in told:
        assert page.count(f' id="{place}"') == 1
        assert page.count(f' id="{place}-fault"') == 1
        assert re.search(rf'aria-describedby="[^"]*{place}-fault"', page)


def test_a_field_is_described_by_its_hint_and_by_its_faults(browser: TestClient) -> None:
    good = browser.get("/submit").text
    assert re.search(r'id="card-licence"[^>]* aria-describedby="card-licence-hint"', good)
    assert "aria-invalid" not in good
    bad = submit(browser, small_onnx(), **{"card.licence": ""}).text
    described = 'aria-invalid="true" aria-describedby="card-licence-hint card-licence-fault"'
    assert re.search(rf'id="card-licence"[^>]* {described}', bad)
    assert bad.count("aria-invalid") == 1


def test_every_field_of_the_form_has_a_label(browser: TestClient) -> None:
    page = browser.get("/submit").text
    names = set(re.findall(r'<(?:input|select|textarea)[^>]* name="([^"]+)"', page))
    assert names - {"csrf"} <= FIELD_LABELS.keys()
    for name in names - {"csrf", "benchmarks", "visibility"}:
        assert f'<label for="{anchor(name)}">' in page, name


def test_a_file_that_came_once_is_not_asked_for_again(browser: TestClient) -> None:
    answer = submit(browser, small_onnx(), model="a b")
    sha256 = re.search(r'name="sha256" value="([0-9a-f]{64})"', answer.text)
    assert sha256 is not None
    assert "small.onnx is here already" in " ".join(answer.text.split())
    again = submit(browser, sha256=sha256[1])
    assert again.status_code == 303, again.text


def test_a_form_that_is_not_ours_changes_nothing(browser: TestClient, store: Store) -> None:
    key = stored(store, "ada", BENCHMARK).key
    for path in ("withdraw", "cancel", "rerun"):
        forged = browser.post(f"/submissions/{key}/{path}", data={"csrf": "0" * 64})
        assert forged.status_code == 403
    assert store.submissions.find(key).withdrawn_at is None
    assert browser.post("/submit", data=typed()).status_code == 403


def test_strangers_are_led_to_sign_in(application: FastAPI) -> None:
    stranger = TestClient(application, follow_redirects=False)
    for path in ("/submit", "/submissions", "/submissions/abc"):
        assert stranger.get(path).headers["location"].startswith("/sign-in")


def test_a_form_says_how_long_it_is(browser: TestClient) -> None:
    def endless() -> Iterator[bytes]:
        yield b"--x\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert browser.post("/submit", content=endless(), headers=headers).status_code == 411
    headers["Content-Length"] = str(3 * 2**30)
    assert browser.post("/submit", content=b"", headers=headers).status_code == 413


def test_a_page_renews_itself_while_something_runs(browser: TestClient, store: Store) -> None:
    key = stored(store, "ada", BENCHMARK).key
    page = browser.get(f"/submissions/{key}").text
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page
    assert '<script src="/static/live.js" defer></script>' in page
    assert "no worker is running now" in page
    store.queue.cancel(key)
    page = browser.get(f"/submissions/{key}").text
    assert "http-equiv" not in page
    assert "live.js" not in page


def test_jobs_are_cancelled_and_run_again_by_buttons(browser: TestClient, store: Store) -> None:
    key = stored(store, "ada", BENCHMARK, "simulated/IT/cka").key
    first, second = sorted(job.id for job in store.queue.jobs(submission=key))
    token = csrf(browser, f"/submissions/{key}")
    browser.post(f"/submissions/{key}/cancel", data={"csrf": token, "job": first})
    assert (store.queue.job(first).state, store.queue.job(second).state) == ("cancelled", "queued")
    browser.post(f"/submissions/{key}/cancel", data={"csrf": token})
    assert store.queue.job(second).state == "cancelled"
    answer = browser.post(f"/submissions/{key}/rerun", data={"csrf": token, "job": first})
    assert answer.headers["location"] == f"/submissions/{key}"
    assert (store.queue.job(first).state, store.queue.job(second).state) == ("queued", "cancelled")


def test_a_submission_is_shown_published_and_withdrawn(browser: TestClient, store: Store) -> None:
    key = stored(store, "ada", BENCHMARK).key
    token = csrf(browser, f"/submissions/{key}")
    asked = {"csrf": token, "benchmarks": ["simulated/IT/cka"]}
    browser.post(f"/submissions/{key}/benchmarks", data=asked)
    assert len(store.queue.jobs(submission=key)) == 2
    browser.post(f"/submissions/{key}/visibility", data={"csrf": token, "visibility": "public"})
    assert store.submissions.find(key).visibility == "public"
    browser.post(f"/submissions/{key}/withdraw", data={"csrf": token})
    assert "It was withdrawn" in browser.get(f"/submissions/{key}").text
    assert "It was withdrawn" in browser.get("/submissions").text


def test_a_page_is_its_owners_alone(browser: TestClient, store: Store) -> None:
    store.accounts.create("bob", password=PASSWORD)
    key = stored(store, "bob", BENCHMARK).key
    assert browser.get(f"/submissions/{key}").status_code == 404
    token = csrf(browser)
    assert browser.post(f"/submissions/{key}/withdraw", data={"csrf": token}).status_code == 404
    assert store.submissions.find(key).withdrawn_at is None


def test_what_models_say_is_shown_as_text(browser: TestClient, store: Store) -> None:
    key = stored(store, "ada", BENCHMARK).key
    claim = store.queue.claim("worker")
    assert claim is not None
    store.queue.fail(claim.leases[0], "<script>alert(1)</script>")
    page = browser.get(f"/submissions/{key}").text
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)") == 2  # the job, and the log


def test_lists_come_in_pages(browser: TestClient, store: Store) -> None:
    keys = [stored(store, "ada", model=f"m{n}").key for n in range(27)]
    page = browser.get("/submissions").text
    following = re.search(r"/submissions\?before=(\w+)", page)
    assert following is not None
    assert following[1] == keys[2]
    rest = browser.get(f"/submissions?before={keys[2]}").text
    assert [key in rest for key in keys[:3]] == [True, True, False]


def test_a_group_that_only_holds_choices_is_left_out() -> None:
    given = read_typed([("kind", "hub"), ("preprocessing.channels", "RGB"), ("reference.hub", "x")])
    document = document_of(given, sha256=None)
    assert document["reference"] == {"hub": "x"}
    assert "preprocessing" not in document
    filled = read_typed([("kind", "hub"), ("preprocessing.resize", "12")])
    assert document_of(filled, sha256=None)["preprocessing"] == {"resize": 12}


def test_numbers_and_lists_are_read_as_such() -> None:
    given = read_typed(
        [
            ("preprocessing.mean", "0.5, 0.25  1"),
            ("preprocessing.scale", "abc"),
            ("layers", "a\r\n b \n\na"),
            ("benchmarks", "x"),
            ("benchmarks", "y"),
            ("file", object()),
        ]
    )
    document = document_of(given, sha256="0" * 64)
    assert document["preprocessing"] == {"mean": [0.5, 0.25, 1.0], "scale": "abc"}
    assert (document["layers"], document["benchmarks"]) == (["a", "b"], ["x", "y"])
    assert EMPTY["model"] == ""


def test_faults_find_their_fields() -> None:
    faults = ["preprocessing.mean.0: bad", "sha256: none", "preprocessing: crop", "no colon"]
    found = faults_by_field(faults, ["file", "preprocessing.mean"])
    assert list(found) == ["", "file", "preprocessing.mean"]  # as the form has them
    assert found == {
        "preprocessing.mean": ["bad"],
        "file": ["none"],
        "": ["preprocessing: crop", "no colon"],
    }


def job(**changes: Any) -> Job:
    moment = datetime(2026, 11, 22, tzinfo=UTC)
    facts = {"id": 1, "submission": "k", "model": "a/m", "benchmark": BENCHMARK, "priority": 0}
    facts |= {"attempt": 1, "tries": 0, "worker": None, "progress": {}, "error": None}
    facts |= {"score_id": None, "queued_at": moment, "started_at": None, "finished_at": None}
    facts |= {"seconds": None, "peak_bytes": None, "state": "queued"}
    return Job.model_validate(facts | changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"position": (2, 5, 61.0, 1)}, "second in line; starts in about 61 seconds"),
        ({"position": (7, 5, 2.0, 1)}, "number 7 in line; starts at any moment"),
        ({"position": (1, 0, None, 2)}, "first in line"),
        ({"position": (1, 0, None, 0)}, "no worker is running now; it starts when one does"),
        ({}, "it is about to start"),
        (
            {"position": (1, 0, 2.0, 1), "priority": 5},
            "first in line; starts at any moment; priority 5",
        ),
        ({"priority": -5}, "it is about to start; priority -5"),
        (
            {"state": "running", "progress": {"stage": "extracting", "done": 3, "total": 12}},
            "showing it the stimuli: 3 of 12",
        ),
        ({"state": "running", "progress": {}}, "it has begun"),
        ({"state": "failed", "error": "layer x is missing"}, "layer x is missing"),
        ({"state": "done", "progress": {"cpu_seconds": 3}}, ""),
    ],
)
def test_a_job_says_where_it_stands_in_words(changes: dict[str, Any], says: str) -> None:
    if "position" in changes:
        names = ("place", "ahead", "starts_in", "workers")
        changes = changes | {"position": dict(zip(names, changes["position"], strict=True))}
    assert job_view(job(**changes)).says == says


def test_progress_and_resources_are_shown() -> None:
    running = job(state="running", progress={"stage": "scoring", "done": 3, "total": 12})
    assert job_view(running).share == 0.25
    done = job(state="done", seconds=95.0, peak_bytes=1_400_000_000, progress={"cpu_seconds": 3})
    assert job_view(done).spent == "2 minutes, 1.4 GB of memory, 3 seconds of processor time"
    assert (duration(None), size(None), size(12)) == ("", "", "12 bytes")


@pytest.mark.parametrize("kind", ["onnx", "activations"])
def test_a_model_that_was_handed_in_says_so(browser: TestClient, store: Store, kind: str) -> None:
    """Nobody else can compute its scores again, and given activations were run by nobody here."""
    found = stored(store, "ada", BENCHMARK)
    with writing(store.engine) as connection:
        connection.execute(update(Submission).values(kind=kind))
    claim = store.queue.claim("worker")
    assert claim is not None
    store.queue.finish(claim.leases[0], outcome(claim))
    page = browser.get(f"/models/{found.model}").text
    assert "Handed in by the account <code>ada</code>" in page
    assert ("did not run the network" in page) == (kind == "activations")
    assert "isocortex score" not in page
