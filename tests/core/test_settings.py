"""Settings: sizes with units, and what is free of a computer that limits its processes."""

import os
import threading
from pathlib import Path

import pytest

from isocortex import machine, settings
from isocortex.errors import InputError
from isocortex.uncertainty import in_parallel

STAT = "active_file 5\ninactive_file 300\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4GB", 4 * 10**9),
        ("1.5 GiB", 1.5 * 2**30),
        ("2e9", 2 * 10**9),
        ("512mb", 512 * 10**6),
        (" 7 ", 7),
        ("3TiB", 3 * 2**40),
    ],
)
def test_a_size_may_have_a_unit(text, expected):
    assert settings.parse_bytes(text) == expected


@pytest.mark.parametrize("text", ["4 gigs", "GB", "-1GB", "1,5GB", "", "nan", "inf"])
def test_what_is_no_size_says_what_one_looks_like(text, monkeypatch):
    with pytest.raises(InputError, match=rf"--memory is {text!r}; .* such as 4GB"):
        settings.parse_bytes(text, name="--memory")


def test_the_variable_is_named_in_its_error(monkeypatch):
    monkeypatch.setenv("ISOCORTEX_MEMORY_BYTES", "plenty")
    with pytest.raises(InputError, match="ISOCORTEX_MEMORY_BYTES is 'plenty'"):
        settings.memory_bytes()


def test_half_of_what_is_free_is_the_default(monkeypatch):
    monkeypatch.delenv("ISOCORTEX_MEMORY_BYTES", raising=False)
    monkeypatch.setattr(machine, "free_memory", lambda: 10**9)
    assert settings.memory_bytes() == 10**9 // 2


def computer(root: Path, files: dict[str, str]) -> Path:
    files = {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable: 8 kB\n", **files}
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def group(folder: str, limit: str, usage: str) -> dict[str, str]:
    return {
        f"sys/fs/cgroup/{folder}/memory.max": limit,
        f"sys/fs/cgroup/{folder}/memory.current": usage,
        f"sys/fs/cgroup/{folder}/memory.stat": STAT,
    }


def test_without_limits_the_available_memory_is_free(tmp_path):
    assert machine.free_memory(computer(tmp_path, {})) == 8 * 1024


def test_the_limit_of_any_group_around_a_process_counts(tmp_path):
    files = {"proc/self/cgroup": "0::/job/step\n"}
    files |= group("job", "4000\n", "1000\n") | group("job/step", "max\n", "1000\n")
    assert machine.free_memory(computer(tmp_path, files)) == 4000 - 1000 + 300


def test_limits_of_the_first_version_count_as_well(tmp_path):
    folder = "sys/fs/cgroup/memory/job"
    files = {
        "proc/self/cgroup": "5:cpu:/job\n4:memory:/job\n",
        f"{folder}/memory.limit_in_bytes": "5000\n",
        f"{folder}/memory.usage_in_bytes": "4000\n",
        f"{folder}/memory.stat": STAT,
    }
    assert machine.free_memory(computer(tmp_path, files)) == 5000 - 4000 + 300


def test_where_the_system_does_not_say_a_constant_stands_in(tmp_path):
    assert machine.free_memory(tmp_path) == machine.UNKNOWN_MEMORY


def test_a_gigabyte_of_the_disk_is_left_to_others(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 3 * 10**9})
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda folder: usage)
    assert machine.free_disk(tmp_path) == 2 * 10**9


@pytest.mark.parametrize(("told", "expected"), [("3", 3), ("2,4", 2), ("", 8), ("0", 8), ("x", 8)])
def test_threads_are_what_the_process_was_given_or_one_for_each_processor(
    told, expected, monkeypatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert machine.threads() == expected


@pytest.mark.parametrize("share", [1, 2])
def test_as_many_layers_are_compared_at_once_as_there_are_threads(share, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", str(share))

    def met(expected, seconds):
        together = threading.Barrier(expected, timeout=seconds)
        return in_parallel(lambda item: together.wait() >= 0 and item, range(expected))

    assert met(share, 10) == list(range(share))
    with pytest.raises(threading.BrokenBarrierError):
        met(share + 1, 0.2)
