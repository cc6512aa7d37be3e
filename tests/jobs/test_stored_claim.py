"""From a file that was handed in to a score: a real network in a real jail, by a real worker."""

import subprocess
import sys

import pytest
from tests.handed_in import onnx_form, small_onnx

from isocortex import jail
from isocortex.store import Store
from isocortex.submissions.blobs import Blobs
from isocortex.submissions.entering import enter
from isocortex.submissions.forms import SubmissionForm

pytestmark = pytest.mark.skipif(jail.available() is not None, reason="needs a kernel with jails")

BENCHMARKS = ["simulated/V1/cka", "simulated/V1/rsa"]


def test_a_network_that_was_handed_in_is_scored_by_a_worker(small_store: Store, tmp_path) -> None:
    ada = small_store.accounts.create("ada", password="correct horse battery")
    path = tmp_path / "small.onnx"
    path.write_bytes(small_onnx())
    sha256 = Blobs(small_store.submissions).add(ada.id, "onnx", path)
    asked = {"sha256": sha256, "benchmarks": BENCHMARKS, "visibility": "public"}
    form = SubmissionForm(**onnx_form(**asked))
    entered = enter(small_store, ada, form)
    command = [sys.executable, "-m", "isocortex.cli", "worker", "--once"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    jobs = small_store.queue.jobs(submission=entered.submission.key)
    assert [(job.state, job.error) for job in jobs] == [("done", None)] * 2, done.stderr
    scores = small_store.scores().scores
    assert {score.benchmark for score in scores} == set(BENCHMARKS)
    assert {score.candidate for score in scores} == {"ada/small"}
    assert all(job.peak_bytes > 10**8 for job in jobs)
