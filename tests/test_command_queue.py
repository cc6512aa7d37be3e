"""The commands of the queue against a server that runs: they print what they print at home."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from isocortex.web.app import create_app

from isocortex.errors import InputError
from isocortex.store import Store
from tests.handed_in import BENCHMARK, new_account, served, stored
from tests.jobs.made_up_jobs import outcome
from tests.test_command_line import failing, isocortex

OTHER = "simulated/IT/cka"


@pytest.fixture
def application(empty_home: Path) -> FastAPI:
    made = create_app()
    made.state.streams.every = 0.02
    return made


@pytest.fixture
def store(application: FastAPI) -> Store:
    """The store of the server, where Ada has two jobs."""
    found: Store = application.state.store
    new_account(found)
    stored(found, "ada", BENCHMARK, OTHER)
    return found


@pytest.fixture
def server(application: FastAPI, store: Store) -> Iterator[str]:
    with served(application) as address:
        yield address


@pytest.fixture
def away(server: str, store: Store) -> tuple[str, ...]:
    """The options that have a command speak to that server as Ada."""
    return ("--server", server, "--token", token(store, "ada"))


def token(store: Store, name: str, *scopes: str) -> str:
    account = store.accounts.find(name)
    return store.accounts.make_token(account.id, "tests", scopes or ("read", "submit"))[0]


def as_json(*arguments: str) -> Any:
    return json.loads(isocortex(*arguments, "--json"))


def key_of(store: Store) -> str:
    return store.queue.jobs()[0].submission


@pytest.mark.parametrize(
    "command", [("jobs",), ("jobs", "--state", "queued"), ("jobs", "--limit", "1"), ("job", "2")]
)
def test_a_server_shows_what_the_own_store_shows(
    away: tuple[str, ...], command: tuple[str, ...]
) -> None:
    assert isocortex(*command, *away) == isocortex(*command) != ""
    assert as_json(*command, *away) == as_json(*command)


def test_the_server_may_stand_in_the_environment(
    server: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_account(store, "bob")
    stored(store, "bob", BENCHMARK)
    assert len(as_json("jobs")) == 3  # of everybody
    monkeypatch.setenv("ISOCORTEX_SERVER", server)
    monkeypatch.setenv("ISOCORTEX_TOKEN", token(store, "bob"))
    (one,) = as_json("jobs")  # of one's own
    assert one["model"] == "bob/m"


def test_a_list_longer_than_a_page_is_whole(
    away: tuple[str, ...], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isocortex.cli.queueing._PAGE", 2)
    stored(store, "ada", BENCHMARK, OTHER, "simulated/V1/rsa", model="more")
    for place in (away, ()):
        assert [job["id"] for job in as_json("jobs", *place)] == [5, 4, 3, 2, 1]
        assert [job["id"] for job in as_json("jobs", "--limit", "3", *place)] == [5, 4, 3]


def test_jobs_on_a_server_are_cancelled_and_run_again(
    away: tuple[str, ...], store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    isocortex("cancel", "1", *away)
    assert [job.state for job in store.queue.jobs()] == ["queued", "cancelled"]
    isocortex("cancel", key_of(store), *away)
    isocortex("rerun", key_of(store), *away)
    assert {job.state for job in store.queue.jobs()} == {"queued"}
    claim = store.queue.claim("one", most=1)
    assert claim is not None
    store.queue.finish(claim.leases[0], outcome(claim))
    isocortex("rerun", "1", *away)
    assert store.queue.job(1).state == "done"
    isocortex("rerun", "1", "--force", *away)
    assert store.queue.job(1).state == "queued"


@pytest.mark.parametrize("place", ["here", "away"])
def test_a_job_is_followed_until_it_has_ended(
    place: str, away: tuple[str, ...], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its submission has another job, which goes on."""
    monkeypatch.setattr("isocortex.client.local._LOOK_SECONDS", 0.02)
    claim = store.queue.claim("one", most=1)
    assert claim is not None

    def work() -> None:
        try:
            store.queue.log(claim.leases[0], "log", "the model is loaded")
            store.queue.finish(claim.leases[0], outcome(claim))
        finally:
            store.queue.cancel(claim.submission.key, job_ids=[1])  # or it is followed for ever

    later = threading.Timer(0.3, work)
    later.start()
    told = isocortex("job", "1", "--follow", *(away if place == "away" else ()))
    later.join()
    kinds = [line.split()[2] for line in told.splitlines() if line[:2] == "20"]
    assert kinds == ["queued", "started", "log", "done"]
    assert store.queue.job(2).state == "queued"
    facts = as_json("job", "1", "--follow", *(away if place == "away" else ()))
    assert (facts["state"], [one["kind"] for one in facts["events"]]) == ("done", kinds)


def test_a_history_longer_than_a_page_is_told_to_its_end(
    away: tuple[str, ...], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("isocortex.web.submission_answers._MOST_EVENTS", "isocortex.cli.queueing._PAGE"):
        monkeypatch.setattr(module, 2)
    claim = store.queue.claim("one")
    assert claim is not None
    for number in range(5):
        store.queue.log(claim.leases[0], "log", f"line {number}")
    store.queue.fail(claim.leases[0], "enough")
    for follow in ((), ("--follow",)):
        kinds = [one["kind"] for one in as_json("job", "1", *follow, *away)["events"]]
        assert kinds == ["queued", "started", *["log"] * 5, "failed"]


@pytest.mark.parametrize("place", ["here", "away"])
def test_an_admin_says_what_is_done_first(place: str, server: str, store: Store) -> None:
    store.accounts.create("eve", role="admin")
    new_account(store, "bob")
    key = stored(store, "bob", BENCHMARK).key
    options = () if place == "here" else ("--server", server)
    if place == "away":
        options += ("--token", token(store, "eve", "read", "admin"))
    isocortex("prioritise", key, "5", *options)
    assert "queued with priority 5" in " ".join(isocortex("jobs").split())
    shown = as_json("job", "3", *options)
    assert (shown["priority"], [one["kind"] for one in shown["events"]]) == (
        5,
        ["queued", "priority"],
    )
    assert [store.queue.job(one).priority for one in (1, 2, 3)] == [0, 0, 5]
    isocortex("prioritise", "1", "-5", *options)  # by one of its jobs
    assert [store.queue.job(one).priority for one in (1, 2, 3)] == [-5, -5, 5]
    with pytest.raises(InputError, match="priority"):
        isocortex("prioritise", key, "5000", *options)
    claim = store.queue.claim("one")
    assert claim is not None
    assert claim.submission.key == key
    last, first = store.accounts.audits(action="submission.priority")
    assert (first.target, first.detail["priority"], last.detail["priority"]) == (key, 5, -5)
    assert first.account == ("eve" if place == "away" else store.accounts.local_account().name)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("prioritise", "1", "5"), 12, "this needs the scope admin"),
        (("cancel", "99"), 3, "error: there is no job 99"),
        (("rerun", "0nothing"), 3, "0nothing"),
        (("jobs", "--account", "bob"), 12, "only admins see the jobs of other accounts"),
        (("jobs", "--state", "lost"), 7, "its state is queued"),
    ],
)
def test_what_a_server_refuses_is_told_as_here(
    arguments: tuple[str, ...],
    status: int,
    said: str,
    away: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found, text = failing(*arguments, *away, monkeypatch=monkeypatch, capsys=capsys)
    assert (found, said in text) == (status, True), text
    assert "Traceback" not in text


def test_a_server_that_is_not_there_is_told(
    empty_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("isocortex.client.connecting.pause_after", lambda *_: 0.0)
    arguments = ("jobs", "--server", "http://127.0.0.1:9")
    _, text = failing(*arguments, monkeypatch=monkeypatch, capsys=capsys)
    assert "can't be reached" in text


def test_looking_at_jobs_makes_no_account(empty_home: Path, store: Store) -> None:
    before = store.accounts.known()
    isocortex("jobs")
    isocortex("job", "1")
    assert store.accounts.known() == before
