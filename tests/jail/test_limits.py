"""A jailed process ends at its limits, with its trusted side, and without a trace."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isocortex.errors import JailError
from isocortex.jail import Limits, run
from isocortex.jail.limits import check_task

ATTEMPT = "isocortex.jail.trial:attempt"
SMALL = Limits(memory_bytes=2**27, cpu_seconds=20, wall_seconds=20, threads=16)


def ended(source: str, limits: Limits = SMALL, most_bytes: int = 2**30) -> str:
    """What is said of a task that does not come to its end; and nothing of it is left."""
    with run(ATTEMPT, {"source": source}, limits=limits) as jailed:
        while True:
            try:
                jailed.receive(most_bytes=most_bytes)
            except JailError as error:
                said = str(error)
                break
    with pytest.raises(ProcessLookupError):
        os.kill(jailed.process, 0)
    return said


def test_memory_is_refused_beyond_the_limit():
    assert "MemoryError" in ended("answer = len(bytearray(10**11))")


def test_memory_that_is_taken_bit_by_bit_ends_at_the_limit():
    said = ended("kept = []\nwhile True: kept.append(bytearray(10**7))")
    assert f"more than {2**27} bytes of memory" in said


def test_shared_memory_counts_too():
    source = """
import mmap
kept = []
while True:
    kept.append(mmap.mmap(-1, 10**7))
    kept[-1].write(bytes(10**7))
"""
    assert f"more than {2**27} bytes of memory" in ended(source)


def test_processor_time_ends_at_the_limit():
    limits = Limits(cpu_seconds=1, wall_seconds=60)
    assert "more than 1 seconds of processor time" in ended("while True: pass", limits)


def test_a_signal_that_is_not_heard_does_not_prolong_it():
    limits = Limits(cpu_seconds=1, wall_seconds=60)
    source = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    assert "more than 1 seconds of processor time" in ended(source, limits)


QUIET = {
    "sleeps": "import time\ntime.sleep(600)",
    "stops itself": "import signal, os\nsignal.raise_signal(signal.SIGSTOP)",
    "waits for a word": "channel.receive(most_bytes=0)",
    "trickles": """
import os, time
os.write(4, (1000).to_bytes(4, 'little'))
while True:
    os.write(4, b' ')
    time.sleep(.01)
""",
}


@pytest.mark.parametrize("name", QUIET)
def test_a_task_that_does_not_answer_ends_at_the_limit(name):
    limits = Limits(wall_seconds=0.5)
    assert "waited for longer than 0.5 seconds" in ended(QUIET[name], limits)


SPINS = {
    "counts": "sum(range(10**18))",
    "multiplies matrices": "while True: matrix @ matrix",
}


@pytest.mark.parametrize("name", SPINS)
def test_a_call_of_c_that_looks_at_no_signal_ends_within_seconds_of_the_limit(name):
    source = f"import numpy\nmatrix = numpy.ones((2000, 2000))\nchannel.send({{}})\n{SPINS[name]}"
    with run(ATTEMPT, {"source": source}, limits=Limits(wall_seconds=3)) as jailed:
        jailed.receive(most_bytes=0)
        began = time.monotonic()
        with pytest.raises(JailError, match="waited for longer than 3 seconds"):
            jailed.receive(most_bytes=0)
        assert time.monotonic() - began < 10
        with pytest.raises(ProcessLookupError):
            os.kill(jailed.process, 0)


def test_time_in_which_nobody_waits_does_not_count():
    source = "channel.receive(most_bytes=0)"
    with run(ATTEMPT, {"source": source}, limits=Limits(wall_seconds=0.5)) as jailed:
        time.sleep(0.7)
        jailed.send({})
        assert jailed.receive(most_bytes=0)[0] == {"answer": None}


def test_threads_end_at_the_limit():
    source = """
import threading, time
threading.stack_size(65536)
for _ in range(10000):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
time.sleep(60)
"""
    said = ended(source)
    assert "more than 16 threads" in said


def test_a_few_threads_may_run():
    source = """
import threading
seen = []
threads = [threading.Thread(target=seen.append, args=(i,)) for i in range(8)]
for each in threads: each.start()
for each in threads: each.join()
answer = sorted(seen)
"""
    with run(ATTEMPT, {"source": source}, limits=SMALL) as jailed:
        assert jailed.receive(most_bytes=0)[0]["answer"] == list(range(8))


def test_endless_answers_end_at_the_limit():
    limits = Limits(output_bytes=10**6, wall_seconds=20)
    assert "it sent more than 1000000 bytes" in ended("while True: channel.send({})", limits)


def test_an_answer_larger_than_all_that_is_left_is_refused():
    source = "import numpy\nchannel.send({}, {'x': numpy.zeros(10**6)})"
    assert "arrays of 8000000 bytes are declared" in ended(source, Limits(output_bytes=10**6))


def test_endless_prints_are_not_kept():
    source = "import sys\nfor _ in range(200): sys.stderr.write('x' * 99_999 + '\\x1b\\n')\n1 / 0"
    said = ended(source)
    assert "ZeroDivisionError" in said
    assert len(said) < 4000


def test_the_last_words_of_a_crash_are_told_in_plain_characters():
    source = "import os\nos.write(2, b'\\x1b[31mno\\nmore')\nos.abort()"
    said = ended(source)
    assert "gave up (abort)" in said
    assert "its last words: [31mno more" in said


ENDS = {
    "leaves": ("import os\nos._exit(3)", "ended by itself, with status 3"),
    "leaves politely": ("raise SystemExit", "SystemExit"),
    "crashes": ("import ctypes\nctypes.string_at(0)", "segmentation fault"),
    "closes its pipe": ("import os, time\nos.close(4)\ntime.sleep(600)", "closed its pipe"),
    "fails": ("raise ValueError('no \\x1b\\ud800\\0good')", "ValueError: no"),
    "fails at length": ("raise ValueError('x' * 10**7)", "ValueError: "),
    "says nothing more": ("answer = 1", "ended without an answer"),
    "sends nonsense": ("import os\nos.write(4, b'\\7\\0\\0\\0garbage')", "not plain JSON"),
    "sends another kind": ("channel.send({}, kind='closed')", "unknown kind"),
    "fails without form": (
        "channel.send({'error': {}, 'text': 7, 'places': ['x'], 'number': []}, kind='failed')",
        "no reason given",
    ),
    "announces an endless header": ("import os\nos.write(4, b'\\xff' * 8)", "was announced"),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_end_of_a_task_is_explained(name):
    source, expected = ENDS[name]
    said = ended(source)
    assert expected in said
    assert said.isprintable()


def test_a_refused_call_is_named():
    said = ended("open('/etc/passwd')")
    assert "the jail forbids what <module> in attempt, line 1 asked for" in said


def test_a_failure_is_told_even_while_the_trusted_side_is_sending():
    with (
        run(ATTEMPT, {"source": "raise ValueError('no good')"}) as jailed,
        pytest.raises(JailError, match="failed: ValueError: no good"),
    ):
        send_for_ever(jailed)


def send_for_ever(jailed) -> None:
    while True:
        jailed.send({"more": "x" * 10**5})


def test_what_was_used_is_told():
    source = "kept = bytearray(30_000_000)\nfor i in range(10**6): pass\nchannel.send({})\n"
    source += "channel.receive(most_bytes=0)"
    with run(ATTEMPT, {"source": source}) as jailed:
        jailed.receive(most_bytes=0)
        while jailed.peak_bytes < 30_000_000:
            time.sleep(0.005)
        assert jailed.cpu_seconds > 0
    assert jailed.cpu_seconds > 0
    assert 30_000_000 <= jailed.peak_bytes < 100_000_000


def test_a_process_that_somebody_else_waited_for_is_told():
    with run(ATTEMPT, {"source": "channel.receive(most_bytes=0)"}) as jailed:
        before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        try:
            os.kill(jailed.process, signal.SIGKILL)
            with pytest.raises(JailError, match="somebody else had waited for it"):
                jailed.receive(most_bytes=0)
        finally:
            signal.signal(signal.SIGCHLD, before)


def test_nothing_is_left_open_on_the_trusted_side():
    before = {*Path("/proc/self/fd").iterdir()}
    with run("isocortex.jail.trial:nothing", {}) as jailed:
        jailed.receive(most_bytes=0)
    assert {*Path("/proc/self/fd").iterdir()} == before


def test_the_process_ends_with_the_block_even_if_that_fails():
    with pytest.raises(ZeroDivisionError), run(ATTEMPT, {"source": "while True: pass"}) as jailed:
        1 / 0  # noqa: B018
    with pytest.raises(ProcessLookupError):
        os.kill(jailed.process, 0)


def test_the_process_ends_with_its_parent():
    code = """
import sys, time
from isocortex.jail import run
with run("isocortex.jail.trial:attempt", {"source": "import time\\ntime.sleep(600)"}) as jailed:
    print(jailed.process, flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        handle = os.pidfd_open(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
        assert select.select([handle], [], [], 20)[0] == [handle]
        os.close(handle)


TASKS = ["os:system", "isocortex.jail.trial", "isocortex.store.opening:x", "isocortex.jail:x:y"]


@pytest.mark.parametrize(
    "name", [*TASKS, "isocortex.jail.../x:y", "isocortex.jail.trial:nothing\n"]
)
def test_only_our_own_tasks_are_run(name):
    with pytest.raises(JailError, match="no task of a jail is named"):
        check_task(name)
    with pytest.raises(JailError, match="no task of a jail is named"), run(name, {}):
        pass


@pytest.mark.parametrize("name", ["memory_bytes", "cpu_seconds", "wall_seconds", "threads"])
def test_a_limit_is_more_than_nothing(name):
    with pytest.raises(JailError, match=name):
        Limits(**{name: 0})


def test_only_plain_files_are_handed_over(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(__file__)
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "link", tmp_path / "none"):
        with pytest.raises((JailError, OSError)), run(ATTEMPT, {}, files={"given": path}):
            pass


def test_many_files_arrive_under_their_names(tmp_path):
    files = {f"file {number}": tmp_path / str(number) for number in range(40)}
    for name, path in files.items():
        path.write_text(name)
    source = "answer = all(file.read() == name.encode() for name, file in files.items())"
    with run(ATTEMPT, {"source": source}, files=files) as jailed:
        assert jailed.receive(most_bytes=0)[0]["answer"] is True


def test_the_environment_holds_nothing_of_ours(monkeypatch):
    monkeypatch.setenv("ISOCORTEX_DATABASE", "postgresql://user:secret@host/db")
    with run(ATTEMPT, {"source": "import os\nanswer = dict(os.environ)"}) as jailed:
        found = jailed.receive(most_bytes=0)[0]["answer"]
    expected = {"HOME", "LANG", "LC_CTYPE", "USER", "LD_LIBRARY_PATH"}
    assert found.keys() <= {*expected, "ORT_DISABLE_TELEMETRY", "OPENBLAS_NUM_THREADS"}


def test_only_the_pipes_and_the_files_are_open(tmp_path):
    path = Path(__file__)
    source = """
import os
answer = []
for number in range(256):
    try: os.fstat(number)
    except OSError: continue
    answer.append(number)
"""
    with run(ATTEMPT, {"source": source}, files={"one": path, "two": path}) as jailed:
        assert jailed.receive(most_bytes=0)[0]["answer"] == list(range(7))
