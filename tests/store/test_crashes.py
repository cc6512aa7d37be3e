"""Processes that are killed, and processes that write at once."""

import os
import signal
import subprocess
import sys

import pytest
from tests.made_up_scores import (
    benchmark_facts,
    candidate_facts,
    made_up_score,
    record_score,
)

from isocortex.errors import StoreError
from isocortex.store import Store, open_store

SCORING = """
import os, signal, sys
from isocortex.store import open_store, running, writing
from tests.made_up_scores import benchmark_facts, candidate_facts, made_up_score

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def die_after(function):
    def wrapped(*arguments, **options):
        function(*arguments, **options)
        die()
    return wrapped

url, stage = sys.argv[1:]
net, faces = candidate_facts(), benchmark_facts()
if stage == "before the transaction":
    writing.finish_run = die
if stage == "before the commit":
    writing.finish_run = die_after(writing.finish_run)
with open_store(url) as store, store.record(net, faces) as run:
    if stage == "while scoring":
        die()
    run.keep(made_up_score(net, faces))
"""

REPEATED = """
import sys
from isocortex.store import open_store
from tests.made_up_scores import benchmark_facts, candidate_facts, record_score

url, own = sys.argv[1:]
with open_store(url) as store:
    for count in range(10):
        record_score(store, candidate_facts(f"net{count}"), benchmark_facts())
        record_score(store, candidate_facts("shared"), benchmark_facts())
"""


def start(program: str, *arguments: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})


@pytest.mark.parametrize("stage", ["while scoring", "before the transaction", "before the commit"])
def test_a_killed_process_leaves_a_running_run_and_no_score(url: str, stage: str) -> None:
    assert start(SCORING, url, stage).wait(60) == -signal.SIGKILL
    with open_store(url) as store:
        assert [run.state for run in store.runs()] == ["running"]
        assert store.scores().scores == ()
        record_score(store, candidate_facts(), benchmark_facts())
        assert [run.state for run in store.runs()] == ["done", "running"]


def test_processes_that_write_at_once_make_nothing_twice(url: str) -> None:
    processes = [start(REPEATED, url, str(number)) for number in range(2)]
    assert [process.wait(120) for process in processes] == [0, 0]
    with open_store(url) as store:
        assert len(store.models()) == 10 + 1
        assert len(store.scores().scores) == 10 + 1
        assert len(store.benchmarks()) == 1
        attempts = [run.attempt for run in store.runs() if run.candidate == "shared"]
        assert sorted(attempts) == list(range(1, 2 * 10 + 1))


def test_a_run_ends_only_once(store: Store) -> None:
    net, faces = candidate_facts(), benchmark_facts()
    with store.record(net, faces) as run:
        run.keep(made_up_score(net, faces))
        with pytest.raises(StoreError, match="ended already"):
            run.keep(made_up_score(net, faces))
    assert len(store.scores().scores) == 1
