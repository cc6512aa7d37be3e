"""Disks that are really full, to the last byte, while workers compute and files are uploaded.

Each case of `full_disk_cases.py` is a run of pytest in namespaces of its own: what it mounts
goes with it, and so do its processes.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.jobs.small_disks import APART, OUTSIDE, mounts_seen, obstacle

CASES = Path(__file__).with_name("full_disk_cases.py")


@pytest.mark.parametrize("case", re.findall(r"^def (test_\w+)", CASES.read_text(), re.MULTILINE))
def test_on_a_disk_without_a_byte_of_room(case: str, tmp_path: Path) -> None:
    if reason := obstacle():
        pytest.skip(reason)
    command = [*APART, sys.executable, "-m", "pytest", f"{CASES}::{case}"]
    options = ["-p", "no:cacheprovider", "-p", "no:xdist", f"--basetemp={tmp_path / 'apart'}"]
    done = subprocess.run(
        [*command, *options],
        capture_output=True,
        text=True,
        env={**os.environ, OUTSIDE: mounts_seen()},
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "small-disk" not in Path("/proc/self/mounts").read_text()
