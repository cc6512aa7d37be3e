"""Journeys through the commands of the queue."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from tests.jobs.made_up_jobs import FACES, PLACES, outcome, queued
from tests.test_command_line import failing, isocortex

from isocortex.store import Store


def test_jobs_are_listed_with_their_state(small_store: Store) -> None:
    key = queued(small_store, FACES, PLACES)
    claim = small_store.queue.claim("one", most=1)
    small_store.queue.fail(claim.leases[0], "no layer is named 'conv9'")
    listed = json.loads(isocortex("jobs", "--json"))
    assert [(each["benchmark"], each["state"]) for each in listed] == [
        (PLACES, "queued"),
        (FACES, "failed"),
    ]
    table = isocortex("jobs", "--submission", key)
    assert "failed: no layer is named 'conv9'" in " ".join(table.split())
    (one,) = json.loads(isocortex("jobs", "--state", "queued", "--account", "ann", "--json"))
    assert one["id"] == 2


def test_a_state_that_is_none_is_told(small_store: Store, monkeypatch, capsys) -> None:
    status, text = failing("jobs", "--state", "lost", monkeypatch=monkeypatch, capsys=capsys)
    assert status == 7
    assert "its state is queued, running, done, failed, dead, cancelled" in text


def test_one_job_is_shown_with_its_place_and_all_that_happened(small_store: Store) -> None:
    key = queued(small_store)
    told = " ".join(isocortex("job", "1").split())
    assert "when a worker is started: none is running" in told
    assert re.search(r"queued\s+queued; no worker is running", told)
    claim = small_store.queue.claim("one")
    small_store.queue.log(claim.leases[0], "log", "the model is loaded")
    small_store.queue.finish(claim.leases[0], outcome(claim))
    facts = json.loads(isocortex("job", "1", "--follow", "--json"))
    assert (facts["state"], facts["seconds"], facts["submission"]) == ("done", 1.5, key)
    assert [each["kind"] for each in facts["events"]] == ["queued", "started", "log", "done"]
    assert "the model is loaded" in isocortex("job", "1", "--follow")


def test_jobs_are_cancelled_and_run_again_by_number_or_submission(small_store: Store) -> None:
    key = queued(small_store, FACES, PLACES)
    isocortex("cancel", "1")
    assert [job.state for job in small_store.queue.jobs()] == ["queued", "cancelled"]
    isocortex("cancel", key)
    isocortex("rerun", key)
    assert {job.state for job in small_store.queue.jobs()} == {"queued"}
    claim = small_store.queue.claim("one", most=1)
    small_store.queue.finish(claim.leases[0], outcome(claim))
    isocortex("rerun", "1")
    assert small_store.queue.job(1).state == "done"
    isocortex("rerun", "1", "--force")
    assert small_store.queue.job(1).state == "queued"


def test_an_unknown_job_is_told(small_store: Store, monkeypatch, capsys) -> None:
    status, text = failing("cancel", "99", monkeypatch=monkeypatch, capsys=capsys)
    assert (status, text) == (3, "error: there is no job 99")


def test_a_worker_that_is_to_stop_when_nothing_is_queued_stops(small_store: Store) -> None:
    command = [sys.executable, "-m", "isocortex.cli", "worker", "--once"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert small_store.queue.workers() == ()
    assert len(small_store.queue.workers(stopped=True)) == 1


def test_a_server_runs_workers_and_stops_them(small_store: Store) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "isocortex.cli", "serve", "--port", str(port)]
    with subprocess.Popen([*command, "--workers", "1"], stderr=subprocess.PIPE) as server:
        deadline = time.monotonic() + 120
        while not small_store.queue.workers():
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
            assert answer.status == 200
        (worker,) = small_store.queue.workers()
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=60)
    assert server.returncode == 0
    assert small_store.queue.workers() == ()
    with pytest.raises(ProcessLookupError):
        os.kill(worker.facts["process"], 0)
