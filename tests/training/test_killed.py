"""A training process that is killed with -9 goes on to the same weights."""

import os
import signal
import subprocess
import sys
import time

import torch
from safetensors.torch import load_file

from isocortex.shipped import network_header
from isocortex.trained import trained_folder
from isocortex.training import Recipe

RECIPE = "conv4/categorise/feedback@digits:smoke#0"


def begin(export):
    command = [sys.executable, "-m", "isocortex.cli", "train", RECIPE, "--export", str(export)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, **quiet)


def test_a_process_that_was_killed_ends_with_the_same_weights(tmp_path, monkeypatch):
    exports = [tmp_path / f"{name}.safetensors" for name in ("killed", "whole")]
    monkeypatch.setenv("ISOCORTEX_HOME", str(tmp_path / "first"))
    folder = trained_folder(Recipe.parse(RECIPE))
    process = begin(exports[0])
    while not list(folder.glob("step-*63.safetensors")):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not exports[0].exists()
    assert begin(exports[0]).wait() == 0
    monkeypatch.setenv("ISOCORTEX_HOME", str(tmp_path / "second"))
    assert begin(exports[1]).wait() == 0
    killed, whole = map(load_file, exports)
    assert all(torch.equal(value, killed[name]) for name, value in whole.items())
    histories = [network_header(each)["history"] for each in exports]
    assert histories[0] == histories[1]
